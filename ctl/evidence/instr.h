/* SPDX-License-Identifier: GPL-2.0 */
/* The instruments: the BPF programs of bpf/, attached and drained. */
#ifndef KHCTL_INSTR_H
#define KHCTL_INSTR_H

#include <stdbool.h>
#include "base/err.h"
#include "bpf/events.h"
#include "format/state.h"

#define INSTR_PINS "/sys/fs/bpf/khctl"

/** enum instr_use - which programs are wanted */
enum instr_use {
	INSTR_OLD,		/* up to the jump */
	INSTR_NEW,		/* from the first user process to the running guest */
	INSTR_ALL,
};

struct instr;

/**
 * instr_start() - attach all programs that can be attached
 * @pin: links and maps appear under INSTR_PINS, for bpftool
 *
 * That some or all programs cannot be attached is no failure: instr_probes()
 * and instr_error() tell. Return: NULL when out of memory.
 */
struct instr *instr_start(enum instr_use use, bool pin);

/** instr_stop() - detach. @in may be NULL. */
void instr_stop(struct instr *in);

/** instr_unpin() - detach what a khctl that was killed left behind */
void instr_unpin(void);

/** instr_error() - why there are no programs at all, "" if there are */
const char *instr_error(const struct instr *in);

/** instr_probes() - what became of each program. Return: how many. */
unsigned int instr_probes(const struct instr *in, const struct kh_probe **probe);

/** instr_attached() - TSC since when all of them are attached, 0: none is. instr_began(): and when that began */
uint64_t instr_attached(const struct instr *in);
uint64_t instr_began(const struct instr *in);

/** instr_watch() - tell configuration writes to a function, too. Return: 0 or -errno. */
int instr_watch(struct instr *in, const char *bdf);

/**
 * instr_drain() - take what is in the ring, without a system call but for the first time
 * @fn: is given each event, its time being TSC
 *
 * A ring that cannot be read is an error of the instruments: instr_error(), instr_probes().
 *
 * Return: TSC; all that happened before it was given to @fn now or earlier.
 */
uint64_t instr_drain(struct instr *in, void (*fn)(void *ctx, const struct kh_event *ev), void *ctx);

/** instr_lost() - events that found the ring full */
uint64_t instr_lost(const struct instr *in);

/**
 * instr_missed() - calls that a program did not see, because it was interrupted by itself
 *
 * Asks the kernel, once for each program.
 */
uint64_t instr_missed(const struct instr *in);

/**
 * instr_possible() - what could be attached to the running kernel, without doing so
 * @probe: KH_MAX_PROBES; ATTACHED means: there is something to attach to
 * @e: why none can be
 *
 * Return: how many.
 */
unsigned int instr_possible(struct kh_probe *probe, struct kh_err *e);

/** instr_list() - names of programs in one @state, for a message. Return: how many. */
unsigned int instr_list(const struct kh_probe *probe, unsigned int n, enum kh_probe_state state,
			char *buf, size_t size);

#endif
