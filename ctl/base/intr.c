// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include "base/intr.h"

static int intr_fd = -1;

int intr_init(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	/* Never read from, so it stays readable for all who wait. */
	intr_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return intr_fd < 0 ? -errno : intr_fd;
}

bool intr_pending(void)
{
	struct pollfd p = { .fd = intr_fd, .events = POLLIN };

	return intr_fd >= 0 && poll(&p, 1, 0) > 0;
}
