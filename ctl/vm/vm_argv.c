// SPDX-License-Identifier: GPL-2.0
/* The arguments of a QEMU, zero-separated as in /proc/PID/cmdline. */
#include <string.h>
#include "base/util.h"
#include "vm/vm.h"

static const char *next_arg(const char *p, const char *end)
{
	p += strnlen(p, end - p) + 1;
	return p < end ? p : NULL;
}

/* QEMU takes one dash or two. */
static bool is_option(const char *arg, const char *name)
{
	if (*arg++ != '-')
		return false;
	if (*arg == '-')
		arg++;
	return !strcmp(arg, name);
}

static bool names_monitor(const char *arg)
{
	const char *p = strstr(arg, VM_MONITOR_ID);

	return p && p > arg && p[-1] == '=' &&
	       (p[strlen(VM_MONITOR_ID)] == ',' || !p[strlen(VM_MONITOR_ID)]);
}

size_t vm_clean_argv(const char *argv, size_t len, char *out)
{
	const char *p, *arg, *end = argv + len;
	size_t n, used = 0;

	for (p = len ? argv : NULL; p; p = next_arg(p, end)) {
		arg = next_arg(p, end);
		if (is_option(p, "S"))
			continue;
		if (arg && (is_option(p, "incoming") ||
			    ((is_option(p, "chardev") || is_option(p, "mon")) &&
			     names_monitor(arg)))) {
			p = arg;
			continue;
		}
		n = strnlen(p, end - p);
		memmove(out + used, p, n);
		used += n;
		out[used++] = '\0';
	}
	return used;
}

const char *vm_inherits_fd(const char *argv, size_t len)
{
	static const char * const names[] = { "fd=", "fds=", "vhostfd=", "vhostfds=" };
	const char *p, *q, *end = argv + len;
	size_t i;

	for (p = len ? argv : NULL; p; p = next_arg(p, end)) {
		for (q = p; q; q = strchr(q, ','), q = q ? q + 1 : NULL)
			for (i = 0; i < ARRAY_SIZE(names); i++)
				if (has_prefix(q, names[i]))
					return p;
		if (has_prefix(p, "/dev/fdset/") || strstr(p, "=/dev/fdset/"))
			return p;
	}
	return NULL;
}
