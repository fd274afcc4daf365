// SPDX-License-Identifier: GPL-2.0
/* one connection, opened once, with a byte stream that both ends can compute */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "khload.h"

/* What stands at position @pos of the stream that the listening (or the other) end sends. */
static uint8_t stream_byte(uint64_t pos, bool from_listener)
{
	uint64_t x = (pos >> 3) + (from_listener ? 0x1234567 : 0x89abcde);

	x *= 0x9e3779b97f4a7c15ULL;
	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9ULL;
	return x >> 8 * (pos & 7);
}

static bool listener;

static int tcp_accept(const struct options *opt)
{
	int one = 1, fd, conn;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)&opt->tcp, sizeof(opt->tcp)) || listen(fd, 1)) {
		close(fd);
		return -errno;
	}
	conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	close(fd);
	return conn < 0 ? -errno : conn;
}

static int tcp_connect(const struct options *opt)
{
	int fd, error;

	/* the other end may not be there yet; once it was, nothing is tried again */
	for (;;) {
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0)
			return -errno;
		if (!connect(fd, (const struct sockaddr *)&opt->tcp, sizeof(opt->tcp)))
			return fd;
		error = errno;
		close(fd);
		if (error != ECONNREFUSED && error != EHOSTUNREACH && error != ETIMEDOUT &&
		    error != ENETUNREACH)
			return -error;
		sleep_ns(NSEC_PER_SEC / 5);
	}
}

int tcp_open(const struct options *opt)
{
	int one = 1, fd;

	listener = opt->tcp_listen;
	shared->tcp.status = TCP_WAITING;
	fd = listener ? tcp_accept(opt) : tcp_connect(opt);
	if (fd < 0)
		return fd;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (fcntl(fd, F_SETFL, O_NONBLOCK))
		return -errno;
	shared->tcp.status = TCP_UP;
	return fd;
}

static void tcp_end(int error)
{
	shared->tcp.error = error;
	shared->tcp.status = TCP_DOWN;
}

void tcp_tick(int fd, const struct options *opt)
{
	struct tcp_state *s = &shared->tcp;
	static uint8_t buf[1 << 16];
	size_t len = opt->tcp_rate / 2, i;
	ssize_t n;

	if (!len)
		len = 1;
	if (len > sizeof(buf))
		len = sizeof(buf);
	for (i = 0; i < len; i++)
		buf[i] = stream_byte(s->sent + i, listener);
	n = send(fd, buf, len, MSG_NOSIGNAL);
	if (n > 0)
		s->sent += n;
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		tcp_end(errno);
}

void tcp_read(int fd)
{
	struct tcp_state *s = &shared->tcp;
	static uint8_t buf[1 << 16];
	ssize_t n, i;

	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0) {
		for (i = 0; i < n; i++)
			if (buf[i] != stream_byte(s->verified + s->bad + i, !listener))
				break;
		if (i < n)
			s->bad += n;
		else
			s->verified += n;
	}
	if (!n)
		tcp_end(ECONNRESET);
	else if (errno != EAGAIN && errno != EINTR)
		tcp_end(errno);
}
