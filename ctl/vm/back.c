// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/util.h"
#include "host/image.h"
#include "host/kexec.h"
#include "state/plan.h"
#include "state/record.h"
#include "vm/back.h"
#include "vm/vm_left.h"

static int vm_unused(const struct state *s, const struct kh_plan *plan, unsigned int i,
		     const char *boot, struct kh_err *e)
{
	const char *name = plan_str(plan, plan_vm(plan, i)->name);
	struct kh_vm_record r = record_get(s, plan->run_id, i);

	if (plan_vm(plan, i)->state == KH_VM_RUNNING || r.state == KH_REC_RUNNING ||
	    r.state == KH_REC_USED)
		return err_set(e, -EBUSY, "%s has run since the pause: its saved state is used", name);
	/* A process of an earlier boot is gone. */
	if (r.state == KH_REC_STARTED && !strcmp(r.boot_id, boot) && r.pid &&
	    (!kill(r.pid, 0) || errno != ESRCH))
		return err_set(e, -EBUSY, "%s: process %u, which is to resume it, is still there", name,
			       r.pid);
	return 0;
}

/* The memory must be what it was at the pause. A devdax device that is gone is mapped by nobody. */
static int memory_unused(const struct kh_plan *plan, unsigned int i, pid_t user, struct kh_err *e)
{
	const char *name = plan_str(plan, plan_vm(plan, i)->name);

	if (user > 0)
		return err_set(e, -EBUSY, "%s: process %d maps its memory", name, user);
	if (user < 0 && user != -ENOENT)
		return err_set(e, user, "%s: who maps its memory cannot be told: %s", name,
			       strerror(-user));
	return 0;
}

int back_possible(const struct state *s, const struct kh_plan *plan, const char *boot,
		  struct kh_err *e)
{
	pid_t *user = calloc(plan->vms.count + 1, sizeof(*user));
	unsigned int i;
	int rc = 0;

	if (!user)
		return err_set(e, -ENOMEM, "out of memory");
	vm_users(plan, user);
	for (i = 0; !rc && i < plan->vms.count; i++) {
		rc = vm_unused(s, plan, i, boot, e);
		if (!rc)
			rc = memory_unused(plan, i, user[i], e);
	}
	free(user);
	return rc;
}

int back_jump(struct state *s, struct kh_plan *plan, struct kh_err *e)
{
	const char *initrd = plan_str(plan, plan->back_initrd);
	uint32_t was = s->commit.state;
	char boot[sizeof(plan->new_boot_id)], version[sizeof(plan->image_kernel)];
	struct kernel_image img;
	int rc;

	if (!plan->back_image.len)
		return err_set(e, -ENOENT, "the plan names no kernel to go back to");
	rc = image_read(plan_str(plan, plan->back_image), &img);
	if (rc)
		return err_set(e, rc, "%s: %s", plan_str(plan, plan->back_image), strerror(-rc));
	rc = kexec_load(plan_str(plan, plan->back_image), *initrd ? initrd : NULL,
			plan_str(plan, plan->back_cmdline), e);
	if (rc)
		return rc;
	/* As before the pause: the page cache of this kernel ends here. */
	sync();
	memcpy(boot, plan->new_boot_id, sizeof(boot));
	memcpy(version, plan->image_kernel, sizeof(version));
	copy_str(plan->image_kernel, sizeof(plan->image_kernel), img.version);
	memset(plan->new_boot_id, 0, sizeof(plan->new_boot_id));
	plan->back++;
	state_log(s, plan->run_id, "back", 0, "entering %.150s", plan_str(plan, plan->back_image));
	rc = state_commit(s, KH_SAVED, plan);
	if (!rc)
		rc = kexec_jump();
	/* Only reached on failure. */
	plan->back--;
	memcpy(plan->new_boot_id, boot, sizeof(boot));
	memcpy(plan->image_kernel, version, sizeof(version));
	kexec_unload();
	state_commit(s, was, plan);
	return err_set(e, rc, "cannot enter the kernel of the way back: %s", strerror(-rc));
}
