// SPDX-License-Identifier: GPL-2.0
/* numbered datagrams both ways, and the loop that also drives the connection */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "khload.h"

#define TCP_TICK_NS	(NSEC_PER_SEC / 2)

static uint8_t seen[UDP_MAX_SEQ / 8];

int parse_addr(const char *text, struct sockaddr_in *addr)
{
	char host[64];
	const char *colon = strchr(text, ':');
	char *end;
	unsigned long port;

	if (!colon || (size_t)(colon - text) >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, colon - text);
	host[colon - text] = 0;
	port = strtoul(colon + 1, &end, 10);
	if (!port || port > 65535 || *end)
		return -EINVAL;
	memset(addr, 0, sizeof(*addr));
	addr->sin_family = AF_INET;
	addr->sin_port = htons(port);
	return inet_pton(AF_INET, host, &addr->sin_addr) == 1 ? 0 : -EINVAL;
}

static int udp_open(const struct options *opt)
{
	struct sockaddr_in any = {
		.sin_family = AF_INET,
		.sin_port = opt->udp.sin_port,
	};
	int size = 4 << 20, fd;

	fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* a burst after a long pause must not be dropped here, of all places */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any))) {
		close(fd);
		return -errno;
	}
	return fd;
}

static void udp_send(int fd, const struct options *opt)
{
	struct udp_state *s = &shared->udp;
	uint64_t seq = s->sent, stamp = now_ns(CLOCK_BOOTTIME);
	struct udp_packet p = {
		.magic = htobe32(UDP_MAGIC),
		.seq = htobe64(seq),
		.stamp = htobe64(stamp),
		.check = htobe64(seq ^ stamp ^ UDP_CHECK),
	};

	/* a number is used up only by a datagram that the kernel took */
	if (sendto(fd, &p, sizeof(p), 0, (struct sockaddr *)&opt->udp, sizeof(opt->udp)) ==
	    (ssize_t)sizeof(p))
		s->sent++;
	else
		s->send_errors++;
}

static void udp_count(const struct udp_packet *p, ssize_t len)
{
	struct udp_state *s = &shared->udp;
	uint64_t seq = be64toh(p->seq);

	if (len != (ssize_t)sizeof(*p) || be32toh(p->magic) != UDP_MAGIC || seq >= UDP_MAX_SEQ ||
	    be64toh(p->check) != (seq ^ be64toh(p->stamp) ^ UDP_CHECK)) {
		s->corrupt++;
		return;
	}
	s->received++;
	if (seen[seq / 8] & 1 << seq % 8) {
		s->duplicated++;
		return;
	}
	seen[seq / 8] |= 1 << seq % 8;
	s->unique++;
	if (seq < s->next_seq)
		s->reordered++;
	else
		s->next_seq = seq + 1;
}

static void udp_receive(int fd)
{
	static uint64_t last;
	struct udp_packet p;
	ssize_t len;
	uint64_t now;

	while ((len = recv(fd, &p, sizeof(p), MSG_TRUNC)) >= 0) {
		now = now_ns(CLOCK_BOOTTIME);
		if (last)
			raise_to(&shared->udp.max_gap_ns, now - last);
		last = now;
		udp_count(&p, len);
	}
}

static int wait_ms(uint64_t until)
{
	uint64_t now = now_ns(CLOCK_MONOTONIC);

	return until > now ? (until - now) / 1000000 + 1 : 0;
}

/*
 * Datagrams wait for the connection: then the other end is known to listen,
 * and number 0 cannot be lost to nobody being there.
 */
static bool may_send(const struct options *opt)
{
	if (!opt->have_udp || shared->tx_stopped)
		return false;
	return !opt->have_tcp || shared->tcp.status >= TCP_UP;
}

static void net_loop(const struct options *opt, struct pollfd fds[2])
{
	uint64_t period = NSEC_PER_SEC / opt->rate, now = now_ns(CLOCK_MONOTONIC);
	uint64_t next_udp = now, next_tcp = now;

	for (;;) {
		poll(fds, 2, wait_ms(next_udp < next_tcp ? next_udp : next_tcp));
		if (fds[0].revents)
			udp_receive(fds[0].fd);
		if (fds[1].revents)
			tcp_read(fds[1].fd);
		if (shared->tcp.status == TCP_DOWN)
			fds[1].fd = -1;
		now = now_ns(CLOCK_MONOTONIC);
		if (now >= next_udp) {
			if (may_send(opt))
				udp_send(fds[0].fd, opt);
			/* no burst to catch up: the rate is what fits the receive ring */
			next_udp = next_udp + period > now ? next_udp + period : now + period;
		}
		if (now >= next_tcp) {
			if (fds[1].fd >= 0)
				tcp_tick(fds[1].fd, opt);
			next_tcp = now + TCP_TICK_NS;
		}
	}
}

void net_worker(const struct options *opt)
{
	struct pollfd fds[2] = { { .fd = -1, .events = POLLIN }, { .fd = -1, .events = POLLIN } };

	if (opt->have_udp) {
		fds[0].fd = udp_open(opt);
		if (fds[0].fd < 0) {
			fprintf(stderr, "khload: udp: %s\n", strerror(-fds[0].fd));
			return;
		}
	}
	if (opt->have_tcp) {
		fds[1].fd = tcp_open(opt);
		if (fds[1].fd < 0) {
			fprintf(stderr, "khload: tcp: %s\n", strerror(-fds[1].fd));
			return;
		}
	}
	net_loop(opt, fds);
}
