// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin of the outer QEMU: when L2 did not run. For -icount only.
 *
 * Code of L2 is told by its physical address: nothing but a guest runs in the memory that
 * is set aside for guests. Each pause between two of its blocks that lasts longer than
 * min= nanoseconds of virtual time is written to out= when QEMU ends, one line each.
 * CPUs of L1 run in turn. A guest whose CPU waits for its turn was not stopped by L1: the
 * pause begins when its CPU goes on with something else.
 *
 *	gap NUMBER START LENGTH		of guest NUMBER, ns: no code of it ran
 *	user NUMBER START LENGTH	no process of it ran
 *	seen NUMBER BLOCKS		blocks of it that ran; without this line nothing is known
 *
 * guest=START-END may be given several times; addresses of L1, in hex.
 */
#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu-plugin.h"

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

/* Of QEMU itself, exported by tools/profile/build. vCPU indices given to plugins are wrong when vCPUs run in turn. */
extern int64_t qemu_clock_get_ns(int type);
extern __thread void *current_cpu;
#define QEMU_CLOCK_VIRTUAL	1

#define MAX_GUESTS	8
#define MAX_CPUS	16
/* RAM of q35 beyond 2 GiB goes on at 4 GiB. */
#define LOW_RAM		0x80000000ULL
#define HIGH_RAM	0x100000000ULL
/* Where QEMU puts the real-mode part of a kernel: virtual is physical there, and it is RAM. */
#define SETUP_START	0x10000
#define SETUP_END	0x90000

struct guest {
	uint64_t start, end;
	int64_t last;			/* when its last block ended, 0: never */
	int64_t left;			/* when its CPU went on with something else */
	int64_t last_user;		/* its last block of a process */
	uint64_t blocks;
	GString *gaps;
};

static struct guest guests[MAX_GUESTS];
static unsigned int nr_guests;
/* For each CPU of L1, the guest that it runs, since it entered it: NULL after it left. */
static struct {
	void *cpu;
	struct guest *guest;
} running[MAX_CPUS];
/* Where hypervisors of L1 go on when a guest is left, in turn: that of each kernel. */
static uint64_t after_vmrun[16];
static unsigned int nr_vmrun;
static uint64_t host_base;
static int64_t min_ns = 1000000;
static char out_path[4096];

static void note(struct guest *g, const char *kind, int64_t last, int64_t now)
{
	if (last && now - last >= min_ns)
		g_string_append_printf(g->gaps, "%s %u %" PRId64 " %" PRId64 "\n", kind,
				       (unsigned int)(g - guests), last, now - last);
}

/* Of the CPU that runs; qemu_plugin_install() saw to it that there are not too many. */
static struct guest **runs(void)
{
	unsigned int i;

	for (i = 0; running[i].cpu && running[i].cpu != current_cpu; i++)
		;
	running[i].cpu = current_cpu;
	return &running[i].guest;
}

static void user_executed(unsigned int cpu_index, void *userdata)
{
	struct guest *g = userdata;
	int64_t now = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);

	(void)cpu_index;
	note(g, "user", g->last_user, now);
	g->last_user = now;
}

static void executed(unsigned int cpu_index, void *userdata)
{
	struct guest *g = userdata;
	int64_t now = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);

	(void)cpu_index;
	note(g, "gap", g->last > g->left ? g->last : g->left, now);
	g->last = now;
	g->blocks++;
	*runs() = g;
}

static void left(unsigned int cpu_index, void *userdata)
{
	struct guest **g = runs();

	(void)cpu_index;
	(void)userdata;
	if (*g)
		(*g)->left = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
	*g = NULL;
}

static bool is_after_vmrun(uint64_t virt)
{
	unsigned int i;

	for (i = 0; i < G_N_ELEMENTS(after_vmrun); i++)
		if (virt && after_vmrun[i] == virt)
			return true;
	return false;
}

