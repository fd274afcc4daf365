// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>
#include "base/out.h"
#include "base/util.h"
#include "host/cmdline.h"
#include "host/late.h"

#define ONLINE		"/sys/devices/system/cpu/online"
#define PRESENT		"/sys/devices/system/cpu/present"
#define DEFERRED	"/sys/kernel/initcall_deferred"
#define PRINTK		"/proc/sys/kernel/printk"

/* Warnings are said, but no more: a serial line takes 87 us for each letter. */
#define BOOT_LOGLEVEL	5	/* LATE_QUIET */

/*
 * Initcalls that take time and that no resume needs. One that a kernel does not
 * have is ignored. Only leaves: none may be one that a device, a guest, the root
 * file system or another initcall depends on, in whatever kernel. (inet_init(),
 * for one, would be worth 7 ms, and inet_blackhole_dev_init() panics without it.)
 */
static const char * const initcalls[] = {
	/* all struct pages but the first */
	"page_alloc_init_deferred",
	/* a device for each block of memory */
	"memory_dev_init_deferred",
	/* the table by which stacks are unwound */
	"unwind_init_deferred",
	/* tables for tracing */
	"trace_eval_init", "trace_eval_sync", "ftrace_check_for_weak_functions",
	"ftrace_check_sync",
	/* what parses the kernel's BTF, to offer functions to BPF programs */
	"kfunc_init", "cpumask_kfunc_init", "crypto_kfunc_init", "bpf_kfunc_init",
	"bpf_fs_kfuncs_init", "bpf_key_sig_kfuncs_init", "bpf_kprobe_multi_kfuncs_init",
	"bpf_tcp_ca_kfunc_init", "bpf_map_iter_init", "init_subsystem", "xdp_metadata_init",
	"bpf_dummy_struct_ops_init", "bpf_prog_test_run_init", "cubictcp_register",
	"tcp_congestion_default",
	/* random numbers for packets of the host's own */
	"ip_idents_seed",
	/* clocks beside the TSC */
	"init_acpi_pm_clocksource",
	/* what is only shown */
	"param_sysfs_builtin_init", "slab_sysfs_init", "cacheinfo_sysfs_init",
	/* a self test */
	"blake2s_mod_init",
};

/*
 * Tracing's events and their files, of which BPF programs on tracepoints need
 * nothing. A module that is loaded before them would stay without events.
 */
static const char * const without_modules[] = { "trace_init_deferred", "tracer_init_tracefs" };

static int add_names(char *buf, size_t size, const char * const *names, size_t n)
{
	size_t used = strlen(buf), i;
	int len;

	for (i = 0; i < n; i++, used += len) {
		len = snprintf(buf + used, size - used, "%s%s", used ? "," : "", names[i]);
		if (len < 0 || (size_t)len >= size - used)
			return -E2BIG;
	}
	return 0;
}

static int list_initcalls(char *buf, size_t size)
{
	int rc;

	buf[0] = '\0';
	rc = add_names(buf, size, initcalls, ARRAY_SIZE(initcalls));
	/* What this kernel has, the next one has as a rule. */
	if (!rc && access("/proc/modules", F_OK))
		rc = add_names(buf, size, without_modules, ARRAY_SIZE(without_modules));
	return rc;
}

/* The kernel chooses which: it might bring up one that is offline for a reason. */
unsigned int late_boot_cpus(const char *online, const char *present, unsigned int nr_vms)
{
	return nr_vms && !strcmp(online, present) ? nr_vms : 1;
}

/* Their size goes by the host's memory otherwise, and each byte of them is written while guests stand. */
static const char *bound_tables(void)
{
	struct sysinfo si;

	return !sysinfo(&si) && (uint64_t)si.totalram * si.mem_unit >> 30 >= 4 ?
	       " " LATE_DENTRIES " " LATE_INODES " " LATE_UDP : "";
}

/* What the console says now. Return: 0 if it cannot be told. */
static int loglevel(void)
{
	char text[64];

	return read_text(PRINTK, text, sizeof(text)) > 0 ? atoi(text) : 0;
}

