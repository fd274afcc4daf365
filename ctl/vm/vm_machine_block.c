// SPDX-License-Identifier: GPL-2.0
/*
 * Disks. A second start opens the images that the command line names. So the image behind
 * each disk must still be that one: a mirror, a snapshot or a commit may have replaced it.
 */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include "base/util.h"
#include "vm/vm_machine.h"
#include "vm/vm_opts.h"

struct block_ctx {
	struct json_object *opts;
	struct json_object *now;
	const struct machine_sink *sink;
	bool *claimed;		/* per option: a drive of the machine belongs to it */
};

static const char * const drive_options[] = {
	"hda", "hdb", "hdc", "hdd", "cdrom", "fda", "fdb", "mtdblock", "sd", "pflash", "",
};

/* Options whose whole value is an image. */
static bool is_plain_drive(struct json_object *o)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(drive_options); i++)
		if (opt_is(o, drive_options[i]))
			return true;
	return false;
}

static struct json_object *find_by(struct json_object *o, const char *list, const char *key,
				   const char *value)
{
	size_t i;

	for (i = 0; i < jlen(o, list); i++)
		if (!strcmp(jstr(jidx(o, list, i), key), value))
			return jidx(o, list, i);
	return NULL;
}

static struct json_object *find_id(struct json_object *graph, int64_t id)
{
	size_t i;

	for (i = 0; i < jlen(graph, "nodes"); i++)
		if (jint(jidx(graph, "nodes", i), "id") == id)
			return jidx(graph, "nodes", i);
	return NULL;
}

/* The node that @name has as its child in the role @role. NULL: none. */
static const char *child_of(struct json_object *now, const char *name, const char *role)
{
	struct json_object *graph = jget(now, "graph"), *n, *edge;
	int64_t id;
	size_t i;

	n = find_by(graph, "nodes", "name", name);
	if (!n)
		return NULL;
	id = jint(n, "id");
	for (i = 0; i < jlen(graph, "edges"); i++) {
		edge = jidx(graph, "edges", i);
		if (jint(edge, "parent") == id && !strcmp(jstr(edge, "name"), role))
			return jstr(find_id(graph, jint(edge, "child")), "name");
	}
	return NULL;
}

/* Down to the node that opens the file. A graph cannot be deeper than it has nodes. */
static struct json_object *leaf_of(struct json_object *now, const char *name)
{
	size_t depth = jlen(now, "nodes");
	const char *below;

	while (depth-- && (below = child_of(now, name, "file")))
		name = below;
	return find_by(now, "nodes", "node-name", name);
}

static const char *without_protocol(const char *file)
{
	if (has_prefix(file, "file:"))
		return file + 5;
	if (has_prefix(file, "host_device:"))
		return file + 12;
	return file;
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && !strcmp(s + n - m, end);
}

/* Parts of a place on the network or in a cluster; QEMU makes one name of them. */
static bool is_place(const char *key)
{
	static const char * const names[] = { "host", "path", "port", "export", "pool", "image",
					      "portal", "target", "lun", "volume", "url", "device" };
	const char *dot = strrchr(key, '.');
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(dot ? dot + 1 : key, names[i]))
			return true;
	return false;
}

/* Does @file name the place that the options below @set describe, key by key? */
static bool same_place(struct json_object *set, const char *file)
{
	bool any = false;

	json_object_object_foreach(set, key, value) {
		if (!is_place(key) || has_prefix(key, "backing."))
			continue;
		any = true;
		if (!strstr(file, json_object_get_string(value)))
			return false;
	}
	return any;
}

/* The image that the options name, NULL: they name no single file. Longest key last. */
static const char *image_of(struct json_object *set)
{
	const char *found = NULL;
	size_t best = 0;

	json_object_object_foreach(set, key, value) {
		if (has_prefix(key, "backing.") || strstr(key, ".backing."))
			continue;
		if ((!strcmp(key, "file") || !strcmp(key, "filename") ||
		     ends_with(key, "file.filename")) && (!found || strlen(key) > best)) {
			found = json_object_get_string(value);
			best = strlen(key);
		}
	}
	return found;
}

