// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/util.h"
#include "vm/vm_images.h"

/* The flags line of /proc/PID/fdinfo/N is octal. Unknown counts as writable. */
static bool may_write(pid_t pid, const char *fd)
{
	char path[64], text[512], *flags;
	ssize_t n;

	path_fmt(path, sizeof(path), "/proc/%d/fdinfo/%.16s", pid, fd);
	n = read_text(path, text, sizeof(text));
	flags = n > 0 ? strstr(text, "flags:") : NULL;
	return !flags || (strtoul(flags + strlen("flags:"), NULL, 8) & O_ACCMODE) != O_RDONLY;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	if (S_ISBLK(a->st_mode) || S_ISBLK(b->st_mode))
		return S_ISBLK(a->st_mode) && S_ISBLK(b->st_mode) && a->st_rdev == b->st_rdev;
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool known(const struct vm_images *im, const struct stat *st)
{
	struct stat have;
	unsigned int i;

	for (i = 0; i < im->n; i++)
		if (!fstat(im->fd[i], &have) && same_file(&have, st))
			return true;
	return false;
}

static int add(struct vm_images *im, pid_t pid, const char *name, struct kh_err *e)
{
	char path[64];
	struct stat st;
	int fd, *more;

	path_fmt(path, sizeof(path), "/proc/%d/fd/%.16s", pid, name);
	/* A descriptor that was closed meanwhile is no image any more. */
	if (stat(path, &st) || !(S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)) ||
	    !may_write(pid, name) || known(im, &st))
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	more = realloc(im->fd, (im->n + 1) * sizeof(*more));
	if (!more) {
		close(fd);
		return err_set(e, -ENOMEM, "out of memory");
	}
	im->fd = more;
	im->fd[im->n++] = fd;
	return 0;
}

int images_open(struct vm_images *im, pid_t pid, struct kh_err *e)
{
	struct dirent *d;
	char path[64];
	int rc = 0;
	DIR *dir;

	memset(im, 0, sizeof(*im));
	dir = opendir(path_fmt(path, sizeof(path), "/proc/%d/fd", pid));
	if (!dir)
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	while (!rc && (d = readdir(dir)))
		if (d->d_name[0] != '.')
			rc = add(im, pid, d->d_name, e);
	closedir(dir);
	return rc;
}

int images_sync(const struct vm_images *im, struct kh_err *e)
{
	char path[64], name[PATH_MAX];
	unsigned int i;
	ssize_t n;
	int err;

	for (i = 0; i < im->n; i++) {
		if (!fsync(im->fd[i]))
			continue;
		err = errno;
		/* Some special file systems know no sync: there is no disk behind them. */
		if (err == EINVAL || err == EROFS)
			continue;
		n = readlink(path_fmt(path, sizeof(path), "/proc/self/fd/%d", im->fd[i]), name,
			     sizeof(name) - 1);
		name[n > 0 ? n : 0] = '\0';
		return err_set(e, -err, "%s cannot be written to disk: %s", name, strerror(err));
	}
	return 0;
}

void images_close(struct vm_images *im)
{
	unsigned int i;

	for (i = 0; i < im->n; i++)
		close(im->fd[i]);
	free(im->fd);
	memset(im, 0, sizeof(*im));
}
