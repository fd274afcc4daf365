/* SPDX-License-Identifier: GPL-2.0 */
/* What became of an upgrade, from its plan. */
#ifndef KHCTL_REPORT_H
#define KHCTL_REPORT_H

#include <stdbool.h>
#include "state/state_io.h"

struct json_object;

/**
 * struct phase_time - a phase of an upgrade
 * @in_blackout: the guests stood; these add up to the blackout
 */
struct phase_time {
	const char *name;
	uint64_t ns;
	bool in_blackout;
};

#define REPORT_PHASES 9

/**
 * report_phases() - from the marks of a plan
 * @p: REPORT_PHASES of them
 * @blackout_ns: from the first guest's stop to the last guest's run
 *
 * Return: how many; fewer when the run has not come so far; @blackout_ns is 0 then.
 */
unsigned int report_phases(const struct kh_plan *plan, struct phase_time *p,
			   uint64_t *blackout_ns);

/** report_json() - the state area, its plan (may be NULL) and times into @o */
void report_json(const struct state *s, const struct kh_plan *plan, struct json_object *o);

/** report_log() - the newest lines of the log into @o */
void report_log(const struct state *s, unsigned int lines, struct json_object *o);

/** report_print() - as text on stdout */
void report_print(const struct state *s, const struct kh_plan *plan, bool human);

#endif