/* VMRUN ends a block. */
static void look_for_vmrun(const struct qemu_plugin_insn *insn)
{
	static const uint8_t vmrun[] = { 0x0f, 0x01, 0xd8 };
	uint64_t next = qemu_plugin_insn_vaddr(insn) + sizeof(vmrun);
	uint8_t data[sizeof(vmrun)];

	if (qemu_plugin_insn_data(insn, data, sizeof(data)) == sizeof(data) && !memcmp(data, vmrun, sizeof(data)) &&
	    !is_after_vmrun(next))
		after_vmrun[nr_vmrun++ % G_N_ELEMENTS(after_vmrun)] = next;
}

static struct guest *guest_at(uint64_t host)
{
	uint64_t phys = host - host_base;
	unsigned int i;

	if (phys >= LOW_RAM)
		phys += HIGH_RAM - LOW_RAM;
	for (i = 0; i < nr_guests; i++)
		if (phys >= guests[i].start && phys < guests[i].end)
			return &guests[i];
	return NULL;
}

/* By its address. Firmware and boot loader, which are no processes, run below 4 GiB and not there. */
static bool is_user(uint64_t virt)
{
	return (virt >= 0x400000 && virt < 0x1000000) || (virt >= 1ULL << 32 && virt < 1ULL << 47);
}

/* At the last instruction of a block, and only there, the clock may be read. */
static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	struct qemu_plugin_insn *first = qemu_plugin_tb_get_insn(tb, 0);
	struct qemu_plugin_insn *last = qemu_plugin_tb_get_insn(tb, qemu_plugin_tb_n_insns(tb) - 1);
	uint64_t host = (uintptr_t)qemu_plugin_insn_haddr(first), virt = qemu_plugin_tb_vaddr(tb);
	struct guest *g;

	(void)id;
	if (!host)
		return;
	if (!host_base && virt >= SETUP_START && virt < SETUP_END)
		host_base = host - virt;
	g = host_base ? guest_at(host) : NULL;
	if (g)
		qemu_plugin_register_vcpu_insn_exec_cb(last, executed, QEMU_PLUGIN_CB_NO_REGS, g);
	else if (is_after_vmrun(virt))
		qemu_plugin_register_vcpu_insn_exec_cb(last, left, QEMU_PLUGIN_CB_NO_REGS, NULL);
	else
		look_for_vmrun(last);
	if (g && is_user(virt))
		qemu_plugin_register_vcpu_insn_exec_cb(last, user_executed, QEMU_PLUGIN_CB_NO_REGS, g);
}

static void at_exit(qemu_plugin_id_t id, void *userdata)
{
	char *temporary = g_strconcat(out_path, ".new", NULL);
	FILE *f = fopen(temporary, "w");
	unsigned int i;

	(void)id;
	(void)userdata;
	for (i = 0; f && i < nr_guests; i++) {
		fputs(guests[i].gaps->str, f);
		if (guests[i].blocks)
			fprintf(f, "seen %u %" PRIu64 "\n", i, guests[i].blocks);
	}
	if (!f || fclose(f) || rename(temporary, out_path))
		perror(out_path);
	g_free(temporary);
}

static bool read_argument(const char *arg)
{
	struct guest *g = &guests[nr_guests];

	if (!strncmp(arg, "out=", 4)) {
		g_strlcpy(out_path, arg + 4, sizeof(out_path));
		return true;
	}
	if (sscanf(arg, "min=%" SCNd64, &min_ns) == 1)
		return true;
	if (nr_guests == MAX_GUESTS ||
	    sscanf(arg, "guest=%" SCNx64 "-%" SCNx64, &g->start, &g->end) != 2)
		return false;
	g->gaps = g_string_new(NULL);
	nr_guests++;
	return true;
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
	int i;

	for (i = 0; i < argc; i++) {
		if (!read_argument(argv[i])) {
			fprintf(stderr, "gap: what is '%s'?\n", argv[i]);
			return -1;
		}
	}
	if (!info->system_emulation || !nr_guests || !out_path[0]) {
		fprintf(stderr, "gap: wants guest=START-END,out=FILE\n");
		return -1;
	}
	if (info->system.max_vcpus > MAX_CPUS) {
		fprintf(stderr, "gap: %d CPUs are more than %d\n", info->system.max_vcpus, MAX_CPUS);
		return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, at_exit, NULL);
	return 0;
}