static bool is_image(struct json_object *set, const char *file)
{
	const char *image = image_of(set);
	struct json_object *json, *flat;
	bool same;

	if (!image)
		return same_place(set, file);
	if (!has_prefix(image, "json:"))
		return !strcmp(without_protocol(image), file);
	json = json_tokener_parse(image + 5);
	flat = json_object_new_object();
	opts_flatten(flat, "", json);
	image = image_of(flat);
	same = image ? !strcmp(without_protocol(image), file) : same_place(flat, file);
	json_object_put(flat);
	json_object_put(json);
	return same;
}

static bool has_medium(struct json_object *o)
{
	if (is_plain_drive(o))
		return true;
	if (!opt_set(o))
		return false;
	return image_of(opt_set(o)) || opt_has(o, "file.driver");
}

static bool opt_is_image(struct json_object *o, const char *file)
{
	if (is_plain_drive(o))
		return !strcmp(without_protocol(opt_arg(o)), file);
	return is_image(opt_set(o), file);
}

static void compare_throttle(struct block_ctx *b, struct json_object *set, const char *name,
			     struct json_object *inserted)
{
	static const struct {
		const char *now;
		const char *opt;
		const char *old;
	} limits[] = {
		{ "iops", "throttling.iops-total", "iops" },
		{ "iops_rd", "throttling.iops-read", "iops_rd" },
		{ "iops_wr", "throttling.iops-write", "iops_wr" },
		{ "bps", "throttling.bps-total", "bps" },
		{ "bps_rd", "throttling.bps-read", "bps_rd" },
		{ "bps_wr", "throttling.bps-write", "bps_wr" },
		{ "iops_max", "throttling.iops-total-max", "iops_max" },
		{ "iops_rd_max", "throttling.iops-read-max", "iops_rd_max" },
		{ "iops_wr_max", "throttling.iops-write-max", "iops_wr_max" },
		{ "bps_max", "throttling.bps-total-max", "bps_max" },
		{ "bps_rd_max", "throttling.bps-read-max", "bps_rd_max" },
		{ "bps_wr_max", "throttling.bps-write-max", "bps_wr_max" },
		{ "iops_size", "throttling.iops-size", "iops_size" },
	};
	const char *text;
	int64_t wanted;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(limits); i++) {
		text = jstr(set, limits[i].opt);
		wanted = atoll(*text ? text : jstr(set, limits[i].old));
		/* Without a maximum of its own, QEMU reports one that it derived. */
		if (!wanted && strstr(limits[i].now, "_max"))
			continue;
		if (jint(inserted, limits[i].now) != wanted)
			machine_differs(b->sink, MC_THROTTLE, "%s: %s is %lld, the command line has %lld",
					name, limits[i].now,
					(long long)jint(inserted, limits[i].now), (long long)wanted);
	}
}

static void compare_bitmaps(struct block_ctx *b, struct json_object *node)
{
	struct json_object *map;
	size_t i;

	for (i = 0; i < jlen(node, "dirty-bitmaps"); i++) {
		map = jidx(node, "dirty-bitmaps", i);
		if (!jbool(map, "persistent"))
			machine_differs(b->sink, MC_BITMAP, "%s of node %s is not persistent",
					jstr(map, "name"), jstr(node, "node-name"));
	}
}

/* The option that made the drive @d. Without an id in it, its image has to tell. */
static struct json_object *drive_option(struct block_ctx *b, struct json_object *d, const char *file)
{
	struct json_object *o;
	size_t i;

	for (i = 0; i < json_object_array_length(b->opts); i++) {
		o = json_object_array_get_idx(b->opts, i);
		if (!opt_is(o, "drive") && !is_plain_drive(o))
			continue;
		if (*opt_get(o, "id") && !is_plain_drive(o) ?
		    !strcmp(opt_get(o, "id"), jstr(d, "device")) :
		    !b->claimed[i] && (file ? has_medium(o) && opt_is_image(o, file) :
							   !has_medium(o))) {
			b->claimed[i] = true;
			return o;
		}
	}
	return NULL;
}

