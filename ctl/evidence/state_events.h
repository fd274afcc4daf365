/* SPDX-License-Identifier: GPL-2.0 */
/* What the instruments saw, in the state area: one section for each side of the jump. */
#ifndef KHCTL_STATE_EVENTS_H
#define KHCTL_STATE_EVENTS_H

#include <xxhash.h>
#include "bpf/events.h"
#include "evidence/instr.h"
#include "state/state_io.h"

/**
 * struct events_out - a section that is being written
 * @s: NULL: nothing is written
 * @h: its header, as it will be written next
 * @sum: hash of the events so far
 * @missed: calls that no program saw, as far as events_finish() asked
 * @earlier: the header of the process before, when this one continues; else all zero
 */
struct events_out {
	struct state *s;
	enum kh_side side;
	struct kh_events h;
	XXH3_state_t *sum;
	uint64_t missed;
	struct kh_events earlier;
};

/**
 * events_begin() - empty the section of @side
 * @boot_id: of the running kernel
 *
 * Return: 0 or -errno.
 */
int events_begin(struct events_out *out, struct state *s, enum kh_side side, const uint8_t *run_id,
		 const char *boot_id);

/**
 * events_continue() - go on with the section that an earlier process of this boot wrote
 *
 * What that process saw stays, and the time until this process watches is noted as a gap.
 *
 * Return: 0, -ENOENT when there is none of this upgrade and boot, -errno.
 */
int events_continue(struct events_out *out, struct state *s, enum kh_side side,
		    const uint8_t *run_id, const char *boot_id);
void events_end(struct events_out *out);

/** events_put() - append one, or count it as dropped. @out: struct events_out, as instr_drain() wants it. */
void events_put(void *out, const struct kh_event *ev);

/** events_first() - TSC of the first event of @type by process @pid that was put, 0: none */
uint64_t events_first(const struct events_out *out, uint16_t type, uint32_t pid);

/** events_sync() - make what was put so far count */
void events_sync(struct events_out *out);

/**
 * events_drain() - take what @in has, and make it count
 *
 * Plain stores into the area, no system call but for the first time.
 */
void events_drain(struct events_out *out, struct instr *in);

/** events_finish() - the same at the end of what counts; asks the kernel what its programs missed */
void events_finish(struct events_out *out, struct instr *in);

/**
 * events_parse() - a section
 * @section: KH_EVENTS_ROOM bytes, aligned to 8; NULL: there is none
 * @h: its header
 * @ev: its events, in the area
 *
 * Return: 0; -ENOENT when it is empty; -EBADMSG when it is damaged; -EPROTONOSUPPORT
 * for events of another version.
 */
int events_parse(const void *section, enum kh_side side, struct kh_events *h,
		 const struct kh_event **ev, struct kh_err *e);

/** events_section() - where a section lies, KH_EVENTS_ROOM bytes */
const void *events_section(const struct state *s, enum kh_side side);

/** events_get() - the section of the state area */
int events_get(const struct state *s, enum kh_side side, struct kh_events *h,
	       const struct kh_event **ev, struct kh_err *e);

/** side_name() - "old" or "new" */
const char *side_name(enum kh_side side);

/** probe_state_name() - of an enum kh_probe_state, as in JSON */
const char *probe_state_name(uint32_t state);

#endif
