// SPDX-License-Identifier: GPL-2.0
/* Each process that holds something of a VM is taken along, or left behind by name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/util.h"
#include "preflight/preflight.h"
#include "vm/vm_find.h"

static const char WANT[] = "each VM taken along, or left behind by name";

static bool is_learned(const struct preflight *pf, pid_t pid)
{
	unsigned int i;

	for (i = 0; i < pf->nr_vms; i++)
		if (pf->vm[i].pid == pid)
			return true;
	return false;
}

static bool is_left_behind(const struct preflight_in *in, pid_t pid)
{
	const struct str_list *l = in->leave_behind;
	uint64_t named;
	unsigned int i;

	for (i = 0; l && i < l->n; i++)
		if (!parse_u64(l->v[i], &named) && named == (uint64_t)pid)
			return true;
	return false;
}

static void leave_behind(struct preflight *pf, const struct proc_user *u, const char *subject)
{
	struct proc_user *more = realloc(pf->left, (pf->nr_left + 1) * sizeof(*more));

	if (!more)
		abort();	/* nothing has been changed yet */
	pf->left = more;
	more[pf->nr_left++] = *u;
	check_ok(pf, "vm-found", subject, "%s, left behind", u->what);
}

static void check_user(struct preflight *pf, const struct preflight_in *in,
		       const struct proc_user *u)
{
	char subject[64], remedy[200], path[256];
	bool named = in->qmp->n;

	path_fmt(subject, sizeof(subject), "process %d (%s)", u->pid, u->comm);
	if (is_learned(pf, u->pid))
		return;
	if (is_left_behind(in, u->pid)) {
		leave_behind(pf, u, subject);
		return;
	}
	if (!named && !vm_find_qmp(u->pid, in->cancel_fd, path, sizeof(path))) {
		check_socket(pf, in, path);
		return;
	}
	path_fmt(remedy, sizeof(remedy), "%s, or --leave-behind %d to lose it",
		 named ? "take it along with --qmp SOCKET" :
		 "give it -qmp unix:PATH,server=on,wait=off and let no other client connect", u->pid);
	check_bad(pf, "vm-found", subject, WANT, remedy, "%s%s", u->what,
		  named ? ", and is not named" : ", and answers on no QMP socket");
}

/* A name that fits nobody may be a slip that would lose another VM later. */
static void check_names(struct preflight *pf, const struct preflight_in *in)
{
	const struct str_list *l = in->leave_behind;
	unsigned int i, k;
	uint64_t pid;

	for (i = 0; l && i < l->n; i++) {
		for (k = 0; k < pf->nr_left; k++)
			if (!parse_u64(l->v[i], &pid) && pid == (uint64_t)pf->left[k].pid)
				break;
		if (k == pf->nr_left)
			check_bad(pf, "vm-found", l->v[i], "a process that holds something of a VM and is not taken along",
				  "leave the option out", "--leave-behind names no such process");
	}
}

void check_found(struct preflight *pf, const struct preflight_in *in)
{
	struct proc_user *user;
	struct kh_err e = { 0 };
	int i, n;

	n = proc_users(&user, &e);
	if (n < 0) {
		check_bad(pf, "vm-found", "", WANT,
			  "run khctl as root, in the host's own process namespace", "%s", e.msg);
		return;
	}
	for (i = 0; i < n; i++)
		check_user(pf, in, &user[i]);
	free(user);
	check_names(pf, in);
	if (in->need_vm && !pf->nr_vms)
		check_bad(pf, "vm-found", "", "a VM to take along", "use kexec or reboot", "there is none");
	else
		check_ok(pf, "vm-found", "", "%u VMs to take along, %u processes left behind",
			 pf->nr_vms, pf->nr_left);
}