/* The running kernel's, "" if it cannot be read. @buf: CMDLINE_MAX + 1 bytes */
static const char *running(char *buf)
{
	if (read_text("/proc/cmdline", buf, CMDLINE_MAX + 1) <= 0)
		buf[0] = '\0';
	return buf;
}

/* The level that the console is to have again: an upgrade left it, and nobody has set one since. Return: or 0. */
static int loglevel_left(const char *cmdline)
{
	char level[16];

	return loglevel() == BOOT_LOGLEVEL && cmdline_get(cmdline, LATE_CONSOLE, level, sizeof(level)) ?
	       atoi(level) : 0;
}

static void console_params(char *buf, size_t size)
{
	char cmdline[CMDLINE_MAX + 1];
	int level = loglevel_left(running(cmdline));

	if (!level)
		level = loglevel();
	buf[0] = '\0';
	if (level > BOOT_LOGLEVEL)
		path_fmt(buf, size, " " LATE_QUIET " " LATE_CONSOLE "=%d", level);
}

int late_params(char *buf, size_t size, unsigned int nr_vms)
{
	char names[1024], cpus[256] = "", present[256] = "", console[64];
	const char *more = bound_tables();
	int rc, n;

	rc = list_initcalls(names, sizeof(names));
	if (rc)
		return rc;
	console_params(console, sizeof(console));
	if (read_text(PRESENT, present, sizeof(present)) <= 0)
		present[0] = '\0';
	/* The timer interrupt works: it did a moment ago. */
	if (read_text(ONLINE, cpus, sizeof(cpus)) <= 0)
		n = snprintf(buf, size, LATE_NO_CHECK " " LATE_INITCALLS "=%s%s%s", names, more,
			     console);
	else
		/* One CPU is not for good: a kernel would write over each lock prefix, and back. */
		n = snprintf(buf, size, LATE_MAXCPUS "=%u " LATE_CPUS "=%s " LATE_NO_UP " "
			     LATE_NO_CHECK " " LATE_INITCALLS "=%s%s%s",
			     late_boot_cpus(cpus, present, nr_vms), cpus, names, more, console);
	return n < 0 || (size_t)n >= size ? -E2BIG : 0;
}

static int cpu_online(unsigned int cpu)
{
	char path[80];
	uint64_t on;

	path_fmt(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
	/* The boot CPU may have no such file. */
	if (read_u64(path, &on))
		return access(path, F_OK) ? 0 : -EIO;
	return on ? 0 : write_text(path, "1");
}

/* "0-3,5" */
static int cpus_online(const char *list, struct kh_err *e)
{
	unsigned long first, last;
	char *end;
	int rc = 0, n;

	while (*list) {
		first = strtoul(list, &end, 10);
		last = *end == '-' ? strtoul(end + 1, &end, 10) : first;
		if (end == list || (*end && *end != ',') || last < first || last > 65535)
			return err_set(e, -EINVAL, LATE_CPUS "=%s is not understood", list);
		for (; first <= last; first++) {
			n = cpu_online(first);
			if (n && !rc)
				rc = err_set(e, n, "CPU %lu does not come online: %s", first,
					     strerror(-n));
		}
		list = *end ? end + 1 : end;
	}
	return rc;
}

static void give_console_back(const char *cmdline)
{
	char text[16];
	int rc, level = loglevel_left(cmdline);

	if (!level)
		return;
	path_fmt(text, sizeof(text), "%d", level);
	rc = write_text(PRINTK, text);
	if (rc)
		talk("the console stays at level %d: " PRINTK ": %s", BOOT_LOGLEVEL, strerror(-rc));
}

int late_finish(struct kh_err *e)
{
	char cmdline[CMDLINE_MAX + 1], cpus[256];
	int rc = 0, n;

	/* The initcalls would keep the guests waiting for the few CPUs there are. */
	if (cmdline_get(running(cmdline), LATE_CPUS, cpus, sizeof(cpus)))
		rc = cpus_online(cpus, e);
	if (!access(DEFERRED, F_OK)) {
		n = write_text(DEFERRED, "1");
		if (n && !rc)
			rc = err_set(e, n, DEFERRED ": %s", strerror(-n));
	}
	give_console_back(cmdline);
	return rc;
}
