// SPDX-License-Identifier: GPL-2.0
/* Where the survey reads: this host, or a copy of its files. What is read goes into the archive, too. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/util.h"
#include "preflight/survey_parts.h"

int survey_src_open(struct survey_src *src, const char *root, bool archive, struct kh_err *e)
{
	memset(src, 0, sizeof(*src));
	src->copy = root;
	src->root = open(root ? root : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (src->root < 0)
		return err_set(e, -errno, "%s: %s", root, strerror(errno));
	/* A mistyped folder would look like a host that has nothing. */
	if (!survey_has(src, "sys") || !survey_has(src, "proc"))
		return err_set(e, -ENOENT, "%s: no folders sys and proc in it", root ? root : "/");
	src->archive = archive ? archive_new() : NULL;
	return archive && !src->archive ? err_set(e, -ENOMEM, "out of memory") : 0;
}

void survey_src_close(struct survey_src *src)
{
	archive_free(src->archive);
	if (src->root >= 0)
		close(src->root);
	src->archive = NULL;
	src->root = -1;
}

int survey_src_save(struct survey_src *src, const char *path, struct kh_err *e)
{
	/* A copy without these files would not say that they are missing, and lead to another result. */
	if (src->nr_unread)
		return err_set(e, -EACCES, "no copy was saved: %u files cannot be read, the first is /%s (run khctl as root)",
			       src->nr_unread, src->unread[0].path);
	return archive_write(src->archive, path, e);
}

/* A link in a copy may point anywhere: it is followed as if the copy were the root of the file system. */
static int open_at(struct survey_src *src, const char *path, int flags)
{
	struct open_how how = { .flags = flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT };
	int fd;

	if (src->copy)
		fd = syscall(SYS_openat2, src->root, path, &how, sizeof(how));
	else
		fd = openat(src->root, path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

void survey_note_unread(struct survey_src *src, const char *path, int rc)
{
	struct survey_unread *u = &src->unread[src->nr_unread];

	if (src->nr_unread++ >= SURVEY_MAX_UNREAD)
		return;
	copy_str(u->path, sizeof(u->path), path);
	u->rc = rc;
}

static ssize_t read_fd(int fd, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size) {
		n = read(fd, buf + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		len += n;
	}
	return len;
}

int survey_open(struct survey_src *src, const char *path)
{
	struct stat st;
	int fd;

	/* O_NONBLOCK: a pipe in a copy must not hold khctl up. */
	fd = open_at(src, path, O_RDONLY | O_NONBLOCK);
	if (fd >= 0 && (fstat(fd, &st) || !S_ISREG(st.st_mode))) {
		close(fd);
		fd = -EINVAL;
	}
	if (fd < 0 && fd != -ENOENT && fd != -ENOTDIR)
		survey_note_unread(src, path, fd);
	return fd;
}

ssize_t survey_read(struct survey_src *src, const char *path, void *buf, size_t size)
{
	ssize_t n;
	int fd;

	fd = survey_open(src, path);
	if (fd < 0)
		return fd;
	n = read_fd(fd, buf, size - 1);
	close(fd);
	if (n < 0)
		survey_note_unread(src, path, n);
	else
		((char *)buf)[n] = '\0';
	return n;
}

int survey_read_u64(struct survey_src *src, const char *path, bool hex, uint64_t *val)
{
	char text[64], *end;
	ssize_t n;

	n = survey_read(src, path, text, sizeof(text));
	if (n < 0)
		return n;
	archive_file(src->archive, path, text, n);
	errno = 0;
	*val = strtoull(text, &end, hex ? 16 : 10);
	return errno || end == text || (*end && *end != '\n') ? -EINVAL : 0;
}

int survey_link(struct survey_src *src, const char *path, char *buf, size_t size)
{
	char to[512], *p;
	ssize_t n;

	n = readlinkat(src->root, path, to, sizeof(to) - 1);
	if (n < 0)
		return -errno;
	to[n] = '\0';
	p = strrchr(to, '/');
	if (copy_str(buf, size, p ? p + 1 : to))
		return -ENAMETOOLONG;
	archive_link(src->archive, path, buf);
	return 0;
}

bool survey_has(struct survey_src *src, const char *path)
{
	int fd = open_at(src, path, O_PATH);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static int visible(const struct dirent *de)
{
	return de->d_name[0] != '.';
}

int survey_foreach(struct survey_src *src, const char *path, int (*fn)(void *ctx, const char *name), void *ctx)
{
	int fd = open_at(src, path, O_RDONLY | O_DIRECTORY), n, i, rc;
	struct dirent **de = NULL;

	n = fd < 0 ? fd : scandirat(fd, ".", &de, visible, alphasort);
	if (fd >= 0 && n < 0)
		n = -errno;
	if (fd >= 0)
		close(fd);
	if (n < 0) {
		if (n != -ENOENT)
			survey_note_unread(src, path, n);
		return n;
	}
	archive_folder(src->archive, path);
	for (i = 0, rc = 0; i < n; i++) {
		if (!rc)
			rc = fn(ctx, de[i]->d_name);
		free(de[i]);
	}
	free(de);
	return rc;
}
