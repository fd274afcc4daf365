// SPDX-License-Identifier: GPL-2.0
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include "base/util.h"
#include "vm/qmp.h"
#include "vm/vm_opts.h"

/* Options without a value in QEMU 10.0 (qemu-options.hx). Every other option takes one. */
static const char * const no_value[] = {
	"h", "help", "version", "mem-prealloc", "snapshot", "usb", "nographic", "full-screen",
	"win2k-hack", "no-fd-bootchk", "preconfig", "S", "s", "enable-kvm", "xen-attach",
	"xen-domid-restrict", "no-reboot", "no-shutdown", "daemonize", "only-migratable",
	"nodefaults", "semihosting", "old-param", "no-user-config", "enable-sync-profile",
	"perfmap", "jitdump",
};

/* The key of a first value that is written without one. */
static const struct {
	const char *opt;
	const char *key;
} implied[] = {
	{ "accel", "accel" }, { "audiodev", "driver" }, { "blockdev", "driver" },
	{ "boot", "order" }, { "chardev", "backend" }, { "device", "driver" },
	{ "display", "type" }, { "fsdev", "fsdriver" }, { "incoming", "uri" }, { "m", "size" },
	{ "machine", "type" }, { "M", "type" }, { "mon", "chardev" }, { "net", "type" },
	{ "netdev", "type" }, { "nic", "type" }, { "numa", "type" }, { "object", "qom-type" },
	{ "smp", "cpus" }, { "tpmdev", "type" }, { "virtfs", "fsdriver" }, { "vnc", "vnc" },
};

static bool takes_value(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(no_value); i++)
		if (!strcmp(no_value[i], name))
			return false;
	return true;
}

static const char *implied_key(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(implied); i++)
		if (!strcmp(implied[i].opt, name))
			return implied[i].key;
	return NULL;
}

static void set_value(struct json_object *set, const char *key, const char *value)
{
	json_object_object_add(set, key, json_object_new_string(value));
}

void opts_flatten(struct json_object *set, const char *prefix, struct json_object *json)
{
	char key[512], index[24];
	size_t i;

	switch (json_object_get_type(json)) {
	case json_type_object: {
		json_object_object_foreach(json, name, value)
			opts_flatten(set, path_fmt(key, sizeof(key), "%s%s%s", prefix,
						   *prefix ? "." : "", name), value);
		return;
	}
	case json_type_array:
		for (i = 0; i < json_object_array_length(json); i++) {
			path_fmt(index, sizeof(index), "%zu", i);
			opts_flatten(set, path_fmt(key, sizeof(key), "%s.%s", prefix, index),
				     json_object_array_get_idx(json, i));
		}
		return;
	case json_type_boolean:
		set_value(set, prefix, json_object_get_boolean(json) ? "on" : "off");
		return;
	case json_type_null:
		set_value(set, prefix, "");
		return;
	default:
		set_value(set, prefix, json_object_get_string(json));
	}
}

/* Up to the next single comma; two commas stand for one. Return: where to go on. */
static const char *take_element(const char *p, char *out)
{
	for (; *p; p++) {
		if (*p == ',' && p[1] != ',')
			return p + 1;
		if (*p == ',')
			p++;
		*out++ = *p;
		*out = '\0';
	}
	return p;
}

static void parse_pairs(struct json_object *set, const char *text, const char *first_key)
{
	char *element = calloc(1, strlen(text) + 1), *eq;

	while (element && *text) {
		*element = '\0';
		text = take_element(text, element);
		eq = strchr(element, '=');
		if (eq) {
			*eq = '\0';
			set_value(set, element, eq + 1);
		} else if (first_key) {
			set_value(set, first_key, element);
		} else if (has_prefix(element, "no") && element[2]) {
			/* Both readings, as QEMU's depends on which keys the option has. */
			set_value(set, element + 2, "off");
			set_value(set, element, "on");
		} else {
			set_value(set, element, "on");
		}
		first_key = NULL;
	}
	free(element);
}

