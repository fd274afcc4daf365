/* SPDX-License-Identifier: GPL-2.0 */
/* What evidence.c and bundle.c share. */
#ifndef KHCTL_EVIDENCE_PARTS_H
#define KHCTL_EVIDENCE_PARTS_H

#include "evidence/evidence.h"

/** evidence_new() - zeroed memory for a section. Return: NULL when out of memory. */
void *evidence_new(struct evidence *ev, enum kh_section sec, size_t size);

/**
 * evidence_index() - check the sections and take them apart
 *
 * Nothing in them is trusted: they may come from a file.
 *
 * Return: 0, also when parts are missing or damaged, which is noted; -EBADMSG
 * when host or plan are.
 */
int evidence_index(struct evidence *ev, struct kh_err *e);

#endif
