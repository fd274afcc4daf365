// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/util.h"
#include "host/cmdline.h"
#include "host/rootfs.h"

/* A partition whose uevent says KEY=VALUE, without regard to case as the kernel compares UUIDs. */
static bool partition_with(const char *sys, const char *key, const char *value, size_t len)
{
	char path[PATH_MAX], *text, *line, *save;
	bool found = false;
	struct dirent *d;
	size_t n;
	DIR *dir = opendir(path_fmt(path, sizeof(path), "%s/class/block", sys));

	while (dir && !found && (d = readdir(dir))) {
		path_fmt(path, sizeof(path), "%s/class/block/%s/uevent", sys, d->d_name);
		if (d->d_name[0] == '.' || read_all(path, &text, &n))
			continue;
		for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
			found |= has_prefix(line, key) && line[strlen(key)] == '=' &&
				 strlen(line + strlen(key) + 1) == len &&
				 !strncasecmp(line + strlen(key) + 1, value, len);
		free(text);
	}
	if (dir)
		closedir(dir);
	return found;
}

static bool number_pair(const char *sys, const char *root)
{
	char path[PATH_MAX], end;
	unsigned int major, minor;

	if (sscanf(root, "%u:%u%c", &major, &minor, &end) != 2)
		return false;
	return !access(path_fmt(path, sizeof(path), "%s/dev/block/%u:%u", sys, major, minor), F_OK);
}

/* By the link that udev makes. Without the folder nobody can tell. */
static bool by_link(const char *dev, const char *folder, const char *value)
{
	char path[PATH_MAX];

	if (access(path_fmt(path, sizeof(path), "%s/disk/%s", dev, folder), F_OK))
		return true;
	return !access(path_fmt(path, sizeof(path), "%s/disk/%s/%s", dev, folder, value), F_OK);
}

static bool block_node(const char *dev, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	return !stat(path_fmt(path, sizeof(path), "%s/%s", dev, name), &st) && S_ISBLK(st.st_mode);
}

/* What of root= the kernel itself understands (early_lookup_bdev() of Linux), and what only an initrd does. */
static int check_root(const char *root, const struct rootfs_wish *w, char *found, size_t size)
{
	const char *value = strchr(root, '=');
	bool there, own = true;

	if (has_prefix(root, "PARTUUID=")) {
		there = partition_with(w->sys, "PARTUUID", value + 1, strcspn(value + 1, "/"));
	} else if (has_prefix(root, "PARTLABEL=")) {
		there = partition_with(w->sys, "PARTNAME", value + 1, strlen(value + 1));
	} else if (has_prefix(root, "UUID=")) {
		own = false;
		there = by_link(w->dev, "by-uuid", value + 1);
	} else if (has_prefix(root, "LABEL=")) {
		own = false;
		there = by_link(w->dev, "by-label", value + 1);
	} else if (!strcmp(root, "/dev/nfs") || !strcmp(root, "/dev/cifs") || !strcmp(root, "/dev/ram0")) {
		there = true;
	} else if (has_prefix(root, "/dev/")) {
		there = block_node(w->dev, root + strlen("/dev/"));
	} else if (strchr(root, ':')) {
		there = number_pair(w->sys, root) || w->has_initrd;
	} else {
		own = false;
		there = true;	/* of a kind that an initial RAM disk may know */
	}
	if (!there)
		path_fmt(found, size, "root=%s: no such device here", root);
	else if (!own && !w->has_initrd)
		path_fmt(found, size, "root=%s is understood by an initial RAM disk only, and there is none",
			 root);
	else
		return 0;
	return -EINVAL;
}

/* rootfstype= is a list; one of them has to be known. The next kernel may know more than this one. */
static int check_type(const char *cmdline, const struct rootfs_wish *w, char *found, size_t size)
{
	char types[128], list[4096], was[128] = "", *type, *save;
	char name[130];
	ssize_t n = read_text(w->filesystems, list, sizeof(list) - 1);

	if (!cmdline_get(cmdline, "rootfstype", types, sizeof(types)) || n < 0)
		return 0;
	strcpy(list + n, "\n");	/* read_text() took it away */
	if (cmdline_get(w->running, "rootfstype", was, sizeof(was)) && !strcmp(types, was))
		return 0;
	path_fmt(found, size, "rootfstype=%s: the running kernel knows no such file system", types);
	for (type = strtok_r(types, ",", &save); type; type = strtok_r(NULL, ",", &save))
		if (strstr(list, path_fmt(name, sizeof(name), "\t%s\n", type)))
			return 0;
	return -EINVAL;
}

static int check_init(const char *cmdline, bool same_root, char *found, size_t size)
{
	char init[256];

	if (!same_root || !cmdline_get(cmdline, "init", init, sizeof(init)) || !access(init, X_OK))
		return 0;
	path_fmt(found, size, "init=%s: %s", init, strerror(errno));
	return -EINVAL;
}

int rootfs_check(const char *cmdline, const struct rootfs_wish *w, char *found, size_t size)
{
	char root[256], was[256] = "";
	bool same;
	int rc;

	found[0] = '\0';
	if (!cmdline_get(cmdline, "root", root, sizeof(root))) {
		if (w->has_initrd)
			return 0;
		path_fmt(found, size, "neither root= nor an initial RAM disk with a program to start");
		return -EINVAL;
	}
	same = cmdline_get(w->running, "root", was, sizeof(was)) && !strcmp(root, was);
	rc = check_root(root, w, found, size);
	if (!rc && !w->has_initrd)
		rc = check_type(cmdline, w, found, size);
	if (!rc && !w->has_initrd)
		rc = check_init(cmdline, same, found, size);
	if (!rc)
		path_fmt(found, size, "root=%s", root);
	return rc;
}
