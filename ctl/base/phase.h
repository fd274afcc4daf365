/* SPDX-License-Identifier: GPL-2.0 */
/* Steps that can be taken back. */
#ifndef KHCTL_PHASE_H
#define KHCTL_PHASE_H

#include "base/err.h"

/**
 * struct phase - a step
 * @name: as it stands in JSON
 * @enter: takes it; 0 or -errno with a message
 * @undo: takes it back, also when @enter stopped midway; NULL: nothing to do
 */
struct phase {
	const char *name;
	int (*enter)(void *ctx, struct kh_err *e);
	int (*undo)(void *ctx, struct kh_err *e);
};

/**
 * phase_run() - take steps; when one fails, take back that one and those before it
 * @edge: called before each step, or NULL
 * @undo_err: the first thing that could not be undone
 *
 * Return: number of the step that failed, @n when none did.
 */
unsigned int phase_run(const struct phase *p, unsigned int n, void *ctx,
		       void (*edge)(void *ctx, unsigned int phase),
		       struct kh_err *e, struct kh_err *undo_err);

#endif
