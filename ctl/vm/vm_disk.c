// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <linux/magic.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "base/util.h"
#include "vm/vm_disk.h"
#include "vm/vm_machine.h"

/* Names that a device brings along, the best first, below its folder in sysfs. */
static const struct {
	const char *file;
	const char *kind;
} names[] = {
	{ "dm/uuid", "dm" }, { "md/uuid", "md" }, { "wwid", "wwid" }, { "device/wwid", "wwid" },
	{ "uuid", "uuid" }, { "serial", "serial" }, { "device/serial", "serial" },
	/* Persistent memory has its address. */
	{ "device/resource", "address" },
};

static bool blank(const char *s)
{
	return !s[strspn(s, " \t0")];
}

static int name_of(const char *dir, char *buf)
{
	char path[PATH_MAX], text[256];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (read_text(path_fmt(path, sizeof(path), "%s/%s", dir, names[i].file), text,
			      sizeof(text)) <= 0 || blank(text))
			continue;
		path_fmt(buf, DISK_ID_SIZE, "%s=%s", names[i].kind, text);
		return 0;
	}
	return -ENODATA;
}

int disk_block_id(const char *sys, unsigned int major, unsigned int minor, char *buf)
{
	char dir[PATH_MAX], path[PATH_MAX], part[32];
	size_t len;
	int rc;

	path_fmt(dir, sizeof(dir), "%s/dev/block/%u:%u", sys, major, minor);
	if (access(dir, F_OK))
		return -errno;
	if (read_text(path_fmt(path, sizeof(path), "%s/partition", dir), part, sizeof(part)) <= 0)
		return name_of(dir, buf);
	/* A partition: its number on the disk that it is a part of. */
	if (!realpath(dir, path))
		return -errno;
	*strrchr(path, '/') = '\0';
	rc = name_of(path, buf);
	if (rc)
		return rc;
	len = strlen(buf);
	path_fmt(buf + len, DISK_ID_SIZE - len, " part=%s", part);
	return 0;
}

int disk_find(const char *sys, const char *id, char *name)
{
	char path[PATH_MAX], text[32], its[DISK_ID_SIZE];
	unsigned int major, minor, found = 0;
	struct dirent *d;
	DIR *dir;

	dir = opendir(path_fmt(path, sizeof(path), "%s/class/block", sys));
	if (!dir)
		return -errno;
	while ((d = readdir(dir))) {
		path_fmt(path, sizeof(path), "%s/class/block/%s/dev", sys, d->d_name);
		if (d->d_name[0] == '.' || read_text(path, text, sizeof(text)) <= 0 ||
		    sscanf(text, "%u:%u", &major, &minor) != 2 ||
		    disk_block_id(sys, major, minor, its) || strcmp(its, id))
			continue;
		copy_str(name, 64, d->d_name);
		found++;
	}
	closedir(dir);
	return found == 1 ? 0 : found ? -EEXIST : -ENOENT;
}

/* "TYPE SOURCE" of the mounted file system that has this device number. */
static int mount_of(dev_t dev, char *buf)
{
	FILE *f = setmntent("/proc/self/mounts", "r");
	struct mntent *m;
	struct stat st;
	int rc = -ENODATA;

	while (f && (m = getmntent(f)))
		if (!stat(m->mnt_dir, &st) && st.st_dev == dev) {
			path_fmt(buf, DISK_ID_SIZE, "mount=%s %s", m->mnt_type, m->mnt_fsname);
			rc = 0;
			break;
		}
	if (f)
		endmntent(f);
	return rc;
}

static int file_id(const char *path, const struct stat *st, char *buf)
{
	char where[DISK_ID_SIZE];
	struct statfs fs;
	int rc = 0;

	if (statfs(path, &fs))
		return -errno;
	switch ((unsigned long)fs.f_type) {
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
		return -EXDEV;
	case EXT4_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
		/* These make it of the UUID in their super block; others of the device number. */
		path_fmt(where, sizeof(where), "fsid=%08x%08x", (unsigned int)fs.f_fsid.__val[0],
			 (unsigned int)fs.f_fsid.__val[1]);
		break;
	default:
		if (disk_block_id("/sys", major(st->st_dev), minor(st->st_dev), where))
			rc = mount_of(st->st_dev, where);
	}
	if (rc)
		return rc;
	path_fmt(buf, DISK_ID_SIZE, "inode=%llu %.400s", (unsigned long long)st->st_ino, where);
	return 0;
}

int disk_id(const char *path, char *buf)
{
	struct stat st;

	if (stat(path, &st))
		return -errno;
	if (S_ISBLK(st.st_mode))
		return disk_block_id("/sys", major(st.st_rdev), minor(st.st_rdev), buf);
	if (S_ISREG(st.st_mode))
		return file_id(path, &st, buf);
	/* /dev/null and the like are the same everywhere. */
	path_fmt(buf, DISK_ID_SIZE, "mode=%o device=%u:%u", st.st_mode & S_IFMT, major(st.st_rdev),
		 minor(st.st_rdev));
	return S_ISCHR(st.st_mode) ? 0 : -ENODATA;
}

