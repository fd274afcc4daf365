// SPDX-License-Identifier: GPL-2.0
#include <daxctl/libdaxctl.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "base/util.h"
#include "host/dax.h"

#define SYS_DAX "/sys/bus/dax/devices"

/*
 * libdaxctl knows what there is. It brings half a dozen other libraries along,
 * so it is loaded when it is asked; a resume, for which guests wait, knows its
 * devices by name or address and looks at sysfs alone.
 */
static struct {
	__typeof__(daxctl_new) *new;
	__typeof__(daxctl_unref) *unref;
	__typeof__(daxctl_region_get_first) *region_get_first;
	__typeof__(daxctl_region_get_next) *region_get_next;
	__typeof__(daxctl_dev_get_first) *dev_get_first;
	__typeof__(daxctl_dev_get_next) *dev_get_next;
	__typeof__(daxctl_dev_get_devname) *dev_get_devname;
} lib;

static const struct {
	const char *name;
	void *to;
} symbols[] = {
	{ "daxctl_new", &lib.new },
	{ "daxctl_unref", &lib.unref },
	{ "daxctl_region_get_first", &lib.region_get_first },
	{ "daxctl_region_get_next", &lib.region_get_next },
	{ "daxctl_dev_get_first", &lib.dev_get_first },
	{ "daxctl_dev_get_next", &lib.dev_get_next },
	{ "daxctl_dev_get_devname", &lib.dev_get_devname },
};

static int load_lib(void)
{
	void *handle, *symbol;
	size_t i;

	if (lib.new)
		return 0;
	handle = dlopen("libdaxctl.so.1", RTLD_NOW);
	if (!handle)
		return -ELIBACC;
	/* The first one last: it says that all are there. */
	for (i = ARRAY_SIZE(symbols); i--;) {
		symbol = dlsym(handle, symbols[i].name);
		if (!symbol)
			return -ELIBBAD;
		memcpy(symbols[i].to, &symbol, sizeof(symbol));
	}
	return 0;
}

static bool can_be_mapped(const char *name)
{
	char link[96], driver[PATH_MAX];
	const char *slash;
	ssize_t n;

	path_fmt(link, sizeof(link), SYS_DAX "/%s/driver", name);
	n = readlink(link, driver, sizeof(driver) - 1);
	if (n < 0)
		return false;
	driver[n] = '\0';
	/* Without a driver, or with kmem, nobody can map it. */
	slash = strrchr(driver, '/');
	return slash && !strcmp(slash, "/device_dax");
}

/* A devdax device as sysfs shows it. Return: 0 or -errno. */
static int look(const char *name, struct dax_dev *dev)
{
	const struct {
		const char *name;
		uint64_t *val;
	} attr[] = { { "resource", &dev->resource }, { "size", &dev->size }, { "align", &dev->align } };
	char path[96];
	size_t i;
	int rc;

	memset(dev, 0, sizeof(*dev));
	if (!can_be_mapped(name))
		return -ENODEV;
	path_fmt(dev->path, sizeof(dev->path), "/dev/%s", name);
	for (i = 0; i < ARRAY_SIZE(attr); i++) {
		path_fmt(path, sizeof(path), SYS_DAX "/%s/%s", name, attr[i].name);
		rc = read_u64(path, attr[i].val);
		if (rc)
			return rc;
	}
	return dev->align ? 0 : -EINVAL;
}

static int add_dev(struct dax_dev **devs, int n, struct daxctl_dev *d)
{
	struct dax_dev *bigger;
	int rc;

	bigger = realloc(*devs, (n + 1) * sizeof(**devs));
	if (!bigger)
		return -ENOMEM;
	*devs = bigger;
	rc = look(lib.dev_get_devname(d), &bigger[n]);
	return rc ? rc : n + 1;
}

