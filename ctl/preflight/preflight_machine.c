// SPDX-License-Identifier: GPL-2.0
/* Is the machine still the one that its command line creates? The next kernel starts that one. */
#include <json-c/json.h>
#include "preflight/preflight.h"
#include "vm/vm_machine.h"
#include "vm/vm_opts.h"

struct machine_ctx {
	struct preflight *pf;
	const struct vm *vm;
	bool seen[MC_NR];
};

static void differs(void *p, enum machine_check check, const char *found)
{
	const struct machine_text *t = machine_text(check);
	struct machine_ctx *c = p;

	c->seen[check] = true;
	check_bad(c->pf, t->id, c->vm->qmp_path, t->wanted, t->remedy, "%s", found);
}

void check_machine(struct preflight *pf, const struct vm *vm)
{
	struct machine_ctx c = { .pf = pf, .vm = vm };
	const struct machine_sink sink = { differs, &c };
	struct json_object *opts = vm_opts_parse(vm->argv, vm->argv_len);
	unsigned int i;

	machine_compare(opts, vm->machine, &sink);
	json_object_put(opts);
	for (i = MC_FD; i < MC_NR; i++)
		if (!c.seen[i] && !(i == MC_FD && c.seen[MC_ARGS]))
			check_ok(pf, machine_text(i)->id, vm->qmp_path, "as on the command line");
}
