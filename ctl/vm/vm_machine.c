// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/util.h"
#include "vm/vm_machine.h"
#include "vm/vm_opts.h"

static const struct machine_text texts[MC_NR] = {
	[MC_ARGS] = { "vm-argv", "arguments that work at a second start",
		"start the VM without this option" },
	[MC_FD] = { "vm-argv", "arguments that work at a second start",
		"name the resource instead of passing a file descriptor" },
	[MC_SNAPSHOT] = { "vm-snapshot", "disks whose writes are kept",
		"start the VM without snapshot=on, on an overlay image of its own" },
	[MC_BLOCK] = { "vm-block", "the images and block nodes of the command line",
		"move the disk back, or start the VM again with its present images" },
	[MC_MEDIUM] = { "vm-medium", "the media of the command line",
		"change the medium back, or start the VM again with this one" },
	[MC_THROTTLE] = { "vm-throttle", "the limits of the command line",
		"set the limits on the command line, or take them back with block_set_io_throttle" },
	[MC_BITMAP] = { "vm-bitmap", "persistent dirty bitmaps only",
		"remove it with block-dirty-bitmap-remove, or make it persistent" },
	[MC_EXPORT] = { "vm-export", "no exported disk", "end it with block-export-del" },
	[MC_DEVICE] = { "vm-device", "the devices of the command line",
		"take the change back with device_del or device_add, or start the VM again" },
	[MC_CPU] = { "vm-cpu", "the vCPUs of the command line",
		"take the change back, or start the VM again with this number" },
	[MC_OBJECT] = { "vm-object", "the objects of the command line",
		"take the change back with object-del or object-add" },
	[MC_CHARDEV] = { "vm-chardev", "the character devices of the command line, which a second start opens again",
		"use a listening socket with wait=off, or a file with append=on" },
	[MC_NET] = { "vm-net", "network back ends that a second start makes again",
		"take the network device out, or pass a device through" },
	[MC_HELPER] = { "vm-helper", "a QEMU that needs no other process",
		"take the device out; khctl does not start helper processes in the new kernel" },
	[MC_PASSWORD] = { "vm-password", "no password that was set while the VM ran",
		"give it as an object: -object secret,... and password-secret=" },
};

const struct machine_text *machine_text(enum machine_check check)
{
	return &texts[check];
}

void machine_differs(const struct machine_sink *sink, enum machine_check check, const char *fmt,
		     ...)
{
	char text[320];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sink->differs(sink->ctx, check, text);
}

size_t jlen(struct json_object *o, const char *key)
{
	struct json_object *a = jget(o, key);

	return json_object_is_type(a, json_type_array) ? json_object_array_length(a) : 0;
}

struct json_object *jidx(struct json_object *o, const char *key, size_t i)
{
	return json_object_array_get_idx(jget(o, key), i);
}

static struct json_object *qom_args(const char *path, const char *property)
{
	struct json_object *args = json_object_new_object();

	json_object_object_add(args, "path", json_object_new_string(path));
	if (property)
		json_object_object_add(args, "property", json_object_new_string(property));
	return args;
}

/*
 * One question. Its answer must be of @type, as what is built on it would read a wrong one as
 * "there is none". @optional: a QEMU built without this part does not know the command.
 */
static int ask(struct qmp *q, struct json_object *now, const char *name, const char *cmd,
	       struct json_object *args, enum json_type type, bool optional, struct kh_err *e)
{
	struct kh_err mine = { 0 };
	struct json_object *ret;
	int rc;

	rc = qmp_cmd(q, cmd, args, &ret, &mine);
	if (rc == -EREMOTEIO && optional)
		return 0;
	if (rc)
		return err_set(e, rc, "%s", mine.msg);
	if (!json_object_is_type(ret, type)) {
		json_object_put(ret);
		return err_set(e, -EPROTO, "%s: an answer of the wrong type", cmd);
	}
	json_object_object_add(now, name, ret);
	return 0;
}

/* Whether each device of @parent was added while the machine ran. */
static int learn_hotplugged(struct qmp *q, struct json_object *list, const char *parent,
			    struct kh_err *e)
{
	struct json_object *o, *ret;
	char path[256];
	size_t i;
	int rc;

