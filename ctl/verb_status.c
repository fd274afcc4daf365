// SPDX-License-Identifier: GPL-2.0
/* khctl status: the last or pending upgrade, as the state area tells it. */
#include <stdlib.h>
#include <string.h>
#include "base/out.h"
#include "evidence/report.h"
#include "evidence/report_instr.h"
#include "host/kexec.h"
#include "verbs.h"

#define LOG_LINES 64

static int fail(const struct khctl_opts *o, const char *why)
{
	struct json_object *j;

	talk("status: %s", why);
	if (o->json) {
		j = out_new("status");
		out_str(j, "state", "unknown");
		out_str(j, "error", why);
		out_json(j);
	}
	return out_done(EXIT_FAILED);
}

/* As khctl resume --argv-from reads them. */
static int print_argv(const struct khctl_opts *o, const struct kh_plan *plan)
{
	unsigned int i = plan ? plan_find_vm(plan, o->argv_of) : 0;
	const struct kh_plan_vm *vm;
	const char *p, *end;

	if (!plan || i == plan->vms.count) {
		talk("status: the last upgrade has no VM %s", o->argv_of);
		return EXIT_FAILED;
	}
	vm = plan_vm(plan, i);
	p = plan_str(plan, vm->argv);
	for (end = p + vm->argv.len; p < end; p += strlen(p) + 1)
		puts(p);
	return EXIT_DONE;
}

int verb_status(const void *opts)
{
	const struct khctl_opts *o = opts;
	struct kh_plan *plan = NULL;
	struct kh_err e = { 0 };
	struct json_object *j;
	struct state s;
	int rc = EXIT_DONE;

	if (state_open(&s, o->state, false, &e))
		return fail(o, e.msg);
	if (state_plan(&s, &plan, &e)) {
		state_close(&s);
		return fail(o, e.msg);
	}
	if (o->argv_of) {
		rc = print_argv(o, plan);
	} else if (o->json) {
		j = out_new("status");
		report_json(&s, plan, j);
		out_bool(j, "kexec_loaded", kexec_loaded());
		report_devices(j);
		report_possible(j);
		report_log(&s, LOG_LINES, j);
		out_json(j);
	} else {
		report_print(&s, plan, o->human);
		report_instr_print(&s);
	}
	free(plan);
	state_close(&s);
	return out_done(rc);
}
