// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/lock.h"

int lock_take(void)
{
	int fd, rc;

	if (mkdir("/run", 0755) && errno != EEXIST)
		return -errno;
	fd = open(LOCK_PATH, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

const char *lock_error(int rc)
{
	return rc == -EWOULDBLOCK ? "another khctl is at work" :
	       "cannot open " LOCK_PATH ": run khctl as root";
}
