/* SPDX-License-Identifier: GPL-2.0 */
/* What the files that judge share. */
#ifndef KHCTL_JUDGE_H
#define KHCTL_JUDGE_H

#include "evidence/claims.h"

/**
 * struct judge - a verdict in the making
 * @from: TSC of the first stop of a guest: from here on nothing may change
 * @whole: the recorder missed nothing
 * @gap: what it missed
 */
struct judge {
	struct claims *c;
	const struct evidence *ev;
	const struct kh_plan *plan;
	uint64_t from;
	bool whole;
	char gap[200];
};

/**
 * struct grounds - what one claim rests on
 * @bad: it is violated, @text tells how
 * @unknown: it cannot be told, @text tells why
 * @event: of the violation, NULL: none
 * @text: of what was compared
 */
struct grounds {
	bool bad;
	bool unknown;
	const struct kh_event *event;
	char text[300];
};

/** conclude() - add the claim that follows; events count only if the recorder is whole */
void conclude(struct judge *j, const char *id, const char *subject, const struct grounds *f);

/** find_event() - the first one from the pause up to @until (0: all) that @match wants, else NULL */
const struct kh_event *find_event(const struct judge *j, uint64_t until,
				  bool (*match)(const struct kh_event *ev, const void *arg),
				  const void *arg);

/** in_new() - is this event of the new kernel */
bool in_new(const struct judge *j, const struct kh_event *ev);

/* The parts: of the recorder and the manifests, of the host, of the process of each VM, of each device. */
void judge_instruments(struct judge *j);
void judge_host(struct judge *j);
void judge_process(struct judge *j, const struct kh_plan_vm *vm);
void judge_device(struct judge *j, const struct kh_plan_vm *vm, unsigned int index,
		  const struct kh_plan_dev *d);
void judge_config(struct judge *j, const struct kh_plan_vm *vm, unsigned int index,
		  const struct kh_plan_dev *d);

#endif
