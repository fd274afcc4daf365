// SPDX-License-Identifier: GPL-2.0
/* What an option asks for that a second start, in another kernel, cannot give. */
#include <json-c/json.h>
#include <string.h>
#include "base/util.h"
#include "vm/vm.h"
#include "vm/vm_machine.h"
#include "vm/vm_opts.h"

static bool is_one_of(const char *s, const char * const *list)
{
	for (; *list; list++)
		if (!strcmp(s, *list))
			return true;
	return false;
}

static const char *last_part(const char *key)
{
	const char *dot = strrchr(key, '.');

	return dot ? dot + 1 : key;
}

/* A descriptor that QEMU got when it was started, or later with add-fd or getfd. */
static void check_fds(struct json_object *o, const struct machine_sink *sink)
{
	static const char * const keys[] = { "fd", "fds", "vhostfd", "vhostfds", "sock_fd", NULL };
	const char *text;

	if (opt_is(o, "add-fd")) {
		machine_differs(sink, MC_FD, "-add-fd %s", opt_arg(o));
		return;
	}
	if (!opt_set(o) || opt_is(o, "append") || opt_is(o, "incoming"))
		return;
	json_object_object_foreach(opt_set(o), key, value) {
		text = json_object_get_string(value);
		if (is_one_of(last_part(key), keys) || has_prefix(text, "/dev/fdset/") ||
		    has_prefix(text, "fd:") || has_prefix(key, "/dev/fdset/")) {
			machine_differs(sink, MC_FD, "-%s %s", jstr(o, "opt"), opt_arg(o));
			return;
		}
	}
}

static bool is_path_key(const char *key)
{
	static const char * const keys[] = { "path", "filename", "file", "mem-path", "logfile",
					     "romfile", "dir", NULL };

	return is_one_of(last_part(key), keys);
}

static bool is_relative(const char *path)
{
	/* A colon ends the name of a protocol. */
	return *path && *path != '/' && !strchr(path, ':');
}

/* A QEMU that went to the background has left the folder that its relative paths began in. */
static void check_relative(struct json_object *opts, const struct machine_sink *sink)
{
	static const char * const plain[] = { "pidfile", "D", "L", "kernel", "initrd", "dtb", "bios",
					      "hda", "hdb", "hdc", "hdd", "cdrom", "", NULL };
	struct json_object *o;
	size_t i;

	for (i = 0; i < json_object_array_length(opts); i++) {
		o = json_object_array_get_idx(opts, i);
		if (is_one_of(jstr(o, "opt"), plain) && is_relative(opt_arg(o)))
			machine_differs(sink, MC_ARGS, "-daemonize with the relative path %s",
					opt_arg(o));
		if (!opt_set(o) || opt_is(o, "append"))
			continue;
		json_object_object_foreach(opt_set(o), key, value)
			/* "file" of -blockdev names a node. */
			if (is_path_key(key) && is_relative(json_object_get_string(value)) &&
			    !(opt_is(o, "blockdev") && !strcmp(key, "file")))
				machine_differs(sink, MC_ARGS, "-daemonize with the relative path %s",
						json_object_get_string(value));
	}
}

/* Addresses that a host has before its network is set up. */
static bool is_early_address(const char *host)
{
	return !*host || has_prefix(host, "127.") || !strcmp(host, "localhost") ||
	       !strcmp(host, "0.0.0.0") || !strcmp(host, "::") || !strcmp(host, "::1") ||
	       !strcmp(host, "[::]") || !strcmp(host, "[::1]");
}

static void check_socket(struct json_object *o, const struct machine_sink *sink)
{
	bool server = opt_on(o, "server") || opt_on(o, "telnet") ||
		      (opt_has(o, "server") && !*opt_get(o, "server"));
	const char *reconnect = opt_get(o, "reconnect-ms");

	if (!*reconnect)
		reconnect = opt_get(o, "reconnect");
	if (!server && (!*reconnect || !strcmp(reconnect, "0")))
		machine_differs(sink, MC_HELPER, "-%s %s is a client of another process",
				jstr(o, "opt"), opt_arg(o));
	if (server && opt_has(o, "host") && !is_early_address(opt_get(o, "host")))
		machine_differs(sink, MC_CHARDEV,
				"-%s %s listens on an address that comes with the network only",
				jstr(o, "opt"), opt_arg(o));
}

