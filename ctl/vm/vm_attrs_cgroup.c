// SPDX-License-Identifier: GPL-2.0
/* A cgroup of the second version with its limits. Version 1 is refused. */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/util.h"
#include "vm/vm_attrs.h"

/* Limits that somebody sets; the first part of the name is the controller. */
static const char * const limits[] = {
	"cpuset.cpus", "cpuset.mems", "cpu.max", "cpu.max.burst", "cpu.weight", "cpu.idle",
	"cpu.uclamp.min", "cpu.uclamp.max", "io.weight", "io.max", "io.latency",
	"memory.min", "memory.low", "memory.high", "memory.max", "memory.swap.high",
	"memory.swap.max", "memory.zswap.max", "memory.oom.group", "pids.max",
	"hugetlb.2MB.max", "hugetlb.1GB.max",
};

const char *cgroup_mount(char *buf, size_t size)
{
	FILE *f = setmntent("/proc/self/mounts", "r");
	struct mntent *m;

	*buf = '\0';
	while (f && (m = getmntent(f)))
		if (!strcmp(m->mnt_type, "cgroup2")) {
			copy_str(buf, size, m->mnt_dir);
			break;
		}
	if (f)
		endmntent(f);
	return buf;
}

static struct json_object *read_level(const char *dir, const char *name)
{
	struct json_object *o = json_object_new_object(), *values = json_object_new_object();
	char path[1024], text[4096];
	size_t i;

	json_object_object_add(o, "name", json_object_new_string(name));
	for (i = 0; i < ARRAY_SIZE(limits); i++)
		if (read_text(path_fmt(path, sizeof(path), "%s/%s", dir, limits[i]), text,
			      sizeof(text)) > 0)
			json_object_object_add(values, limits[i], json_object_new_string(text));
	json_object_object_add(o, "limits", values);
	return o;
}

struct json_object *cgroup_read(const char *mount, const char *path)
{
	struct json_object *levels;
	char dir[1024], name[256];
	const char *p, *end;

	if (!*mount)
		return NULL;
	path_fmt(dir, sizeof(dir), "%s%s", mount, path);
	if (access(dir, F_OK))
		return NULL;
	levels = json_object_new_array();
	for (p = path; *p == '/' && p[1]; p = end) {
		end = p + 1 + strcspn(p + 1, "/");
		path_fmt(name, sizeof(name), "%.*s", (int)(end - p - 1), p + 1);
		path_fmt(dir, sizeof(dir), "%s%.*s", mount, (int)(end - path), path);
		json_object_array_add(levels, read_level(dir, name));
	}
	return levels;
}

/* The controllers of these limits, switched on for what is below @dir. */
static int enable(const char *dir, struct json_object *values, struct kh_err *e)
{
	char path[1024], word[64];
	int rc;

	json_object_object_foreach(values, key, value) {
		(void)value;
		path_fmt(path, sizeof(path), "%s/cgroup.subtree_control", dir);
		path_fmt(word, sizeof(word), "+%.*s", (int)strcspn(key, "."), key);
		rc = write_text(path, word);
		if (rc)
			return err_set(e, rc, "%s: %s: %s", path, word, strerror(-rc));
	}
	return 0;
}

/* A default has no text that could be written back, such as "cpuset.cpus" without a list. */
static int set_limits(const char *dir, struct json_object *values, struct kh_err *e)
{
	char path[1024], now[4096];
	int rc;

	json_object_object_foreach(values, key, value) {
		path_fmt(path, sizeof(path), "%s/%s", dir, key);
		if (read_text(path, now, sizeof(now)) >= 0 &&
		    !strcmp(now, json_object_get_string(value)))
			continue;
		rc = write_text(path, json_object_get_string(value));
		if (rc)
			return err_set(e, rc, "%s: %s: %s", path, json_object_get_string(value),
				       strerror(-rc));
	}
	return 0;
}

int cgroup_make(const char *mount, struct json_object *levels, struct kh_err *e)
{
	struct json_object *o, *values;
	char dir[1024], above[1024];
	size_t i;
	int fd, rc;

	if (!*mount)
		return err_set(e, -ENOENT, "no cgroup file system is mounted");
	copy_str(dir, sizeof(dir), mount);
	for (i = 0; i < json_object_array_length(levels); i++) {
		o = json_object_array_get_idx(levels, i);
		values = jget(o, "limits");
		copy_str(above, sizeof(above), dir);
		if (strlen(above) + strlen(jstr(o, "name")) + 2 > sizeof(dir))
			return err_set(e, -ENAMETOOLONG, "the path of the cgroup is too long");
		path_fmt(dir + strlen(dir), sizeof(dir) - strlen(dir), "/%s", jstr(o, "name"));
		rc = enable(above, values, e);
		if (rc)
			return rc;
		if (mkdir(dir, 0755) && errno != EEXIST)
			return err_set(e, -errno, "%s: %s", dir, strerror(errno));
		rc = set_limits(dir, values, e);
		if (rc)
			return rc;
	}
	path_fmt(dir + strlen(dir), sizeof(dir) - strlen(dir), "/cgroup.procs");
	fd = open(dir, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? err_set(e, -errno, "%s: %s", dir, strerror(errno)) : fd;
}
