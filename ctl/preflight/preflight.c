// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/out.h"
#include "base/util.h"
#include "preflight/preflight.h"

static struct finding *add(struct preflight *pf, const char *id, const char *subject)
{
	struct finding *f;

	f = realloc(pf->finding, (pf->nr_findings + 1) * sizeof(*f));
	if (!f)
		abort();	/* nothing has been changed yet */
	pf->finding = f;
	f += pf->nr_findings++;
	memset(f, 0, sizeof(*f));
	copy_str(f->id, sizeof(f->id), id);
	copy_str(f->subject, sizeof(f->subject), subject);
	return f;
}

void check_ok(struct preflight *pf, const char *id, const char *subject, const char *fmt, ...)
{
	struct finding *f = add(pf, id, subject);
	va_list ap;

	f->ok = true;
	va_start(ap, fmt);
	vsnprintf(f->found, sizeof(f->found), fmt, ap);
	va_end(ap);
}

void check_bad(struct preflight *pf, const char *id, const char *subject, const char *wanted,
	       const char *remedy, const char *fmt, ...)
{
	struct finding *f = add(pf, id, subject);
	va_list ap;

	copy_str(f->wanted, sizeof(f->wanted), wanted);
	copy_str(f->remedy, sizeof(f->remedy), remedy);
	va_start(ap, fmt);
	vsnprintf(f->found, sizeof(f->found), fmt, ap);
	va_end(ap);
	pf->nr_bad++;
}

int preflight_run(struct preflight *pf, const struct preflight_in *in)
{
	memset(pf, 0, sizeof(*pf));
	pf->lock = -1;
	check_host(pf, in);
	check_vms(pf, in);
	if (pf->have_kram)
		check_kram_room(pf);
	if (pf->have_state)
		check_state_room(pf);
	if (in->back_kernel)
		check_back(pf, in->back_kernel, in->back_initrd);
	if (in->kernel)
		check_image(pf, in);
	check_cmdline(pf, in);
	if (in->kernel)
		check_start(pf, in);
	return pf->nr_bad ? -EINVAL : 0;
}

void preflight_end(struct preflight *pf)
{
	unsigned int i;

	for (i = 0; i < pf->nr_vms; i++)
		vm_close(&pf->vm[i]);
	free(pf->vm);
	free(pf->vm_ok);
	free(pf->left);
	pf->left = NULL;
	pf->vm = NULL;
	pf->vm_ok = NULL;
	pf->nr_vms = 0;
	if (pf->have_state)
		state_close(&pf->state);
	kram_close(&pf->kram);
	if (pf->lock >= 0)
		close(pf->lock);
	free(pf->finding);
	pf->finding = NULL;
}

void preflight_json(const struct preflight *pf, struct json_object *o)
{
	struct json_object *a, *j;
	const struct finding *f;
	unsigned int i;

	out_bool(o, "ok", !pf->nr_bad);
	a = out_array(o, "checks");
	for (i = 0; i < pf->nr_findings; i++) {
		f = &pf->finding[i];
		j = out_element(a);
		out_str(j, "id", f->id);
		out_bool(j, "ok", f->ok);
		if (f->subject[0])
			out_str(j, "subject", f->subject);
		out_str(j, "found", f->found);
		if (f->ok)
			continue;
		out_str(j, "wanted", f->wanted);
		out_str(j, "remedy", f->remedy);
	}
}

void preflight_talk(const struct preflight *pf)
{
	const struct finding *f;
	unsigned int i;

	for (i = 0; i < pf->nr_findings; i++) {
		f = &pf->finding[i];
		if (f->ok)
			continue;
		talk("%s%s%s: %s", f->id, f->subject[0] ? " " : "", f->subject, f->found);
		talk("    wanted: %s", f->wanted);
		talk("    remedy: %s", f->remedy);
	}
}