/* A block back end that -drive made: it has a name. */
static void compare_drive(struct block_ctx *b, struct json_object *d)
{
	struct json_object *inserted = jget(d, "inserted"), *o;
	const char *name = jstr(d, "device"), *format, *file = NULL;

	if (inserted)
		file = jstr(leaf_of(b->now, jstr(inserted, "node-name")), "file");
	o = drive_option(b, d, file);
	if (!o) {
		/* QEMU makes empty drives by itself, such as a floppy. */
		if (inserted)
			machine_differs(b->sink, MC_BLOCK, "drive %s has %s, which no option names",
					name, file);
		return;
	}
	if (!inserted || !has_medium(o)) {
		if (inserted)
			machine_differs(b->sink, MC_MEDIUM, "drive %s has %s, it was empty", name, file);
		else if (has_medium(o))
			machine_differs(b->sink, MC_MEDIUM, "drive %s is empty, it had %s", name,
					opt_arg(o));
		return;
	}
	if (!opt_is_image(o, file))
		machine_differs(b->sink, jbool(d, "removable") ? MC_MEDIUM : MC_BLOCK,
				"drive %s has %s, the command line has %s", name, file, opt_arg(o));
	format = *opt_get(o, "format") ? opt_get(o, "format") : opt_get(o, "driver");
	if (*format && strcmp(format, jstr(inserted, "drv")))
		machine_differs(b->sink, MC_BLOCK, "drive %s has the format %s, the command line has %s",
				name, jstr(inserted, "drv"), format);
	compare_throttle(b, opt_set(o), name, inserted);
}

/* The number in "device[N]", the name of a device without an id. -1: none. */
static int anonymous_number(const char *qdev)
{
	static const char prefix[] = "/machine/peripheral-anon/device[";

	return has_prefix(qdev, prefix) ? atoi(qdev + strlen(prefix)) : -1;
}

/* QEMU makes first the devices written as keys and values, in order, then those written in JSON. */
static struct json_object *anonymous_option(struct json_object *opts, int number)
{
	struct json_object *o;
	int json;
	size_t i;

	for (json = 0; json < 2; json++)
		for (i = 0; i < json_object_array_length(opts); i++) {
			o = json_object_array_get_idx(opts, i);
			if (opt_is(o, "device") && !*opt_get(o, "id") &&
			    jbool(o, "json") == json && !number--)
				return o;
		}
	return NULL;
}

static struct json_object *device_option(struct block_ctx *b, const char *qdev)
{
	char id[128];
	const char *p = qdev + strlen("/machine/peripheral/");
	int number = anonymous_number(qdev);

	if (number >= 0)
		return anonymous_option(b->opts, number);
	if (!has_prefix(qdev, "/machine/peripheral/"))
		return NULL;
	path_fmt(id, sizeof(id), "%.*s", (int)strcspn(p, "/"), p);
	return opts_find(b->opts, "device", "id", id);
}

/* A block back end that a device made for a node: it has no name. */
static void compare_device(struct block_ctx *b, struct json_object *d)
{
	struct json_object *inserted = jget(d, "inserted"), *o;
	const char *qdev = jstr(d, "qdev");

	o = device_option(b, qdev);
	/* A device that was added is told as such. */
	if (!o)
		return;
	if (!inserted && *opt_get(o, "drive"))
		machine_differs(b->sink, MC_MEDIUM, "%s is empty, it had node %s", qdev,
				opt_get(o, "drive"));
	else if (inserted && strcmp(opt_get(o, "drive"), jstr(inserted, "node-name")))
		machine_differs(b->sink, jbool(d, "removable") ? MC_MEDIUM : MC_BLOCK,
				"%s has node %s (%s), the command line has %s", qdev,
				jstr(inserted, "node-name"), jstr(inserted, "file"),
				opt_get(o, "drive"));
	if (inserted)
		compare_throttle(b, NULL, qdev, inserted);
}

