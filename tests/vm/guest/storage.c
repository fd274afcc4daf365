// SPDX-License-Identifier: GPL-2.0
/* a pattern over most of the RAM, and blocks of a disk */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "khload.h"

#define HUGE_2M		(2UL << 20)
#define PATTERN_STEP	0x9e3779b97f4a7c15ULL
#define PATTERN_SEED	0x6b72616d6b72616dULL
#define CHUNK_WORDS	(32UL << 20 >> 3)

static uint64_t mem_available(void)
{
	unsigned long kib = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %lu", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib * 1024ULL;
}

static void protect_from_oom(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "-1000", 5) != 5)
		fprintf(stderr, "khload: oom_score_adj: %s\n", strerror(errno));
	close(fd);
}

/* Each word is its own position times an odd number: no two words are alike. */
static void pattern_fill(uint64_t *p, size_t words)
{
	uint64_t v = PATTERN_SEED;
	size_t i;

	for (i = 0; i < words; i++, v += PATTERN_STEP)
		p[i] = v;
}

static size_t pattern_check(const uint64_t *p, size_t begin, size_t end, size_t *first)
{
	uint64_t v = PATTERN_SEED + begin * PATTERN_STEP;
	size_t i, bad = 0;

	for (i = begin; i < end; i++, v += PATTERN_STEP) {
		if (p[i] == v)
			continue;
		if (!bad++)
			*first = i;
	}
	return bad;
}

static void check_pass(const uint64_t *p, size_t words, bool yield)
{
	struct mem_state *s = &shared->mem;
	size_t begin, end, bad, first = 0;
	uint64_t t;

	s->begun++;
	for (begin = 0; begin < words; begin = end) {
		end = begin + CHUNK_WORDS < words ? begin + CHUNK_WORDS : words;
		t = now_ns(CLOCK_MONOTONIC);
		bad = pattern_check(p, begin, end, &first);
		if (bad && !s->errors)
			s->first_bad = first * sizeof(*p);
		s->errors += bad;
		if (yield)
			sleep_ns(now_ns(CLOCK_MONOTONIC) - t);
	}
	s->passes++;
}

void mem_worker(const struct options *opt)
{
	size_t size = mem_available() / 100 * opt->mem_percent & ~(HUGE_2M - 1);
	uint64_t *p;

	protect_from_oom();
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		fprintf(stderr, "khload: %zu bytes: %s\n", size, strerror(errno));
		return;
	}
	madvise(p, size, MADV_HUGEPAGE);
	/* the others come first; the pattern has time */
	if (nice(10) < 0)
		fprintf(stderr, "khload: nice: %s\n", strerror(errno));
	pattern_fill(p, size / sizeof(*p));
	shared->mem.bytes = size;
	for (;;) {
		if (opt->mem_loop || shared->mem.requested > shared->mem.passes)
			check_pass(p, size / sizeof(*p), opt->mem_loop);
		else
			sleep_ns(NSEC_PER_SEC / 20);
	}
}

#define BLOCK_SIZE	4096
#define NR_BLOCKS	1024
#define READ_BLOCKS	16

static void block_fill(uint64_t *buf, uint64_t block, uint64_t version)
{
	unsigned int i;

	for (i = 0; i < BLOCK_SIZE / 8; i++)
		buf[i] = (block << 32 | version) * PATTERN_STEP + i;
}

static void disk_write(int fd, uint64_t *buf, uint64_t block, uint64_t version)
{
	block_fill(buf, block, version);
	if (pwrite(fd, buf, BLOCK_SIZE, block * BLOCK_SIZE) != BLOCK_SIZE)
		shared->disk.io_errors++;
	else
		shared->disk.writes++;
}

static void disk_verify(int fd, uint64_t *buf, uint64_t first, const uint32_t *versions)
{
	uint64_t want[BLOCK_SIZE / 8];
	unsigned int i;

	if (pread(fd, buf, READ_BLOCKS * BLOCK_SIZE, first * BLOCK_SIZE) !=
	    READ_BLOCKS * BLOCK_SIZE) {
		shared->disk.io_errors++;
		return;
	}
	for (i = 0; i < READ_BLOCKS; i++) {
		block_fill(want, first + i, versions[first + i]);
		if (memcmp(buf + i * (BLOCK_SIZE / 8), want, BLOCK_SIZE))
			shared->disk.errors++;
	}
	shared->disk.reads += READ_BLOCKS;
}

static void disk_loop(int fd, uint64_t *buf)
{
	static uint32_t versions[NR_BLOCKS];
	uint64_t block, next = 0, n = 0;

	for (block = 0; block < NR_BLOCKS; block++)
		disk_write(fd, buf, block, versions[block]);
	shared->disk.blocks = NR_BLOCKS;
	for (;;) {
		block = n++ * 389 % NR_BLOCKS;
		disk_write(fd, buf, block, ++versions[block]);
		disk_verify(fd, buf, next, versions);
		next = (next + READ_BLOCKS) % NR_BLOCKS;
		if (!next)
			shared->disk.passes++;
		sleep_ns(NSEC_PER_SEC / 20);
	}
}

void disk_worker(const struct options *opt)
{
	int fd = open(opt->disk, O_RDWR | O_DIRECT | O_CLOEXEC);
	uint64_t *buf = mmap(NULL, READ_BLOCKS * BLOCK_SIZE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (fd < 0 || buf == MAP_FAILED) {
		fprintf(stderr, "khload: %s: %s\n", opt->disk, strerror(errno));
		return;
	}
	disk_loop(fd, buf);
}
