// SPDX-License-Identifier: GPL-2.0
/* khctl verify: what was kept over the last upgrade, with the evidence. */
#include <stdlib.h>
#include <string.h>
#include "base/out.h"
#include "evidence/claims.h"
#include "evidence/report.h"
#include "verbs.h"

/* Without evidence nothing is violated, and nothing is known. */
static int fail(const struct khctl_opts *o, const char *why)
{
	struct json_object *j;

	talk("verify: %s", why);
	if (o->json) {
		j = out_new("verify");
		out_str(j, "verdict", verdict_name(UNKNOWN));
		out_array(j, "claims");
		out_str(j, "error", why);
		out_json(j);
	}
	return out_done(EXIT_UNKNOWN);
}

/* @s is NULL for a bundle. */
static int judge(const struct khctl_opts *o, const struct state *s, const struct evidence *ev)
{
	struct claims *c = calloc(1, sizeof(*c));
	struct json_object *j;
	enum verdict v;

	if (!c)
		return fail(o, "out of memory");
	claims_make(c, ev);
	v = claims_verdict(c);
	if (o->json) {
		j = out_new("verify");
		if (s)
			report_json(s, ev->plan, j);
		else
			out_str(j, "bundle", o->bundle);
		claims_json(c, j);
		out_json(j);
	} else {
		claims_print(c);
	}
	free(c);
	return out_done(verdict_exit(v));
}

static int verify_bundle(const struct khctl_opts *o)
{
	struct kh_err e = { 0 };
	struct evidence ev;
	int rc;

	rc = evidence_load(&ev, o->bundle, &e) ? fail(o, e.msg) : judge(o, NULL, &ev);
	evidence_free(&ev);
	return rc;
}

static int verify(const struct khctl_opts *o, const struct state *s, const struct kh_plan *plan)
{
	struct kh_err e = { 0 };
	struct evidence ev;
	int rc, saved = 0;

	if (evidence_gather(&ev, s, plan, NULL, &e)) {
		rc = fail(o, e.msg);
	} else {
		if (o->save)
			saved = evidence_save(&ev, o->save, &e);
		rc = judge(o, s, &ev);
	}
	if (saved) {
		talk("verify: %s", e.msg);
		rc = rc == EXIT_DONE ? EXIT_UNKNOWN : rc;
	}
	evidence_free(&ev);
	return rc;
}

static int verify_host(const struct khctl_opts *o)
{
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

int verb_verify(const void *opts)
{
	const struct khctl_opts *o = opts;

	if (!o->bundle)
		return verify_host(o);
	if (o->save || o->state) {
		talk("verify: --bundle goes with neither --save nor --state");
		return EXIT_USAGE;
	}
	return verify_bundle(o);
}
