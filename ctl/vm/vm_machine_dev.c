// SPDX-License-Identifier: GPL-2.0
/* Devices, vCPUs, objects, character devices and network back ends. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "base/util.h"
#include "vm/vm.h"
#include "vm/vm_machine.h"
#include "vm/vm_opts.h"

static bool is_child(struct json_object *o)
{
	return has_prefix(jstr(o, "type"), "child<");
}

static bool listed(struct json_object *now, const char *list, const char *name)
{
	size_t i;

	for (i = 0; i < jlen(now, list); i++)
		if (is_child(jidx(now, list, i)) && !strcmp(jstr(jidx(now, list, i), "name"), name))
			return true;
	return false;
}

/* Devices that options create without giving them an id. */
static bool makes_anonymous(struct json_object *o)
{
	if (opt_is(o, "device"))
		return !*opt_get(o, "id");
	return opt_is(o, "virtfs") || (opt_is(o, "drive") && !strcmp(opt_get(o, "if"), "virtio"));
}

static void compare_named(struct json_object *opts, struct json_object *now,
			  const struct machine_sink *sink)
{
	struct json_object *o;
	const char *id;
	size_t i;

	for (i = 0; i < jlen(now, "peripheral"); i++) {
		o = jidx(now, "peripheral", i);
		id = jstr(o, "name");
		if (!is_child(o))
			continue;
		/* A debug console gets this id of QEMU. */
		if (jbool(o, "hotplugged") ||
		    !(opts_find(opts, "device", "id", id) || !strcmp(id, "debugcon")))
			machine_differs(sink, MC_DEVICE, "%s %s was added", jstr(o, "type"), id);
	}
	for (i = 0; i < json_object_array_length(opts); i++) {
		o = json_object_array_get_idx(opts, i);
		id = opt_get(o, "id");
		if (opt_is(o, "device") && *id && !listed(now, "peripheral", id))
			machine_differs(sink, MC_DEVICE, "%s %s was removed", opt_get(o, "driver"),
					id);
	}
}

static void compare_anonymous(struct json_object *opts, struct json_object *now,
			      const struct machine_sink *sink)
{
	unsigned int wanted = 0, there = 0;
	struct json_object *o;
	size_t i;

	for (i = 0; i < json_object_array_length(opts); i++)
		wanted += makes_anonymous(json_object_array_get_idx(opts, i));
	for (i = 0; i < jlen(now, "anon"); i++) {
		o = jidx(now, "anon", i);
		if (!is_child(o))
			continue;
		if (jbool(o, "hotplugged"))
			machine_differs(sink, MC_DEVICE, "%s was added without an id",
					jstr(o, "type"));
		else
			there++;
	}
	if (there != wanted)
		machine_differs(sink, MC_DEVICE, "%u devices without an id, the command line has %u",
				there, wanted);
}

/* A vCPU of the command line that was removed leaves fewer than the machine was made with. */
static void compare_cpus(struct json_object *now, const struct machine_sink *sink)
{
	int64_t wanted = jint(jget(now, "smp"), "cpus");

	if (wanted != (int64_t)jlen(now, "cpus"))
		machine_differs(sink, MC_CPU, "%zu vCPUs, the machine was made with %lld",
				jlen(now, "cpus"), (long long)wanted);
}

static void compare_objects(struct json_object *opts, struct json_object *now,
			    const struct machine_sink *sink)
{
	struct json_object *o;
	const char *id;
	size_t i;

	for (i = 0; i < jlen(now, "objects"); i++) {
		o = jidx(now, "objects", i);
		id = jstr(o, "name");
		/* Main memory without a memory backend; check vm-ram refuses that. */
		if (is_child(o) && !opts_find(opts, "object", "id", id) && strcmp(id, "pc.ram"))
			machine_differs(sink, MC_OBJECT, "%s %s was added", jstr(o, "type"), id);
	}
	for (i = 0; i < json_object_array_length(opts); i++) {
		o = json_object_array_get_idx(opts, i);
		id = opt_get(o, "id");
		if (opt_is(o, "object") && *id && !listed(now, "objects", id))
			machine_differs(sink, MC_OBJECT, "%s %s was removed",
					opt_get(o, "qom-type"), id);
	}
}

/* Labels that QEMU gives to character devices of -serial, -qmp, -monitor and the like. */
static bool is_own_label(const char *label)
{
	static const char * const names[] = { "serial", "parallel", "compat_monitor", "debugcon",
					      "gdb", "virtcon", "vc", "usbserial" };
	const char *p;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (!has_prefix(label, names[i]))
			continue;
		p = label + strlen(names[i]);
		p += strspn(p, "0123456789");
		if (!*p || !strcmp(p, "-base"))
			return true;
	}
	return false;
}

/* The first word of what QEMU calls the kind of a character device that is open. */
static bool is_kind(const char *backend, const char *filename)
{
	static const struct {
		const char *backend;
		const char *names[7];
	} kinds[] = {
		{ "socket", { "unix:", "tcp:", "telnet:", "tn3270:", "websocket:", "vsock:", "disconnected:" } },
		{ "pty", { "pty:" } },
	};
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(kinds[i].backend, backend))
			continue;
		for (k = 0; k < ARRAY_SIZE(kinds[i].names); k++)
			if (kinds[i].names[k] && has_prefix(filename, kinds[i].names[k]))
				return true;
		return false;
	}
	return has_prefix(filename, backend) || !strcmp(backend, "spicevmc");
}

