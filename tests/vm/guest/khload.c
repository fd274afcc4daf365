// SPDX-License-Identifier: GPL-2.0
/* khload: options, and one process for each kind of load */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "khload.h"

struct shared *shared;

uint64_t now_ns(int clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

void sleep_ns(uint64_t ns)
{
	struct timespec ts = { ns / NSEC_PER_SEC, ns % NSEC_PER_SEC };

	while (nanosleep(&ts, &ts) && errno == EINTR)
		;
}

void raise_to(counter *max, uint64_t value)
{
	if (value > *max)
		*max = value;
}

/* A process that does nothing but go on: it would show any stop of all others. */
void tick_worker(const struct options *opt)
{
	uint64_t last = now_ns(CLOCK_MONOTONIC), now;

	(void)opt;
	for (;;) {
		sleep_ns(20 * 1000 * 1000);
		now = now_ns(CLOCK_MONOTONIC);
		raise_to(&shared->tick_max_gap_ns, now - last);
		last = now;
		shared->ticks++;
	}
}

static const char usage_text[] =
"usage: khload run [OPTION]...     make load, for ever\n"
"       khload query ADDR:PORT COMMAND\n"
"                                  ask a running khload: report, memcheck, stop,\n"
"                                  spin (from now on),\n"
"                                  suspend (the machine, to RAM)\n"
"\n"
"  --name NAME            stands in the report\n"
"  --if NAME              interface whose link and interrupts are reported\n"
"  --udp ADDR:PORT        send numbered datagrams there, count what comes to PORT\n"
"  --rate N               datagrams per second (10)\n"
"  --tcp-listen ADDR:PORT, --tcp-connect ADDR:PORT\n"
"                         one connection with a known byte stream both ways;\n"
"                         datagrams begin when it is up\n"
"  --tcp-rate N           bytes per second (2048)\n"
"  --mem PERCENT          of the free memory gets a pattern\n"
"  --mem-loop             check it again and again, not only when asked\n"
"  --disk PATH            write and verify its first 4 MiB\n"
"  --spin PATH            when asked to, never sleep, and report the longest steps\n"
"                         of the TSC and of the clock at PATH (/dev/ptp0; - for\n"
"                         none, and begin at once when all is ready)\n"
"  --query PORT           TCP port for questions\n"
"  --serial PATH          write a report there every 2 s\n";

enum { O_NAME = 256, O_IF, O_UDP, O_RATE, O_LISTEN, O_CONNECT, O_TCP_RATE, O_MEM,
       O_MEM_LOOP, O_DISK, O_SPIN, O_QUERY, O_SERIAL };

static const struct option long_options[] = {
	{ "name", required_argument, NULL, O_NAME },
	{ "if", required_argument, NULL, O_IF },
	{ "udp", required_argument, NULL, O_UDP },
	{ "rate", required_argument, NULL, O_RATE },
	{ "tcp-listen", required_argument, NULL, O_LISTEN },
	{ "tcp-connect", required_argument, NULL, O_CONNECT },
	{ "tcp-rate", required_argument, NULL, O_TCP_RATE },
	{ "mem", required_argument, NULL, O_MEM },
	{ "mem-loop", no_argument, NULL, O_MEM_LOOP },
	{ "disk", required_argument, NULL, O_DISK },
	{ "spin", required_argument, NULL, O_SPIN },
	{ "query", required_argument, NULL, O_QUERY },
	{ "serial", required_argument, NULL, O_SERIAL },
	{ }
};

static int parse_number(const char *text, unsigned int max, unsigned int *out)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || !*text || *end || !n || n > max)
		return -EINVAL;
	*out = n;
	return 0;
}

static int parse_option(struct options *opt, int c)
{
	switch (c) {
	case O_NAME:
		opt->name = optarg;
		return 0;
	case O_IF:
		opt->iface = optarg;
		return 0;
	case O_UDP:
		opt->have_udp = true;
		return parse_addr(optarg, &opt->udp);
	case O_RATE:
		return parse_number(optarg, 1000, &opt->rate);
	case O_LISTEN:
	case O_CONNECT:
		opt->have_tcp = true;
		opt->tcp_listen = c == O_LISTEN;
		return parse_addr(optarg, &opt->tcp);
	case O_TCP_RATE:
		return parse_number(optarg, 1 << 20, &opt->tcp_rate);
	case O_MEM:
		return parse_number(optarg, 95, &opt->mem_percent);
	case O_MEM_LOOP:
		opt->mem_loop = true;
		return 0;
	case O_DISK:
		opt->disk = optarg;
		return 0;
	case O_SPIN:
		opt->spin = optarg;
		return 0;
	case O_QUERY:
		return parse_number(optarg, 65535, &opt->query_port);
	case O_SERIAL:
		opt->serial = optarg;
		return 0;
	}
	return -EINVAL;
}

static int parse_options(struct options *opt, int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (parse_option(opt, c)) {
			fprintf(stderr, "khload: bad option: %s\n", argv[optind - 1]);
			return -EINVAL;
		}
	}
	if (optind != argc) {
		fprintf(stderr, "khload: what is '%s'?\n", argv[optind]);
		return -EINVAL;
	}
	return 0;
}

static int start_worker(void (*worker)(const struct options *), const struct options *opt)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		return -errno;
	if (pid > 0)
		return 0;
	/* the workers go when the main process goes, however it ends */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent)
		worker(opt);
	_exit(1);
}

static int start_workers(const struct options *opt)
{
	const struct {
		void (*worker)(const struct options *opt);
		bool wanted;
	} workers[] = {
		{ tick_worker, true },
		{ mem_worker, opt->mem_percent },
		{ disk_worker, opt->disk },
		{ spin_worker, opt->spin },
		{ net_worker, opt->have_udp || opt->have_tcp },
		{ query_worker, opt->query_port },
		{ serial_worker, opt->serial },
	};
	unsigned int i;
	int ret;

	for (i = 0; i < ARRAY_SIZE(workers); i++) {
		ret = workers[i].wanted ? start_worker(workers[i].worker, opt) : 0;
		if (ret)
			return ret;
	}
	return 0;
}

static int run(const struct options *opt)
{
	int ret, status;
	pid_t pid;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (shared == MAP_FAILED)
		return -errno;
	signal(SIGPIPE, SIG_IGN);
	ret = start_workers(opt);
	if (ret)
		return ret;
	while ((pid = wait(&status)) > 0) {
		shared->dead++;
		fprintf(stderr, "khload: worker %d ended with status %#x\n", pid, status);
	}
	return -ECHILD;
}

int main(int argc, char **argv)
{
	struct options opt = { .name = "khload", .rate = 10, .tcp_rate = 2048 };
	int ret;

	if (argc == 4 && !strcmp(argv[1], "query"))
		return query(argv[2], argv[3]) ? 1 : 0;
	if (argc < 2 || strcmp(argv[1], "run") || parse_options(&opt, argc - 1, argv + 1)) {
		fputs(usage_text, stderr);
		return 2;
	}
	ret = run(&opt);
	fprintf(stderr, "khload: %s\n", strerror(-ret));
	return 1;
}
