/* SPDX-License-Identifier: GPL-2.0 */
/* The instruments during an upgrade: attached, drained into the state area, pinned. */
#ifndef KHCTL_WATCHER_H
#define KHCTL_WATCHER_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>
#include "evidence/instr.h"
#include "evidence/state_events.h"

/**
 * struct watcher - all zero: it does nothing
 * @in: NULL when there are no instruments
 * @watch: whose devices' configuration writes are to be told from the next drain on, then NULL
 * @thread: drains while the kernel shuts down
 * @running: whether there is that thread
 * @end: tells it to stop
 */
struct watcher {
	struct instr *in;
	struct events_out out;
	const struct kh_plan *watch;
	pthread_t thread;
	bool running;
	atomic_bool end;
};

/**
 * watcher_start() - attach, and begin the section of @side
 * @boot: id of the running kernel's boot
 *
 * Configuration writes are told of the plan's devices and the bridges above them. In the
 * new kernel the section says what is attached only from the first drain on; @plan stays until then.
 * Nothing of it is fatal: what is missing stands in the section, and makes claims unknown.
 */
void watcher_start(struct watcher *w, struct state *s, enum kh_side side,
		   const struct kh_plan *plan, const char *boot);

void watcher_drain(struct watcher *w);

/**
 * watcher_wait_run() - until KVM has run a vCPU of process @pid
 * @until: TSC at which to give up
 *
 * Return: TSC of that instant, 0: it was not seen, or the program that sees it is not attached.
 */
uint64_t watcher_wait_run(struct watcher *w, pid_t pid, uint64_t until);

/** watcher_finish() - drain at the end of what counts */
void watcher_finish(struct watcher *w);

/** watcher_to_the_end() - go on draining until the CPUs are stopped. watcher_back(): that did not come. */
void watcher_to_the_end(struct watcher *w);
void watcher_back(struct watcher *w);

void watcher_stop(struct watcher *w);

#endif
