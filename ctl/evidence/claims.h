/* SPDX-License-Identifier: GPL-2.0 */
/* What an upgrade claims to have kept, and the evidence. */
#ifndef KHCTL_CLAIMS_H
#define KHCTL_CLAIMS_H

#include "evidence/evidence.h"

struct json_object;

enum verdict {
	HOLDS,
	VIOLATED,
	UNKNOWN,	/* is no pass */
};

/**
 * struct claim - one statement
 * @id: stable name
 * @subject: device or VM, "" for the host
 * @tsc: when it was violated, 0: not known
 * @kernel: in which kernel, "old", "new" or ""
 */
struct claim {
	char id[24];
	char subject[64];
	enum verdict verdict;
	uint64_t tsc;
	char kernel[4];
	char evidence[480];
};

#define CLAIMS_MAX 1024

struct claims {
	unsigned int n;
	uint64_t origin_tsc;	/* of at_ns: when the upgrade began */
	uint64_t tsc_hz;
	struct claim claim[CLAIMS_MAX];
};

/** claims_add() - one more, with its evidence. Return: it, for its time and kernel. */
struct claim *claims_add(struct claims *c, const char *id, const char *subject, enum verdict v,
			 const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/** claims_make() - judge; nothing but @ev is looked at */
void claims_make(struct claims *c, const struct evidence *ev);

/** claims_none() - no evidence at all, and why */
void claims_none(struct claims *c, const char *why);

/** claims_verdict() - the worst of all: VIOLATED before UNKNOWN before HOLDS */
enum verdict claims_verdict(const struct claims *c);

/** verdict_name() - "pass", "fail", "unknown" of the whole; claim_name() - of one claim */
const char *verdict_name(enum verdict v);
const char *claim_name(enum verdict v);

/** verdict_exit() - exit code of khctl verify */
int verdict_exit(enum verdict v);

/** claims_json() - "verdict" and "claims" into @o */
void claims_json(const struct claims *c, struct json_object *o);

/** claims_print() - as a table on stdout */
void claims_print(const struct claims *c);

#endif
