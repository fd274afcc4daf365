// SPDX-License-Identifier: GPL-2.0
#include "base/phase.h"

unsigned int phase_run(const struct phase *p, unsigned int n, void *ctx,
		       void (*edge)(void *ctx, unsigned int phase),
		       struct kh_err *e, struct kh_err *undo_err)
{
	unsigned int i, failed;

	for (i = 0; i < n; i++) {
		if (edge)
			edge(ctx, i);
		if (p[i].enter(ctx, e))
			break;
	}
	failed = i;
	if (failed == n)
		return n;
	for (i = failed + 1; i-- > 0;)
		if (p[i].undo)
			p[i].undo(ctx, undo_err);
	return failed;
}