/* Is this node named somewhere on the command line? */
static bool names_node(struct json_object *opts, const char *name)
{
	struct json_object *o;
	size_t i;

	for (i = 0; i < json_object_array_length(opts); i++) {
		o = json_object_array_get_idx(opts, i);
		if ((!opt_is(o, "blockdev") && !opt_is(o, "drive")) || !opt_set(o))
			continue;
		json_object_object_foreach(opt_set(o), key, value)
			if (ends_with(key, "node-name") && !strcmp(json_object_get_string(value), name))
				return true;
	}
	return false;
}

/* The children that an option names must still be there in their role. */
static void compare_children(struct block_ctx *b, struct json_object *set, const char *name)
{
	const char *now;

	json_object_object_foreach(set, key, value) {
		const char *wanted = json_object_get_string(value);

		if (strcmp(key, "file") && strcmp(key, "backing"))
			continue;
		now = child_of(b->now, name, key);
		if (strcmp(now ? now : "", wanted))
			machine_differs(b->sink, MC_BLOCK, "%s of node %s is %s, the command line has %s",
					key, name, now && *now ? now : "nothing",
					*wanted ? wanted : "nothing");
	}
}

static void compare_node(struct block_ctx *b, struct json_object *o)
{
	const char *name = opt_get(o, "node-name");
	struct json_object *node = find_by(b->now, "nodes", "node-name", name);
	const char *image = opt_get(o, "filename");

	if (!node) {
		machine_differs(b->sink, MC_BLOCK, "node %s was removed", name);
		return;
	}
	if (strcmp(opt_get(o, "driver"), jstr(node, "drv")))
		machine_differs(b->sink, MC_BLOCK, "node %s is a %s, the command line has %s", name,
				jstr(node, "drv"), opt_get(o, "driver"));
	if (*image && strcmp(without_protocol(image), without_protocol(jstr(node, "file"))))
		machine_differs(b->sink, MC_BLOCK, "node %s has %s, the command line has %s", name,
				jstr(node, "file"), image);
	compare_children(b, opt_set(o), name);
}

static void compare_nodes(struct block_ctx *b)
{
	struct json_object *o;
	const char *name;
	size_t i;

	for (i = 0; i < jlen(b->now, "nodes"); i++) {
		o = jidx(b->now, "nodes", i);
		name = jstr(o, "node-name");
		compare_bitmaps(b, o);
		/* Names with a # are QEMU's own, for what a command line left without one. */
		if (*name != '#' && !names_node(b->opts, name))
			machine_differs(b->sink, MC_BLOCK, "node %s (%s) was added", name,
					jstr(o, "file"));
	}
	for (i = 0; i < json_object_array_length(b->opts); i++) {
		o = json_object_array_get_idx(b->opts, i);
		if (opt_is(o, "blockdev") && opt_set(o))
			compare_node(b, o);
	}
}

/* Drives of the command line that are gone. */
static void compare_unclaimed(struct block_ctx *b)
{
	struct json_object *o;
	size_t i;

	for (i = 0; i < json_object_array_length(b->opts); i++) {
		o = json_object_array_get_idx(b->opts, i);
		if (!b->claimed[i] && (opt_is(o, "drive") || is_plain_drive(o)) && has_medium(o))
			machine_differs(b->sink, MC_BLOCK, "no drive has %s any more", opt_arg(o));
	}
}

void machine_compare_block(struct json_object *opts, struct json_object *now,
			   const struct machine_sink *sink)
{
	struct block_ctx b = { opts, now, sink, NULL };
	struct json_object *d;
	size_t i;

	b.claimed = calloc(json_object_array_length(opts) + 1, sizeof(*b.claimed));
	if (!b.claimed) {
		machine_differs(sink, MC_BLOCK, "out of memory");
		return;
	}
	for (i = 0; i < jlen(now, "block"); i++) {
		d = jidx(now, "block", i);
		if (*jstr(d, "device"))
			compare_drive(&b, d);
		else
			compare_device(&b, d);
	}
	compare_unclaimed(&b);
	compare_nodes(&b);
	for (i = 0; i < jlen(now, "exports"); i++)
		machine_differs(sink, MC_EXPORT, "%s exports node %s",
				jstr(jidx(now, "exports", i), "id"),
				jstr(jidx(now, "exports", i), "node-name"));
	free(b.claimed);
}
