/* SPDX-License-Identifier: GPL-2.0 */
/* What an upgrade claims to have kept, and the evidence. */
#ifndef KHCTL_CLAIMS_H
#define KHCTL_CLAIMS_H

#include "../state.h"

struct json_object;

enum verdict {
	HOLDS,
	VIOLATED,
	UNKNOWN,	/* is no pass */
};

struct claim {
	char id[24];
	char subject[64];
	enum verdict verdict;
	char evidence[400];
};

#define CLAIMS_MAX 512

struct claims {
	unsigned int n;
	struct claim claim[CLAIMS_MAX];
};

/** claims_make() - compare the running kernel with @plan */
void claims_make(struct claims *c, const struct kh_plan *plan);

/** claims_add() - one more, with its evidence */
void claims_add(struct claims *c, const char *id, const char *subject, enum verdict v,
		const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/** claims_verdict() - the worst of all: VIOLATED before UNKNOWN before HOLDS */
enum verdict claims_verdict(const struct claims *c);

/** verdict_name() - "pass", "fail", "unknown" of the whole; claim_name() - of one claim */
const char *verdict_name(enum verdict v);
const char *claim_name(enum verdict v);

/** claims_json() - "verdict" and "claims" into @o */
void claims_json(const struct claims *c, struct json_object *o);

/** claims_print() - as a table on stdout */
void claims_print(const struct claims *c);

#endif
