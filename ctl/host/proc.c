// SPDX-License-Identifier: GPL-2.0
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/util.h"
#include "host/proc.h"

#define KILL_MS 10000

int proc_start(pid_t pid, uint64_t *start)
{
	char path[48], buf[1024], *p;
	unsigned int field;
	ssize_t n;

	n = read_text(path_fmt(path, sizeof(path), "/proc/%d/stat", pid), buf, sizeof(buf));
	if (n < 0)
		return n == -ENOENT ? -ESRCH : n;
	/* The second field is a name in brackets, which may hold anything. */
	p = strrchr(buf, ')');
	for (field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (!p || sscanf(p, " %lu", start) != 1)
		return -EPROTO;
	return 0;
}

int proc_open(pid_t pid, uint64_t start)
{
	uint64_t now;
	int fd, rc;

	if (pid <= 0)
		return -ESRCH;
	fd = syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		return -errno;
	/* The pidfd holds the process, so its start time is read after that. */
	rc = proc_start(pid, &now);
	if (!rc && (now != start || proc_gone(fd, 0)))
		rc = -ESRCH;
	if (rc) {
		close(fd);
		return rc;
	}
	return fd;
}

int proc_gone(int pidfd, int ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, ms) > 0;
}

int proc_kill(int pidfd)
{
	if (syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) && errno != ESRCH)
		return -errno;
	return proc_gone(pidfd, KILL_MS) ? 0 : -ETIMEDOUT;
}

/* A process that ended while it was looked at holds nothing. */
static int unless_gone(int rc)
{
	return rc == -ENOENT || rc == -ESRCH ? 0 : rc;
}

static unsigned int held_by_name(const char *link)
{
	if (!strcmp(link, "anon_inode:kvm-vm"))
		return PROC_KVM;
	if (has_prefix(link, "/dev/vfio/") || !strcmp(link, "anon_inode:[vfio-device]"))
		return PROC_VFIO;
	return 0;
}

static int look_at_fds(pid_t pid, unsigned int *holds)
{
	char path[32], link[128];
	struct dirent *de;
	ssize_t n;
	DIR *dir;
	int rc = 0;

	dir = opendir(path_fmt(path, sizeof(path), "/proc/%d/fd", pid));
	if (!dir)
		return unless_gone(-errno);
	while (!rc && (de = readdir(dir))) {
		if (de->d_name[0] == '.')
			continue;
		n = readlinkat(dirfd(dir), de->d_name, link, sizeof(link) - 1);
		if (n < 0) {
			rc = unless_gone(-errno);
			continue;
		}
		link[n] = '\0';
		*holds |= held_by_name(link);
	}
	closedir(dir);
	return rc;
}

static int look_at_maps(pid_t pid, unsigned int *holds)
{
	char path[32], *maps;
	size_t len;
	int rc;

	rc = read_all(path_fmt(path, sizeof(path), "/proc/%d/maps", pid), &maps, &len);
	if (rc)
		return unless_gone(rc);
	if (strstr(maps, " /dev/dax"))
		*holds |= PROC_DAX;
	free(maps);
	return 0;
}

static void describe(struct proc_user *u)
{
	static const struct {
		unsigned int holds;
		const char *text;
	} what[] = { { PROC_KVM, "has a VM of KVM" }, { PROC_VFIO, "holds a VFIO device" },
		     { PROC_DAX, "maps a devdax device" } };
	char path[32];
	size_t i, len = 0;

	if (read_text(path_fmt(path, sizeof(path), "/proc/%d/comm", u->pid), u->comm,
		      sizeof(u->comm)) < 0)
		copy_str(u->comm, sizeof(u->comm), "?");
	for (i = 0; i < ARRAY_SIZE(what); i++)
		if (u->holds & what[i].holds && len < sizeof(u->what))
			len += snprintf(u->what + len, sizeof(u->what) - len, "%s%s",
					len ? ", " : "", what[i].text);
}

/* Kernel threads have no program, and hold nothing. */
static bool has_program(pid_t pid)
{
	char path[32], c;

	return readlink(path_fmt(path, sizeof(path), "/proc/%d/exe", pid), &c, 1) > 0 ||
	       errno != ENOENT;
}

static int look_at(pid_t pid, struct proc_user *u)
{
	int rc;

	memset(u, 0, sizeof(*u));
	u->pid = pid;
	if (!has_program(pid))
		return 0;
	rc = look_at_fds(pid, &u->holds);
	if (!rc)
		rc = look_at_maps(pid, &u->holds);
	if (!rc && u->holds)
		describe(u);
	return rc;
}

int proc_users(struct proc_user **users, struct kh_err *e)
{
	struct proc_user u, *more;
	struct dirent *de;
	uint64_t pid;
	int n = 0, rc = 0;
	DIR *dir;

	*users = NULL;
	dir = opendir("/proc");
	if (!dir)
		return err_set(e, -errno, "/proc: %s", strerror(errno));
	while (!rc && (de = readdir(dir))) {
		if (parse_u64(de->d_name, &pid) || (pid_t)pid == getpid())
			continue;
		rc = look_at(pid, &u);
		if (rc) {
			err_set(e, rc, "process %d cannot be looked at: %s", (pid_t)pid, strerror(-rc));
		} else if (u.holds) {
			more = realloc(*users, (n + 1) * sizeof(u));
			if (!more) {
				rc = err_set(e, -ENOMEM, "out of memory");
				continue;
			}
			*users = more;
			more[n++] = u;
		}
	}
	closedir(dir);
	if (rc) {
		free(*users);
		*users = NULL;
	}
	return rc ? rc : n;
}