/* Options whose value is a character device in the short form of old. */
static bool is_compat(const char *name)
{
	static const char * const names[] = { "serial", "parallel", "monitor", "qmp", "qmp-pretty",
					      "gdb", "debugcon", "virtioconsole" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

/* "tcp:HOST:PORT,...", which may begin with "[" for IPv6 */
static void parse_inet(struct json_object *set, const char *p)
{
	const char *end = p + strcspn(p, ","), *colon = end;
	char host[96], port[64];

	while (colon > p && *colon != ':')
		colon--;
	path_fmt(host, sizeof(host), "%.*s", (int)(colon - p), p);
	path_fmt(port, sizeof(port), "%.*s", (int)(end - colon - (*colon == ':')),
		 colon + (*colon == ':'));
	set_value(set, "backend", "socket");
	set_value(set, "host", host);
	set_value(set, "port", port);
	if (*end)
		parse_pairs(set, end + 1, NULL);
}

/* As qemu_chr_parse_compat() of QEMU reads it. "chardev:ID" names a device that is described elsewhere. */
static void parse_compat(struct json_object *set, const char *text)
{
	char kind[32];
	const char *p;

	if (has_prefix(text, "mon:"))
		text += 4;
	if (has_prefix(text, "chardev:") || !strcmp(text, "none"))
		return;
	path_fmt(kind, sizeof(kind), "%.*s", (int)strcspn(text, ":"), text);
	p = strchr(text, ':');
	p = p ? p + 1 : "";
	if (!strcmp(kind, "unix")) {
		set_value(set, "backend", "socket");
		parse_pairs(set, p, "path");
	} else if (!strcmp(kind, "tcp") || !strcmp(kind, "telnet") || !strcmp(kind, "tn3270") ||
		   !strcmp(kind, "websocket")) {
		parse_inet(set, p);
	} else if (has_prefix(text, "/dev/")) {
		set_value(set, "backend", "serial");
		set_value(set, "path", text);
	} else {
		set_value(set, "backend", kind);
		set_value(set, "path", p);
	}
}

static struct json_object *parse_option(const char *name, const char *arg)
{
	struct json_object *o = json_object_new_object(), *set, *json;

	set_value(o, "opt", name);
	set_value(o, "arg", arg ? arg : "");
	if (!arg)
		return o;
	set = json_object_new_object();
	json = *arg == '{' ? json_tokener_parse(arg) : NULL;
	if (json)
		opts_flatten(set, "", json);
	else if (is_compat(name))
		parse_compat(set, arg);
	else
		parse_pairs(set, arg, implied_key(name));
	json_object_put(json);
	json_object_object_add(o, "set", set);
	json_object_object_add(o, "json", json_object_new_boolean(*arg == '{'));
	return o;
}

static const char *next_arg(const char *p, const char *end)
{
	p += strnlen(p, end - p) + 1;
	return p < end ? p : NULL;
}

struct json_object *vm_opts_parse(const char *argv, size_t len)
{
	struct json_object *opts = json_object_new_array();
	const char *end = argv + len, *p, *arg, *name;

	for (p = len ? next_arg(argv, end) : NULL; p; p = next_arg(p, end)) {
		if (*p != '-') {
			json_object_array_add(opts, parse_option("", p));
			continue;
		}
		/* QEMU takes one dash or two. */
		name = p[1] == '-' ? p + 2 : p + 1;
		arg = takes_value(name) ? next_arg(p, end) : NULL;
		json_object_array_add(opts, parse_option(name, arg));
		if (arg)
			p = arg;
	}
	return opts;
}

bool opt_is(struct json_object *o, const char *name)
{
	return !strcmp(jstr(o, "opt"), name);
}

const char *opt_arg(struct json_object *o)
{
	return jstr(o, "arg");
}

struct json_object *opt_set(struct json_object *o)
{
	return jget(o, "set");
}

const char *opt_get(struct json_object *o, const char *key)
{
	return jstr(opt_set(o), key);
}

bool opt_has(struct json_object *o, const char *key)
{
	return jget(opt_set(o), key);
}

bool opt_on(struct json_object *o, const char *key)
{
	const char *v = opt_get(o, key);

	return !strcmp(v, "on") || !strcmp(v, "yes") || !strcmp(v, "true") || !strcmp(v, "y");
}

struct json_object *opts_find(struct json_object *opts, const char *name, const char *key,
			      const char *value)
{
	struct json_object *o;
	size_t i;

	for (i = 0; i < json_object_array_length(opts); i++) {
		o = json_object_array_get_idx(opts, i);
		if (opt_is(o, name) && opt_has(o, key) && !strcmp(opt_get(o, key), value))
			return o;
	}
	return NULL;
}
