/* SPDX-License-Identifier: GPL-2.0 */
/* The instruments: what they did during the last upgrade, what they could do now. */
#ifndef KHCTL_REPORT_INSTR_H
#define KHCTL_REPORT_INSTR_H

#include "state/state_io.h"

struct json_object;

/** report_recorded() - "instruments", an array with one object for each side of the jump, into @o */
void report_recorded(const struct state *s, struct json_object *o);

/** report_possible() - "probes": which programs the running kernel has a place for, into @o */
void report_possible(struct json_object *o);

/** report_devices() - "preserved_devices": functions that the running kernel keeps, into @o */
void report_devices(struct json_object *o);

/**
 * report_bad_probes() - names what is missing or refused on stderr, one line each
 * @who: the word that the lines begin with
 */
void report_bad_probes(const char *who, const struct kh_probe *probe, unsigned int n);

/** report_instr_print() - all of it as text on stdout */
void report_instr_print(const struct state *s);

#endif
