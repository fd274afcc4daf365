// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/util.h"
#include "vm/qmp.h"
#include "vm/vm_find.h"

#define MAX_SOCKETS	64
#define PROBE_MS	2000
/* include/uapi/linux/net.h: __SO_ACCEPTCON, a socket that listens */
#define LISTENS		(1 << 16)

/* "socket:[N]" for each socket that the process has open. Return: 0 or -errno. */
static int read_inodes(pid_t pid, unsigned long **inodes)
{
	unsigned long inode, *more;
	char dir[32], link[64];
	struct dirent *de;
	size_t n = 0;
	ssize_t len;
	DIR *d;

	*inodes = calloc(1, sizeof(**inodes));
	d = opendir(path_fmt(dir, sizeof(dir), "/proc/%d/fd", pid));
	if (!*inodes || !d) {
		if (d)
			closedir(d);
		return *inodes ? -errno : -ENOMEM;
	}
	while ((de = readdir(d))) {
		len = readlinkat(dirfd(d), de->d_name, link, sizeof(link) - 1);
		if (len < 0)
			continue;
		link[len] = '\0';
		if (sscanf(link, "socket:[%lu]", &inode) != 1)
			continue;
		more = realloc(*inodes, (n + 2) * sizeof(**inodes));
		if (!more)
			break;
		*inodes = more;
		more[n++] = inode;
		more[n] = 0;
	}
	closedir(d);
	return 0;
}

static bool has_inode(const unsigned long *inodes, unsigned long inode)
{
	for (; *inodes; inodes++)
		if (*inodes == inode)
			return true;
	return false;
}

int vm_listening(const char *unix_table, const unsigned long *inodes, char **path, int max,
		 char **text)
{
	unsigned long inode;
	unsigned int flags;
	char *line, *save;
	int n = 0, at;

	*text = strdup(unix_table);
	if (!*text)
		return -ENOMEM;
	for (line = strtok_r(*text, "\n", &save); line && n < max; line = strtok_r(NULL, "\n", &save)) {
		at = 0;
		if (sscanf(line, "%*x: %*x %*x %x %*x %*x %lu %n", &flags, &inode, &at) < 2 || !at)
			continue;
		/* A name that begins with @ is in no file system. */
		if (flags & LISTENS && line[at] && line[at] != '@' && has_inode(inodes, inode))
			path[n++] = line + at;
	}
	return n;
}

/* A socket can be bound to a path relative to the process's folder. */
static void make_absolute(pid_t pid, const char *name, char *path, size_t size)
{
	char link[32], cwd[1024];
	ssize_t n;

	n = readlink(path_fmt(link, sizeof(link), "/proc/%d/cwd", pid), cwd, sizeof(cwd) - 1);
	cwd[n < 0 ? 0 : n] = '\0';
	if (name[0] == '/' || n <= 0)
		copy_str(path, size, name);
	else
		path_fmt(path, size, "%s/%s", cwd, name);
}

static bool speaks_qmp(pid_t pid, const char *path, int cancel_fd)
{
	struct qmp q = { .fd = -1, .timeout_ms = PROBE_MS };
	pid_t peer = 0;
	bool good;

	good = !qmp_open(&q, path, cancel_fd, &peer, NULL) && peer == pid;
	qmp_close(&q);
	return good;
}

/* Whether the arguments name @path in an option of QMP, or in one that may be of QMP. */
static bool named_for_qmp(const char *argv, size_t len, const char *path)
{
	const char *p, *before = "";

	for (p = argv; p < argv + len; before = p, p += strlen(p) + 1)
		if (strstr(p, path) && strstr(before, "-qmp"))
			return true;
	return false;
}

static int try_all(pid_t pid, char **name, int n, int cancel_fd, char *path, size_t size)
{
	char link[32], *argv = NULL;
	size_t len = 0;
	int pass, i;

	if (read_all(path_fmt(link, sizeof(link), "/proc/%d/cmdline", pid), &argv, &len))
		len = 0;
	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < n; i++) {
			if (named_for_qmp(argv, len, name[i]) != !pass)
				continue;
			make_absolute(pid, name[i], path, size);
			if (speaks_qmp(pid, path, cancel_fd)) {
				free(argv);
				return 0;
			}
		}
	}
	free(argv);
	return -ENOENT;
}

int vm_find_qmp(pid_t pid, int cancel_fd, char *path, size_t size)
{
	char file[40], *table, *text = NULL, *name[MAX_SOCKETS];
	unsigned long *inodes;
	size_t len;
	int n, rc;

	rc = read_inodes(pid, &inodes);
	if (!rc)
		rc = read_all(path_fmt(file, sizeof(file), "/proc/%d/net/unix", pid), &table, &len);
	if (!rc) {
		n = vm_listening(table, inodes, name, MAX_SOCKETS, &text);
		rc = n < 0 ? n : try_all(pid, name, n, cancel_fd, path, size);
		free(table);
		free(text);
	}
	free(inodes);
	return rc;
}
