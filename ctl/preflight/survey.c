// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>
#include "preflight/survey_parts.h"

int survey_run(struct survey *s, const struct survey_in *in, struct kh_err *e)
{
	int rc;

	memset(s, 0, sizeof(*s));
	s->src.root = -1;
	rc = survey_guests(s, in->guests, e);
	if (!rc)
		rc = survey_src_open(&s->src, in->root, in->save, e);
	if (rc)
		return rc;
	rc = survey_host(s);
	if (!rc)
		rc = survey_functions(s);
	if (!rc)
		rc = survey_units(s);
	if (!rc) {
		survey_judge(s);
		rc = survey_plan(s);
	}
	if (rc)
		return err_set(e, rc, "out of memory");
	return in->save ? survey_src_save(&s->src, in->save, e) : 0;
}

void survey_end(struct survey *s)
{
	survey_src_close(&s->src);
	dmar_free(&s->dmar);
	free(s->fn);
	free(s->unit);
	s->fn = NULL;
	s->unit = NULL;
}