/* The option of a character device. One with mux=on is two: a multiplexer, and its base. */
static struct json_object *chardev_option(struct json_object *opts, const char *label, bool *mux)
{
	struct json_object *o = opts_find(opts, "chardev", "id", label);
	char id[128];
	size_t n = strlen(label);

	*mux = o && opt_on(o, "mux");
	if (o || n < 5 || strcmp(label + n - 5, "-base"))
		return o;
	o = opts_find(opts, "chardev", "id", path_fmt(id, sizeof(id), "%.*s", (int)n - 5, label));
	return o && opt_on(o, "mux") ? o : NULL;
}

static void compare_chardevs(struct json_object *opts, struct json_object *now,
			     const struct machine_sink *sink)
{
	struct json_object *o, *c;
	const char *label;
	size_t i, k;
	bool mux;

	for (i = 0; i < jlen(now, "chardevs"); i++) {
		c = jidx(now, "chardevs", i);
		label = jstr(c, "label");
		o = chardev_option(opts, label, &mux);
		if (!strcmp(jstr(c, "filename"), "stdio") && strcmp(jstr(now, "stdin"), "/dev/null"))
			machine_differs(sink, MC_CHARDEV, "%s reads %s as its standard input", label,
					jstr(now, "stdin"));
		/* khctl gives this one to each QEMU that it starts. */
		if (!strcmp(label, VM_MONITOR_ID) || (!o && is_own_label(label)))
			continue;
		if (!o)
			machine_differs(sink, MC_CHARDEV, "%s (%s) was added", label,
					jstr(c, "filename"));
		else if (!is_kind(mux ? "mux" : opt_get(o, "backend"), jstr(c, "filename")))
			machine_differs(sink, MC_CHARDEV, "%s is %s, the command line has %s", label,
					jstr(c, "filename"), opt_get(o, "backend"));
	}
	for (i = 0; i < json_object_array_length(opts); i++) {
		o = json_object_array_get_idx(opts, i);
		if (!opt_is(o, "chardev") || vm_is_own_monitor(o))
			continue;
		for (k = 0; k < jlen(now, "chardevs"); k++)
			if (!strcmp(jstr(jidx(now, "chardevs", k), "label"), opt_get(o, "id")))
				break;
		if (k == jlen(now, "chardevs"))
			machine_differs(sink, MC_CHARDEV, "%s was removed", opt_get(o, "id"));
	}
}

/*
 * Network clients, as "info network" prints them: "NAME: index=0,type=nic,model=e1000e,...",
 * perhaps after " \ ", and "hub N". A card is a device and compared as such.
 */
static void compare_client(struct json_object *opts, const char *line, const struct machine_sink *sink)
{
	char name[128], type[64];
	const char *p = strstr(line, ": index="), *t;

	while (*line == ' ' || *line == '\\')
		line++;
	/* A port of a hub that nothing is plugged into. */
	if (!p && !has_prefix(line, "hub ") && !opts_find(opts, "netdev", "id", line))
		machine_differs(sink, MC_NET, "port %s was added", line);
	if (!p)
		return;
	t = strstr(p, ",type=");
	path_fmt(name, sizeof(name), "%.*s", (int)(p - line), line);
	path_fmt(type, sizeof(type), "%.*s", t ? (int)strcspn(t + 6, ",\r\n") : 0, t ? t + 6 : "");
	if (!strcmp(type, "nic") || opts_find(opts, "netdev", "id", name))
		return;
	machine_differs(sink, MC_NET, "%s %s was added, or belongs to -nic or -net", type, name);
}

static void compare_network(struct json_object *opts, struct json_object *now,
			    const struct machine_sink *sink)
{
	const char *text = jstr(now, "network"), *nl;
	char line[512], want[160];
	struct json_object *o;
	size_t i;

	for (i = 0; i < json_object_array_length(opts); i++) {
		o = json_object_array_get_idx(opts, i);
		if (!opt_is(o, "netdev"))
			continue;
		path_fmt(want, sizeof(want), "%s: ", opt_get(o, "id"));
		if (!strstr(text, want))
			machine_differs(sink, MC_NET, "%s was removed", opt_get(o, "id"));
	}
	for (; *text; text = nl + strspn(nl, "\r\n")) {
		nl = text + strcspn(text, "\r\n");
		path_fmt(line, sizeof(line), "%.*s", (int)(nl - text), text);
		compare_client(opts, line, sink);
	}
}

void machine_compare_devices(struct json_object *opts, struct json_object *now,
			     const struct machine_sink *sink)
{
	if (jlen(now, "fdsets"))
		machine_differs(sink, MC_FD, "%zu sets of file descriptors were added with add-fd",
				jlen(now, "fdsets"));
	compare_named(opts, now, sink);
	compare_anonymous(opts, now, sink);
	compare_cpus(now, sink);
	compare_objects(opts, now, sink);
	compare_chardevs(opts, now, sink);
	compare_network(opts, now, sink);
}
