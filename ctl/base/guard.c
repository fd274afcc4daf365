// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/guard.h"
#include "base/util.h"

static _Noreturn void watch(int fd, void (*rescue)(void *ctx), void *ctx)
{
	ssize_t n;
	char word;

	setsid();
	prctl(PR_SET_NAME, "khctl-guard");
	/* If memory runs out, this process must not be ended together with its parent. */
	write_text("/proc/self/oom_score_adj", "-1000");
	do {
		n = read(fd, &word, 1);
	} while (n < 0 && errno == EINTR);
	/* guard_end() sends a byte. The kernel closes the other end of a process that was killed. */
	if (n != 1)
		rescue(ctx);
	_exit(0);
}

int guard_start(struct guard *g, void (*rescue)(void *ctx), void *ctx)
{
	int fds[2], rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return -errno;
	g->pid = fork();
	if (!g->pid) {
		close(fds[0]);
		watch(fds[1], rescue, ctx);
	}
	rc = g->pid < 0 ? -errno : 0;
	close(fds[1]);
	g->fd = fds[0];
	if (rc) {
		close(g->fd);
		g->pid = 0;
	}
	return rc;
}

void guard_end(struct guard *g)
{
	if (!g->pid)
		return;
	/* The process may have been killed. Then there is nobody to tell. */
	send(g->fd, "e", 1, MSG_NOSIGNAL);
	close(g->fd);
	while (waitpid(g->pid, NULL, 0) < 0 && errno == EINTR)
		;
	g->pid = 0;
}
