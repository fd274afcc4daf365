// SPDX-License-Identifier: GPL-2.0
/* khctl verify: what was kept over the last upgrade, with the evidence. */
#include <stdlib.h>
#include <string.h>
#include "lib/claims.h"
#include "lib/claims_instr.h"
#include "lib/out.h"
#include "lib/report.h"
#include "verbs.h"

static int fail(const struct khctl_opts *o, const char *why)
{
	struct json_object *j;

	talk("verify: %s", why);
	if (o->json) {
		j = out_new("verify");
		out_str(j, "verdict", verdict_name(UNKNOWN));
		out_str(j, "error", why);
		out_json(j);
	}
	return out_done(EXIT_FAILED);
}

static int verify(const struct khctl_opts *o, const struct state *s, const struct kh_plan *plan)
{
	struct claims *c = calloc(1, sizeof(*c));
	struct json_object *j;
	enum verdict v;

	if (!c)
		return fail(o, "out of memory");
	claims_make(c, plan);
	claims_instr(c, s, plan);
	v = claims_verdict(c);
	if (o->json) {
		j = out_new("verify");
		report_json(s, plan, j);
		claims_json(c, j);
		out_json(j);
	} else {
		claims_print(c);
	}
	free(c);
	return out_done(v == HOLDS ? EXIT_DONE : EXIT_FAILED);
}

int verb_verify(const void *opts)
{
	const struct khctl_opts *o = opts;
	struct kh_plan *plan = NULL;
	struct kh_err e = { 0 };
	struct state s;
	int rc;

	if (state_open(&s, o->state, false, &e))
		return fail(o, e.msg);
	if (state_plan(&s, &plan, &e))
		rc = fail(o, e.msg);
	else if (!plan)
		rc = fail(o, "there was no upgrade");
	else
		rc = verify(o, &s, plan);
	free(plan);
	state_close(&s);
	return rc;
}
