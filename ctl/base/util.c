// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "base/util.h"

ssize_t read_text(const char *path, char *buf, size_t size)
{
	size_t len = 0;
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (len < size && (n = read(fd, buf + len, size - len)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			n = -errno;
			close(fd);
			return n;
		}
		len += n;
	}
	close(fd);
	if (len == size)
		return -EFBIG;
	while (len && buf[len - 1] == '\n')
		len--;
	buf[len] = '\0';
	return len;
}

int read_all(const char *path, char **buf, size_t *len)
{
	size_t room = 4096;
	char *p, *bigger;
	ssize_t n;
	int fd, rc = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	p = malloc(room);
	*len = 0;
	while (p) {
		n = read(fd, p + *len, room - 1 - *len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = -errno;
		if (n <= 0)
			break;
		*len += n;
		if (*len < room - 1)
			continue;
		room *= 2;
		bigger = realloc(p, room);
		if (!bigger)
			free(p);
		p = bigger;
	}
	close(fd);
	if (!p)
		return -ENOMEM;
	if (rc) {
		free(p);
		return rc;
	}
	p[*len] = '\0';
	*buf = p;
	return 0;
}

int parse_u64(const char *s, uint64_t *val)
{
	char *end;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	errno = 0;
	*val = strtoull(s, &end, 0);
	return errno || *end ? -EINVAL : 0;
}

int read_u64(const char *path, uint64_t *val)
{
	char buf[64];
	ssize_t n = read_text(path, buf, sizeof(buf));

	return n < 0 ? n : parse_u64(buf, val);
}

int write_text(const char *path, const char *text)
{
	size_t len = strlen(text);
	ssize_t n;
	int fd, rc = 0;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = write(fd, text, len);
	if (n < 0)
		rc = -errno;
	else if ((size_t)n != len)
		rc = -EIO;
	close(fd);
	return rc;
}

bool text_ends(const char *s, size_t size)
{
	return memchr(s, '\0', size);
}

int copy_str(char *dst, size_t size, const char *src)
{
	size_t len = strnlen(src, size);
	int rc = 0;

	if (len == size) {
		len = size - 1;
		rc = -ENAMETOOLONG;
	}
	memcpy(dst, src, len);
	dst[len] = '\0';
	return rc;
}

char *path_fmt(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= size)
		buf[0] = '\0';
	return buf;
}

int make_parents(const char *path)
{
	char buf[4096];
	char *p;

	if (copy_str(buf, sizeof(buf), path))
		return -ENAMETOOLONG;
	for (p = strchr(buf + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (mkdir(buf, 0755) && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return 0;
}

bool has_prefix(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

int pread_full(int fd, void *buf, size_t len, off_t off)
{
	char *p = buf;
	ssize_t n;

	while (len) {
		n = pread(fd, p, len, off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return -EIO;
		p += n;
		off += n;
		len -= n;
	}
	return 0;
}

void kernel_name(char *buf, size_t size)
{
	struct utsname u;

	if (uname(&u))
		path_fmt(buf, size, "unknown");
	else
		path_fmt(buf, size, "%s %s", u.release, u.version);
}

int boot_id(char *buf, size_t size)
{
	ssize_t n = read_text("/proc/sys/kernel/random/boot_id", buf, size);

	return n < 0 ? n : 0;
}

const char *lockdown(char *buf, size_t size)
{
	char text[80], *level = NULL;

	/* "none [integrity] confidentiality" */
	if (read_text("/sys/kernel/security/lockdown", text, sizeof(text)) > 0)
		level = strchr(text, '[');
	if (level)
		level[strcspn(level, "]")] = '\0';
	copy_str(buf, size, level && strcmp(level, "[none") ? level + 1 : "");
	return buf;
}

void small_pages(void *p, size_t size)
{
	uintptr_t page = sysconf(_SC_PAGESIZE), from = ((uintptr_t)p + page - 1) & -page;
	uintptr_t to = ((uintptr_t)p + size) & -page;

	/* A kernel without huge pages refuses, and has nothing to be told. */
	if (to > from)
		madvise((void *)from, to - from, MADV_NOHUGEPAGE);
}
