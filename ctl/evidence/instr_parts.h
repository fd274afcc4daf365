/* SPDX-License-Identifier: GPL-2.0 */
/* Inside of the instruments: what the two ways of loading programs fill in. */
#ifndef KHCTL_INSTR_PARTS_H
#define KHCTL_INSTR_PARTS_H

#include "evidence/instr.h"
#include "bpf/maps.h"	/* types are those of instr.h */
#include "base/tsc.h"

struct bpf_link;
struct bpf_object;
struct ring_buffer;

#define BARE_MAPS_MAX 8

/**
 * struct instr - programs and what comes from them
 * @obj: all of bpf/ but resume.bpf.c, with libbpf; instr_full.c
 * @bare_map: of resume.bpf.c; instr_bare.c
 * @bare_link: the same programs, attached
 * @lost: what resume.bpf.c counts, mapped
 * @watched: functions whose configuration writes count among those that resume.bpf.c sends
 * @prog_fd: of each program that is attached, else -1
 * @ring_fd: of either way; @counts_fd, @watched_fd: the maps of bpf/common.h
 */
struct instr {
	struct bpf_object *obj;
	struct bpf_link *link[KH_MAX_PROBES];
	int bare_map[BARE_MAPS_MAX];
	unsigned int nr_bare_maps;
	int bare_link[KH_MAX_PROBES];
	unsigned int nr_bare_links;
	uint64_t *lost;
	uint32_t watched[KH_MAX_WATCHED];
	unsigned int nr_watched;
	struct kh_probe probe[KH_MAX_PROBES];
	int prog_fd[KH_MAX_PROBES];
	unsigned int nr_probes;
	int ring_fd;
	int counts_fd;
	int watched_fd;
	bool loaded;			/* there is a ring to be read */
	struct ring_buffer *ring;	/* NULL: nobody has read it yet */
	struct kh_count *counts;	/* mapped */
	bool pinned;
	struct tsc_point last;		/* of the drain before */
	uint64_t began;
	uint64_t attached;
	char error[200];
	/* While it is drained */
	struct tsc_point now;
	void (*fn)(void *ctx, const struct kh_event *ev);
	void *ctx;
};

/** full_load() - those programs that the kernel has a place for. Return: 0 or -errno. */
int full_load(struct instr *in, enum instr_use use);
/** full_attach() - each by itself; the probes tell what became of them */
void full_attach(struct instr *in);
void full_free(struct instr *in);
/** full_possible() - finds out what could be loaded. Return: 0 or -errno. */
int full_possible(struct instr *in);
/** full_warning() - what libbpf said first when it failed, "" if nothing */
const char *full_warning(void);

/**
 * bare_load() - resume.bpf.c, in few system calls and without libbpf; one that is
 * refused is noted in its probe. Return: 0 or -errno.
 */
int bare_load(struct instr *in);
void bare_attach(struct instr *in);
void bare_free(struct instr *in);

/** bare_watch() - as instr_watch(). Return: 0 or -ENOSPC. */
int bare_watch(struct instr *in, uint32_t bdf);

/**
 * bare_event() - makes an event of what a program of resume.bpf.c sent (struct kh_new)
 * @ev: its time is CLOCK_MONOTONIC
 *
 * Return: false if it is none that counts: a write to a function that is not watched.
 */
bool bare_event(const struct instr *in, const void *data, size_t size, struct kh_event *ev);

/** bare_shared() - is probe @i the program of the one before, on one more tracepoint */
bool bare_shared(const struct instr *in, unsigned int i);

/** probe_failed() - notes why a program is not attached. @err: errno */
void probe_failed(struct kh_probe *k, int err);

#endif
