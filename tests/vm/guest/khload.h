/* SPDX-License-Identifier: GPL-2.0 */
/*
 * khload: load with a memory, run at both ends of the guest's network and in
 * guests without one. Everything that it does can be checked later by
 * counting: numbered packets, a byte stream, a pattern in RAM, blocks of a
 * disk, ticks of a process.
 *
 * Each kind of load is a process of its own; they meet in one shared
 * structure, which the reporter turns into JSON.
 */
#ifndef KHLOAD_H
#define KHLOAD_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define NSEC_PER_SEC	1000000000ULL

/* A counter that one process writes and any other may read. */
typedef _Atomic uint64_t counter;

struct udp_packet {
	uint32_t magic;		/* UDP_MAGIC; all fields in network order */
	uint32_t reserved;
	uint64_t seq;		/* 0, 1, 2, ... in each direction */
	uint64_t stamp;		/* the sender's CLOCK_BOOTTIME, ns */
	uint64_t check;		/* seq ^ stamp ^ UDP_CHECK */
};

#define UDP_MAGIC	0x4b484c44u	/* "KHLD" */
#define UDP_CHECK	0x6b6578656b657865ULL
#define UDP_MAX_SEQ	(1u << 24)

struct udp_state {
	counter sent;
	counter send_errors;
	counter received;	/* datagrams, whatever their number */
	counter unique;
	counter duplicated;
	counter reordered;
	counter corrupt;
	counter next_seq;	/* highest number seen + 1 */
	counter max_gap_ns;	/* longest time without a datagram */
};

enum tcp_status { TCP_OFF, TCP_WAITING, TCP_UP, TCP_DOWN };

struct tcp_state {
	counter status;		/* enum tcp_status */
	counter error;		/* errno that ended it */
	counter sent;
	counter verified;
	counter bad;		/* bytes that were not the expected ones */
};

struct mem_state {
	counter bytes;		/* 0 until the pattern is laid down */
	counter requested;	/* passes asked for */
	counter begun;
	counter passes;		/* passes finished */
	counter errors;		/* 64-bit words that had changed */
	counter first_bad;	/* offset of the first of them */
};

struct disk_state {
	counter blocks;		/* 0 until all were written once */
	counter writes;
	counter reads;
	counter passes;		/* all blocks read and compared */
	counter errors;		/* blocks that were not as written */
	counter io_errors;
};

struct spin_state {
	counter readings;
	counter tsc_per_s, card_per_s;	/* by the kernel's clock, before the first pause */
	counter tsc_max;	/* longest step between two readings, in each clock's own units */
	counter card_max;
	counter lost_max_ns;	/* by how much a step of the card's was longer than the kernel's, at least */
	counter lost_most_ns;	/* the same step, at most */
	counter related;	/* tsc_per_s and card_per_s are known */
	counter wanted;		/* asked to begin */
};

struct shared {
	counter ticks;
	counter tick_max_gap_ns;
	counter tx_stopped;	/* asked to send no more datagrams */
	counter ready_ns;	/* CLOCK_MONOTONIC, 0: not yet */
	counter dead;		/* workers that ended, which none should */
	struct udp_state udp;
	struct tcp_state tcp;
	struct mem_state mem;
	struct disk_state disk;
	struct spin_state spin;
};

struct options {
	const char *name;
	const char *iface;
	struct sockaddr_in udp;		/* the other end; its port is bound here too */
	bool have_udp;
	unsigned int rate;		/* datagrams per second */
	struct sockaddr_in tcp;
	bool tcp_listen;
	bool have_tcp;
	unsigned int tcp_rate;		/* bytes per second */
	unsigned int mem_percent;	/* of MemAvailable */
	bool mem_loop;
	const char *disk;
	const char *spin;		/* the card's clock, or "-": only the TSC */
	unsigned int query_port;
	const char *serial;
};

/* khload.c */
extern struct shared *shared;
uint64_t now_ns(int clock);
void sleep_ns(uint64_t ns);
void raise_to(counter *max, uint64_t value);

/* workers, none of which returns */
void net_worker(const struct options *opt);
void tick_worker(const struct options *opt);
void mem_worker(const struct options *opt);
void disk_worker(const struct options *opt);
void spin_worker(const struct options *opt);
void query_worker(const struct options *opt);
void serial_worker(const struct options *opt);

/* spin.c: steps of a clock in ns, 0 if it is not known how many it takes in a second */
double spin_ns(uint64_t steps, uint64_t per_s);

/* net.c */
int parse_addr(const char *text, struct sockaddr_in *addr);

/* tcp.c */
int tcp_open(const struct options *opt);
void tcp_tick(int fd, const struct options *opt);
void tcp_read(int fd);

/* report.c */
bool all_ready(const struct options *opt);
int format_report(const struct options *opt, char *buf, size_t size, bool with_log);
int query(const char *addr, const char *command);

#endif /* KHLOAD_H */