	for (i = 0; i < json_object_array_length(list); i++) {
		o = json_object_array_get_idx(list, i);
		if (!has_prefix(jstr(o, "type"), "child<"))
			continue;
		path_fmt(path, sizeof(path), "%s/%s", parent, jstr(o, "name"));
		rc = qmp_cmd(q, "qom-get", qom_args(path, "hotplugged"), &ret, e);
		if (rc)
			return rc;
		json_object_object_add(o, "hotplugged", ret);
	}
	return 0;
}

static int learn_devices(struct qmp *q, struct json_object *now, const char *name,
			 const char *parent, struct kh_err *e)
{
	int rc = ask(q, now, name, "qom-list", qom_args(parent, NULL), json_type_array, false, e);

	return rc ? rc : learn_hotplugged(q, jget(now, name), parent, e);
}

int machine_learn(struct qmp *q, struct json_object **now, struct kh_err *e)
{
	static const struct {
		const char *name;
		const char *cmd;
		enum json_type type;
		bool optional;
	} plain[] = {
		{ "block", "query-block", json_type_array, false },
		{ "nodes", "query-named-block-nodes", json_type_array, false },
		{ "graph", "x-debug-query-block-graph", json_type_object, false },
		{ "exports", "query-block-exports", json_type_array, false },
		{ "chardevs", "query-chardev", json_type_array, false },
		{ "fdsets", "query-fdsets", json_type_array, false },
		{ "cpus", "query-cpus-fast", json_type_array, false },
		{ "iothreads", "query-iothreads", json_type_array, false },
		{ "vnc", "query-vnc", json_type_object, true },
		{ "spice", "query-spice", json_type_object, true },
	};
	struct json_object *args = json_object_new_object();
	size_t i;
	int rc = 0;

	*now = json_object_new_object();
	for (i = 0; !rc && i < ARRAY_SIZE(plain); i++)
		rc = ask(q, *now, plain[i].name, plain[i].cmd, NULL, plain[i].type,
			 plain[i].optional, e);
	json_object_object_add(args, "command-line", json_object_new_string("info network"));
	if (rc)
		json_object_put(args);
	else
		rc = ask(q, *now, "network", "human-monitor-command", args, json_type_string, false, e);
	if (!rc)
		rc = ask(q, *now, "smp", "qom-get", qom_args("/machine", "smp"), json_type_object,
			 false, e);
	if (!rc)
		rc = ask(q, *now, "objects", "qom-list", qom_args("/objects", NULL),
			 json_type_array, false, e);
	if (!rc)
		rc = learn_devices(q, *now, "peripheral", "/machine/peripheral", e);
	if (!rc)
		rc = learn_devices(q, *now, "anon", "/machine/peripheral-anon", e);
	if (rc) {
		json_object_put(*now);
		*now = NULL;
	}
	return rc;
}

void machine_compare(struct json_object *opts, struct json_object *now,
		     const struct machine_sink *sink)
{
	machine_compare_args(opts, sink);
	machine_compare_block(opts, now, sink);
	machine_compare_devices(opts, now, sink);
}

static void first_difference(void *ctx, enum machine_check check, const char *found)
{
	err_set(ctx, -EBUSY, "the machine changed after it was checked: %s: %s", texts[check].id, found);
}

int machine_unchanged(struct qmp *q, const char *argv, size_t len, const char *stdin_now,
		      struct kh_err *e)
{
	struct kh_err mine = { 0 };
	const struct machine_sink sink = { first_difference, &mine };
	struct json_object *opts, *now;

	if (machine_learn(q, &now, &mine))
		return err_set(e, mine.rc, "%s", mine.msg);
	json_object_object_add(now, "stdin", json_object_new_string(stdin_now));
	opts = vm_opts_parse(argv, len);
	machine_compare(opts, now, &sink);
	json_object_put(opts);
	json_object_put(now);
	return mine.rc ? err_set(e, mine.rc, "%s", mine.msg) : 0;
}