int dax_list(struct dax_dev **devs)
{
	struct daxctl_region *region;
	struct daxctl_ctx *ctx;
	struct daxctl_dev *d;
	int n = 0, rc;

	*devs = NULL;
	rc = load_lib();
	if (!rc)
		rc = lib.new(&ctx);
	if (rc)
		return rc;
	for (region = lib.region_get_first(ctx); region; region = lib.region_get_next(region)) {
		for (d = lib.dev_get_first(region); d; d = lib.dev_get_next(d)) {
			rc = add_dev(devs, n, d);
			if (rc == -ENODEV)
				continue;
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
	lib.unref(ctx);
	return rc;
}

int dax_find(const char *path, struct dax_dev *dev, struct kh_err *e)
{
	int rc = -ENODEV;

	if (has_prefix(path, "/dev/") && !strchr(path + 5, '/'))
		rc = look(path + 5, dev);
	if (rc == -EACCES)
		return err_set(e, rc, "%s: %s", path, strerror(-rc));
	return rc ? err_set(e, -ENODEV, "%s is no enabled devdax device", path) : 0;
}

int dax_at(uint64_t resource, struct dax_dev *dev)
{
	int rc = -ENOENT, seen = 1;
	struct dirent *de;
	DIR *dir;

	dir = opendir(SYS_DAX);
	if (!dir)
		return -errno;
	while (seen && (de = readdir(dir))) {
		if (de->d_name[0] == '.')
			continue;
		seen = look(de->d_name, dev);
		if (seen == -EACCES)
			rc = seen;
		else if (!seen && dev->resource != resource)
			seen = 1;
	}
	closedir(dir);
	return seen ? rc : 0;
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

/* Kernel threads have no program, and map nothing. */
static bool has_program(const char *pid)
{
	char path[64], c;

	return readlink(path_fmt(path, sizeof(path), "/proc/%s/exe", pid), &c, 1) > 0 ||
	       errno != ENOENT;
}

/* @user: what is not known yet is filled in. Return: 0 or -errno. */
static int look_at_process(const char *name, const struct stat *st, unsigned int n, pid_t *user)
{
	char path[64], *maps;
	unsigned int i;
	size_t len;
	int rc;

	if (!has_program(name))
		return 0;
	rc = read_all(path_fmt(path, sizeof(path), "/proc/%s/maps", name), &maps, &len);
	if (rc)
		return rc == -ENOENT || rc == -ESRCH ? 0 : rc;	/* it ended meanwhile */
	for (i = 0; i < n; i++)
		if (!user[i] && maps_node(maps, &st[i]))
			user[i] = atoi(name);
	free(maps);
	return 0;
}

static void find_users(const struct stat *st, unsigned int n, pid_t except, pid_t *user)
{
	struct dirent *de;
	unsigned int i;
	uint64_t pid;
	int rc = 0;
	DIR *dir;

	dir = opendir("/proc");
	if (!dir)
		rc = -errno;
	while (!rc && (de = readdir(dir)))
		if (!parse_u64(de->d_name, &pid) && (pid_t)pid != except &&
		    (pid_t)pid != getpid())
			rc = look_at_process(de->d_name, st, n, user);
	if (dir)
		closedir(dir);
	/* A process that cannot be looked at may be a user of any of them. */
	for (i = 0; rc && i < n; i++)
		if (!user[i])
			user[i] = rc;
}

pid_t dax_user(const char *path, pid_t except)
{
	pid_t user = 0;
	struct stat st;

	if (stat(path, &st))
		return -errno;
	find_users(&st, 1, except, &user);
	return user;
}

void dax_users(const char * const *path, unsigned int n, pid_t *user)
{
	struct stat *st = calloc(n + 1, sizeof(*st));
	unsigned int i;

	for (i = 0; i < n; i++)
		user[i] = !st ? -ENOMEM : stat(path[i], &st[i]) ? -errno : 0;
	if (st)
		find_users(st, n, 0, user);
	free(st);
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
