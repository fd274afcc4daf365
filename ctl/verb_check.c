// SPDX-License-Identifier: GPL-2.0
/* khctl check: what khctl upgrade would check, and nothing more. */
#include <errno.h>
#include <stdlib.h>
#include "base/out.h"
#include "preflight/preflight.h"
#include "preflight/survey.h"
#include "verbs.h"

static int survey(const struct khctl_opts *o)
{
	const struct survey_in in = { .root = o->root, .save = o->save, .guests = &o->guests };
	struct json_object *j;
	struct kh_err e = { 0 };
	struct survey s;
	int rc;

	rc = survey_run(&s, &in, &e);
	if (rc) {
		survey_end(&s);
		return out_result("check", o->json, rc == -EINVAL ? EXIT_USAGE : EXIT_FAILED, "failed", e.msg);
	}
	if (o->json) {
		j = out_new("check");
		survey_json(&s, j);
		out_json(j);
	} else {
		survey_print(&s, o->human);
	}
	survey_end(&s);
	return out_done(EXIT_DONE);
}

int verb_check(const void *opts)
{
	const struct khctl_opts *o = opts;
	const struct preflight_in in = {
		.kernel = o->kernel, .initrd = o->initrd, .append = o->append,
		.back_kernel = o->back_kernel, .back_initrd = o->back_initrd,
		.state = o->state, .qmp = &o->qmp, .leave_behind = &o->leave_behind,
		.cancel_fd = -1,
	};
	struct preflight *pf;
	struct json_object *j;
	unsigned int i;
	int rc;

	if (o->survey)
		return survey(o);
	if (o->root || o->save || o->guests.n) {
		talk("check: --root, --save and --guest belong to --survey");
		return EXIT_USAGE;
	}
	pf = calloc(1, sizeof(*pf));
	if (!pf)
		return EXIT_FAILED;
	rc = preflight_run(pf, &in) ? EXIT_REFUSED : EXIT_DONE;
	if (o->json) {
		j = out_new("check");
		preflight_json(pf, j);
		out_json(j);
	} else {
		for (i = 0; i < pf->nr_findings; i++)
			printf("%s\t%s\t%s\t%s\n", pf->finding[i].ok ? "ok" : "FAIL",
			       pf->finding[i].id, pf->finding[i].subject, pf->finding[i].found);
	}
	preflight_talk(pf);
	preflight_end(pf);
	free(pf);
	return out_done(rc);
}