static const char *absolute(const char *path, const char *cwd, char *buf, size_t size)
{
	return path_fmt(buf, size, "%s%s%s", *path == '/' ? "" : cwd, *path == '/' ? "" : "/", path);
}

static bool opens_path(const char *driver)
{
	return !strcmp(driver, "file") || !strcmp(driver, "host_device") ||
	       !strcmp(driver, "host_cdrom");
}

struct json_object *disks_of(struct json_object *now, const char *cwd,
			     void (*bad)(void *ctx, const char *path, int rc), void *ctx)
{
	struct json_object *disks = json_object_new_object(), *o;
	char id[DISK_ID_SIZE], path[PATH_MAX], name[64];
	const char *file;
	size_t i;
	int rc;

	for (i = 0; i < jlen(now, "nodes"); i++) {
		o = jidx(now, "nodes", i);
		file = jstr(o, "file");
		if (!opens_path(jstr(o, "drv")))
			continue;
		rc = disk_id(absolute(file, cwd, path, sizeof(path)), id);
		/* Two disks of one name cannot be told from each other later. */
		if (!rc && !has_prefix(id, "inode=") && !has_prefix(id, "mode="))
			rc = disk_find("/sys", id, name);
		if (rc && bad)
			bad(ctx, file, rc);
		if (!rc)
			json_object_object_add(disks, file, json_object_new_string(id));
	}
	return disks;
}

/* Return: 0 with the new path in @to, "" when it did not move. */
static int moved_to(const char *file, const char *id, const char *cwd, char *to, size_t size,
		    struct kh_err *e)
{
	char its[DISK_ID_SIZE] = "", path[PATH_MAX], name[64];
	int rc = disk_id(absolute(file, cwd, path, sizeof(path)), its);

	*to = '\0';
	if (!rc && !strcmp(its, id))
		return 0;
	if (has_prefix(id, "inode=") || has_prefix(id, "mode="))
		return err_set(e, rc ? rc : -ESTALE, "%s is another file now: %s, it was %s", file,
			       rc ? strerror(-rc) : its, id);
	rc = disk_find("/sys", id, name);
	if (rc)
		return err_set(e, rc, "%s is another disk now, and the right one, %s, is %s", file, id,
			       rc == -EEXIST ? "there several times" : "not there");
	path_fmt(to, size, "/dev/%s", name);
	return 0;
}

struct json_object *disks_moved(struct json_object *disks, const char *cwd, struct kh_err *e)
{
	struct json_object *moved = json_object_new_object();
	char to[128];

	if (!json_object_is_type(disks, json_type_object)) {
		err_set(e, -EINVAL, "the disks in the plan cannot be read");
		json_object_put(moved);
		return NULL;
	}
	json_object_object_foreach(disks, file, value) {
		if (moved_to(file, json_object_get_string(value), cwd, to, sizeof(to), e)) {
			json_object_put(moved);
			return NULL;
		}
		if (*to)
			json_object_object_add(moved, file, json_object_new_string(to));
	}
	return moved;
}

/* Does a value begin at @p? A relative path may look like any other value: its key has to tell. */
static bool begins_value(const char *arg, const char *p, const char *path)
{
	static const char * const keys[] = { "file=", "filename=", "filename\":\"", "filename\": \"" };
	size_t i, n;

	if (p == arg)
		return true;
	if (*path == '/')
		return strchr("=:\"", p[-1]);
	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		n = strlen(keys[i]);
		if ((size_t)(p - arg) >= n && !strncmp(p - n, keys[i], n))
			return true;
	}
	return false;
}

/* The path that begins at @p and ends where a value ends. NULL: none of them. */
static const char *path_at(const char *arg, const char *p, struct json_object *moved, size_t *len)
{
	json_object_object_foreach(moved, path, value) {
		*len = strlen(path);
		if (!strncmp(p, path, *len) && strchr(",\"", p[*len]) && begins_value(arg, p, path))
			return json_object_get_string(value);
	}
	return NULL;
}

char *disk_rename(const char *arg, struct json_object *moved)
{
	size_t room = 1, len = 0, used = 0;
	const char *p, *to;
	bool any = false;
	char *out;

	json_object_object_foreach(moved, path, value) {
		(void)path;
		room += strlen(json_object_get_string(value));
	}
	/* Each byte may begin a path. */
	out = calloc(strlen(arg) + 1, room);
	for (p = arg; out && *p; p += len) {
		to = path_at(arg, p, moved, &len);
		if (to) {
			memcpy(out + used, to, strlen(to));
			used += strlen(to);
			any = true;
		} else {
			len = 1;
			out[used++] = *p;
		}
	}
	if (any)
		return out;
	free(out);
	return NULL;
}
