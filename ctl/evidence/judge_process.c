// SPDX-License-Identifier: GPL-2.0
/* Does the process of a VM have what that of the old kernel had? */
#include <json-c/json.h>
#include <stdio.h>
#include "evidence/judge.h"
#include "state/state_io.h"
#include "vm/qmp.h"
#include "vm/vm_attrs.h"

void judge_process(struct judge *j, const struct kh_plan_vm *vm)
{
	const char *name = plan_str(j->plan, vm->name);
	struct json_object *o, *before, *after;
	char why[400];
	unsigned int n;

	/* A plan of an earlier khctl has no attributes, and makes no claim about them. */
	if (!vm->attrs.len)
		return;
	o = json_tokener_parse(plan_str(j->plan, vm->attrs));
	before = jget(o, "process");
	after = jget(o, "after");
	if (!before) {
		claims_add(j->c, "vm-process", name, UNKNOWN, "the attributes in the plan cannot be read");
	} else if (!after) {
		claims_add(j->c, "vm-process", name, UNKNOWN,
			   "what the process in the new kernel has was not read");
	} else {
		n = attrs_differ(before, after, why, sizeof(why));
		claims_add(j->c, "vm-process", name, n ? VIOLATED : HOLDS, "%s",
			   n ? why : "user, limits, scheduling, cgroup, environment and the rest as before");
	}
	json_object_put(o);
}