static void check_chardev(struct json_object *o, const struct machine_sink *sink)
{
	const char *backend = opt_get(o, "backend");

	if (!strcmp(backend, "pty"))
		machine_differs(sink, MC_CHARDEV, "-%s %s has a pseudo terminal, whose number changes",
				jstr(o, "opt"), opt_arg(o));
	else if (!strcmp(backend, "socket"))
		check_socket(o, sink);
	else if (!strcmp(backend, "file") && !opt_is(o, "chardev") &&
		 !has_prefix(opt_get(o, "path"), "/dev/"))
		machine_differs(sink, MC_CHARDEV, "-%s %s would empty the file", jstr(o, "opt"),
				opt_arg(o));
}

static void check_network(struct json_object *o, const struct machine_sink *sink)
{
	static const char * const good[] = { "user", "hubport", NULL };
	const char *type = opt_get(o, "type");

	if (!strcmp(type, "vhost-user"))
		machine_differs(sink, MC_HELPER, "-netdev %s needs its vhost-user process", opt_arg(o));
	else if (!is_one_of(type, good))
		machine_differs(sink, MC_NET, "-netdev %s: the host's end is not made again", opt_arg(o));
}

/*
 * Nobody can ask QEMU whether set_link took a link down. These cards have it in their device state
 * and tell their back end after the load (QEMU 10.0, the post_load functions in hw/net/).
 */
static bool keeps_link(const char *driver)
{
	return has_prefix(driver, "virtio-net") || has_prefix(driver, "e1000") ||
	       !strcmp(driver, "igb");
}

static void check_card(struct json_object *o, const struct machine_sink *sink)
{
	if (opt_has(o, "netdev") && !keeps_link(opt_get(o, "driver")))
		machine_differs(sink, MC_NET, "-device %s: whether its link is up cannot be read", opt_arg(o));
}

static void check_display(struct json_object *o, const struct machine_sink *sink)
{
	const char *at = opt_get(o, "vnc");
	char host[96];

	if (opt_is(o, "vnc") && opt_on(o, "password"))
		machine_differs(sink, MC_PASSWORD, "-vnc %s: its password cannot be read", opt_arg(o));
	if (opt_is(o, "spice") && !opt_on(o, "disable-ticketing") && !opt_has(o, "password-secret"))
		machine_differs(sink, MC_PASSWORD, "-spice %s: its password cannot be read",
				opt_arg(o));
	if (!opt_is(o, "vnc") || has_prefix(at, "unix:") || !strchr(at, ':'))
		return;
	path_fmt(host, sizeof(host), "%.*s", (int)(strrchr(at, ':') - at), at);
	if (!is_early_address(host))
		machine_differs(sink, MC_CHARDEV,
				"-vnc %s listens on an address that comes with the network only",
				opt_arg(o));
}

static void check_helpers(struct json_object *o, const struct machine_sink *sink)
{
	if (opt_is(o, "device") && has_prefix(opt_get(o, "driver"), "vhost-user"))
		machine_differs(sink, MC_HELPER, "-device %s needs its vhost-user process", opt_arg(o));
	if (opt_is(o, "tpmdev") && !strcmp(opt_get(o, "type"), "emulator"))
		machine_differs(sink, MC_HELPER, "-tpmdev %s needs its TPM process", opt_arg(o));
}

static void check_plain(struct json_object *o, const struct machine_sink *sink)
{
	static const char * const once[] = { "readconfig", "preconfig", "writeconfig", NULL };

	if (is_one_of(jstr(o, "opt"), once))
		machine_differs(sink, MC_ARGS, "-%s %s: what it brought in is not known", jstr(o, "opt"),
				opt_arg(o));
	if (opt_is(o, "snapshot"))
		machine_differs(sink, MC_SNAPSHOT, "-snapshot");
	if ((opt_is(o, "drive") || opt_is(o, "blockdev")) && opt_on(o, "snapshot"))
		machine_differs(sink, MC_SNAPSHOT, "-%s %s", jstr(o, "opt"), opt_arg(o));
}

void machine_compare_args(struct json_object *opts, const struct machine_sink *sink)
{
	struct json_object *o;
	bool background = false;
	size_t i;

	for (i = 0; i < json_object_array_length(opts); i++) {
		o = json_object_array_get_idx(opts, i);
		background |= opt_is(o, "daemonize");
		if (vm_is_own_monitor(o))
			continue;
		check_fds(o, sink);
		check_plain(o, sink);
		check_helpers(o, sink);
		check_display(o, sink);
		if (opt_has(o, "backend"))
			check_chardev(o, sink);
		if (opt_is(o, "netdev"))
			check_network(o, sink);
		if (opt_is(o, "device"))
			check_card(o, sink);
	}
	if (background)
		check_relative(opts, sink);
}
