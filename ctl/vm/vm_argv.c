// SPDX-License-Identifier: GPL-2.0
/* The arguments of a QEMU for its next start, zero-separated as in /proc/PID/cmdline. */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include "base/util.h"
#include "vm/vm.h"
#include "vm/vm_opts.h"

/* Room for what next_value() adds to an argument. */
#define ADDED 32

bool vm_is_own_monitor(struct json_object *o)
{
	return (opt_is(o, "chardev") && !strcmp(opt_get(o, "id"), VM_MONITOR_ID)) ||
	       (opt_is(o, "mon") && !strcmp(opt_get(o, "chardev"), VM_MONITOR_ID));
}

/* These belong to one start: what they ask for has happened. */
static bool is_left_out(struct json_object *o)
{
	static const char * const names[] = { "S", "incoming", "loadvm", "daemonize" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (opt_is(o, names[i]))
			return true;
	return vm_is_own_monitor(o);
}

/*
 * Nobody is there yet to connect to a socket that waits, and a file that is written to keeps
 * what it holds. A later value counts, so they can be appended.
 */
static const char *added_values(struct json_object *o)
{
	const char *backend = opt_get(o, "backend");
	bool waits = !strcmp(backend, "socket") && opt_on(o, "server") &&
		     strcmp(opt_get(o, "wait"), "off");

	if (waits)
		return ",wait=off";
	if (opt_is(o, "chardev") && !strcmp(backend, "file") && !opt_on(o, "append"))
		return ",append=on";
	return "";
}

static bool is_log_emptied(struct json_object *o)
{
	return opt_is(o, "chardev") && opt_has(o, "logfile") && !opt_on(o, "logappend");
}

static size_t put(char *out, size_t used, const char *text)
{
	size_t n = strlen(text);

	memcpy(out + used, text, n);
	return used + n;
}

int vm_next_argv(const char *argv, size_t len, char **out, size_t *out_len)
{
	struct json_object *opts = vm_opts_parse(argv, len), *o;
	size_t i, used = 0;
	char *buf;

	*out = NULL;
	/* A single character of an argument may become an option with its dash and a value. */
	buf = calloc(1, len + (json_object_array_length(opts) + 1) * ADDED);
	if (!buf) {
		json_object_put(opts);
		return -ENOMEM;
	}
	if (len)
		used = put(buf, used, argv) + 1;
	for (i = 0; i < json_object_array_length(opts); i++) {
		o = json_object_array_get_idx(opts, i);
		if (is_left_out(o))
			continue;
		if (*jstr(o, "opt")) {
			used = put(buf, used, "-");
			used = put(buf, used, jstr(o, "opt")) + 1;
		}
		if (!opt_set(o))
			continue;
		used = put(buf, used, opt_arg(o));
		used = put(buf, used, added_values(o));
		if (is_log_emptied(o))
			used = put(buf, used, ",logappend=on");
		used++;
	}
	json_object_put(opts);
	*out = buf;
	*out_len = used;
	return 0;
}

bool vm_changes_user(const char *argv, size_t len)
{
	struct json_object *opts = vm_opts_parse(argv, len), *o;
	bool found = false;
	size_t i;

	for (i = 0; i < json_object_array_length(opts); i++) {
		o = json_object_array_get_idx(opts, i);
		found |= opt_is(o, "runas") || (opt_is(o, "run-with") && opt_has(o, "user"));
	}
	json_object_put(opts);
	return found;
}
