// SPDX-License-Identifier: GPL-2.0
/* khctl check: what khctl upgrade would check, and nothing more. */
#include <stdlib.h>
#include "base/out.h"
#include "preflight/preflight.h"
#include "verbs.h"

int verb_check(const void *opts)
{
	const struct khctl_opts *o = opts;
	const struct preflight_in in = {
		.kernel = o->kernel, .initrd = o->initrd, .append = o->append,
		.back_kernel = o->back_kernel, .back_initrd = o->back_initrd,
		.state = o->state, .qmp = &o->qmp, .cancel_fd = -1,
	};
	struct preflight *pf = calloc(1, sizeof(*pf));
	struct json_object *j;
	unsigned int i;
	int rc;

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
