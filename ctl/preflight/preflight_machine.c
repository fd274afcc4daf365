// SPDX-License-Identifier: GPL-2.0
/* Is the machine still the one that its command line creates? The next kernel starts that one. */
#include <errno.h>
#include <json-c/json.h>
#include <string.h>
#include "preflight/preflight.h"
#include "vm/vm_attrs.h"
#include "vm/vm_disk.h"
#include "vm/vm_machine.h"
#include "vm/vm_opts.h"

struct machine_ctx {
	struct preflight *pf;
	const struct vm *vm;
	bool seen[MC_NR];
	bool bad_disk;
};

static void differs(void *p, enum machine_check check, const char *found)
{
	const struct machine_text *t = machine_text(check);
	struct machine_ctx *c = p;

	c->seen[check] = true;
	check_bad(c->pf, t->id, c->vm->qmp_path, t->wanted, t->remedy, "%s", found);
}

/* What of its process cannot be given to another one. */
static void check_process(struct preflight *pf, const struct vm *vm, struct json_object *opts)
{
	bool sandbox = false;
	const char *id;
	char found[300];
	unsigned int i;

	for (i = 0; i < json_object_array_length(opts); i++)
		sandbox |= opt_is(json_object_array_get_idx(opts, i), "sandbox");
	for (i = 0; (id = attrs_obstacle(vm->attrs, i, sandbox, found, sizeof(found))); i++)
		check_bad(pf, id, vm->qmp_path, "a process that khctl can start again as it is",
			  "start the VM without this property", "%s", found);
	if (!i)
		check_ok(pf, "vm-process", vm->qmp_path, "user %s, cgroup %s, CPUs %s",
			 jstr(vm->attrs, "uid"), jstr(vm->attrs, "cgroup"),
			 jstr(jget(jget(vm->attrs, "threads"), "main"), "cpus"));
}

static void bad_disk(void *p, const char *path, int rc)
{
	struct machine_ctx *c = p;

	c->bad_disk = true;
	if (rc == -EXDEV)
		check_bad(c->pf, "vm-file", c->vm->qmp_path, "images that the next kernel has",
			  "move the image to a disk", "%s lies in memory", path);
	else
		check_bad(c->pf, "vm-disk", c->vm->qmp_path, "disks with a serial number, WWID or UUID",
			  "give the disk a serial number, or use a file or a logical volume", "%s: %s", path,
			  rc == -ENODATA ? "nothing but its name tells it from other disks" :
			  rc == -EEXIST ? "another disk has the same identity" : strerror(-rc));
}

/* Names of disks may change from kernel to kernel. */
static void check_disks(struct machine_ctx *c)
{
	struct json_object *disks = disks_of(c->vm->machine, c->vm->cwd, bad_disk, c);

	if (!c->bad_disk)
		check_ok(c->pf, "vm-disk", c->vm->qmp_path, "%d images, each with an identity",
			 json_object_object_length(disks));
	json_object_put(disks);
}

void check_machine(struct preflight *pf, const struct vm *vm)
{
	struct machine_ctx c = { .pf = pf, .vm = vm };
	const struct machine_sink sink = { differs, &c };
	struct json_object *opts = vm_opts_parse(vm->argv, vm->argv_len);
	unsigned int i;

	machine_compare(opts, vm->machine, &sink);
	check_process(pf, vm, opts);
	check_disks(&c);
	json_object_put(opts);
	for (i = MC_FD; i < MC_NR; i++)
		if (!c.seen[i] && !(i == MC_FD && c.seen[MC_ARGS]))
			check_ok(pf, machine_text(i)->id, vm->qmp_path, "as on the command line");
}
