// SPDX-License-Identifier: GPL-2.0
#include <daxctl/libdaxctl.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "dax.h"
#include "util.h"

static int add_dev(struct dax_dev **devs, int n, struct daxctl_dev *d)
{
	struct dax_dev *bigger;

	bigger = realloc(*devs, (n + 1) * sizeof(**devs));
	if (!bigger)
		return -ENOMEM;
	*devs = bigger;
	memset(&bigger[n], 0, sizeof(*bigger));
	path_fmt(bigger[n].path, sizeof(bigger[n].path), "/dev/%s", daxctl_dev_get_devname(d));
	bigger[n].resource = daxctl_dev_get_resource(d);
	bigger[n].size = daxctl_dev_get_size(d);
	bigger[n].align = daxctl_dev_get_align(d);
	if (!bigger[n].align)
		bigger[n].align = 0x200000;
	return n + 1;
}

int dax_list(struct dax_dev **devs)
{
	struct daxctl_region *region;
	struct daxctl_ctx *ctx;
	struct daxctl_dev *d;
	int n = 0, rc;

	*devs = NULL;
	rc = daxctl_new(&ctx);
	if (rc)
		return rc;
	daxctl_region_foreach(ctx, region) {
		daxctl_dev_foreach(region, d) {
			/* Without a driver, or with kmem, nobody can map it. */
			if (!daxctl_dev_is_enabled(d) || daxctl_dev_get_memory(d))
				continue;
			rc = add_dev(devs, n, d);
			if (rc < 0)
				goto out;
			n = rc;
		}
	}
	rc = n;
out:
	if (rc < 0) {
		free(*devs);
		*devs = NULL;
	}
	daxctl_unref(ctx);
	return rc;
}

int dax_find(const char *path, struct dax_dev *dev, struct kh_err *e)
{
	struct dax_dev *devs;
	int i, n;

	n = dax_list(&devs);
	if (n < 0)
		return err_set(e, n, "cannot list devdax devices: %s", strerror(-n));
	for (i = 0; i < n; i++) {
		if (strcmp(devs[i].path, path))
			continue;
		*dev = devs[i];
		free(devs);
		return 0;
	}
	free(devs);
	return err_set(e, -ENODEV, "%s is no enabled devdax device", path);
}

/* A line of /proc/PID/maps names the device that holds the node, and its inode. */
static bool maps_node(const char *maps, const struct stat *st)
{
	unsigned int maj, min;
	unsigned long ino;
	const char *p;

	for (p = maps; p && *p; p = strchr(p, '\n'), p = p ? p + 1 : NULL) {
		if (sscanf(p, "%*x-%*x %*s %*x %x:%x %lu", &maj, &min, &ino) != 3)
			continue;
		if (ino == st->st_ino && maj == major(st->st_dev) && min == minor(st->st_dev))
			return true;
	}
	return false;
}

pid_t dax_user(const char *path, pid_t except)
{
	char name[64], *maps;
	struct dirent *de;
	struct stat st;
	pid_t found = 0;
	uint64_t pid;
	size_t len;
	DIR *dir;

	if (stat(path, &st))
		return -errno;
	dir = opendir("/proc");
	if (!dir)
		return -errno;
	while (!found && (de = readdir(dir))) {
		if (parse_u64(de->d_name, &pid) || (pid_t)pid == except ||
		    (pid_t)pid == getpid())
			continue;
		path_fmt(name, sizeof(name), "/proc/%u/maps", (unsigned int)pid);
		if (read_all(name, &maps, &len))
			continue;	/* it ended meanwhile */
		if (maps_node(maps, &st))
			found = pid;
		free(maps);
	}
	closedir(dir);
	return found;
}

int dax_map(const struct dax_dev *dev, uint64_t len, bool write, void **map, uint64_t *mapped)
{
	int fd, rc = 0;
	void *p;

	if (!len || len > dev->size)
		len = dev->size;
	len = (len + dev->align - 1) / dev->align * dev->align;
	if (len > dev->size)
		return -EINVAL;
	fd = open(dev->path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	p = mmap(NULL, len, PROT_READ | (write ? PROT_WRITE : 0), MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		rc = -errno;
	close(fd);
	if (rc)
		return rc;
	*map = p;
	*mapped = len;
	return 0;
}
