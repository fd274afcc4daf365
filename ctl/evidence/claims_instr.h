/* SPDX-License-Identifier: GPL-2.0 */
/* What the programs in both kernels saw, and whether they saw all. */
#ifndef KHCTL_CLAIMS_INSTR_H
#define KHCTL_CLAIMS_INSTR_H

#include "evidence/claims.h"
#include "state/state_io.h"

/**
 * claims_instr() - add claims about the time from the first guest's stop to the last one's run
 * @section: of each side, as events_section() gives it; NULL: there is none
 * @recorded: the kernel's recorder is whole, and was on until the last guest ran
 *
 * "instruments", for each kernel: all programs were attached and nothing was
 * lost. A time between two attempts to resume, in which no program watched, does no harm if the
 * kernel's recorder went on. "untouched", for each preserved device, and "iommu-untouched": no event
 * that must not be; unknown without the instruments. Of the time between the last user process of
 * the old kernel and the first of the new one they say nothing.
 */
void claims_instr(struct claims *c, const void * const section[KH_NR_SIDES],
		  const struct kh_plan *plan, bool recorded);

#endif
