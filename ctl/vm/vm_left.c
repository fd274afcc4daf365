// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/util.h"
#include "host/dax.h"
#include "host/proc.h"
#include "vm/qmp.h"
#include "vm/vm_left.h"

#define WORD	32
/* A QEMU that has all of its device state and loads it still: how often it is asked, and how long. */
#define ASK_MS	100
#define LOAD_MS	30000
/* Longer than this takes only a QEMU that hangs, or whose socket has another client. */
#define ASK_TIMEOUT_MS	3000

void vm_users(const struct kh_plan *plan, pid_t *user)
{
	const struct kh_plan_vm *vm;
	unsigned int i, k, n = 0;
	const char **path;
	pid_t *found;

	for (i = 0; i < plan->vms.count; i++)
		n += plan_vm(plan, i)->ram.count;
	path = calloc(n + 1, sizeof(*path));
	found = calloc(n + 1, sizeof(*found));
	for (i = 0, n = 0; path && i < plan->vms.count; i++)
		for (vm = plan_vm(plan, i), k = 0; k < vm->ram.count; k++)
			path[n++] = plan_ram(plan, vm, k)->path;
	if (path && found)
		dax_users(path, n, found);
	for (i = 0, n = 0; i < plan->vms.count; i++) {
		user[i] = path && found ? 0 : -ENOMEM;
		/* A device that is not there is mapped by nobody; the resume says that it is missing. */
		for (vm = plan_vm(plan, i), k = 0; found && k < vm->ram.count; k++, n++)
			if (!user[i] && found[n] != -ENOENT)
				user[i] = found[n];
	}
	free(path);
	free(found);
}

static int ask(struct qmp *q, const char *command, char *status, struct kh_err *e)
{
	struct json_object *ret;
	int rc;

	rc = qmp_cmd(q, command, NULL, &ret, e);
	if (rc)
		return rc;
	copy_str(status, WORD, jstr(ret, "status"));
	json_object_put(ret);
	return 0;
}

int vm_ask(const char *qmp, pid_t pid, uint64_t start, char *status, size_t size, char *migration,
	   struct kh_err *e)
{
	struct qmp q = { .fd = -1, .timeout_ms = ASK_TIMEOUT_MS };
	char word[WORD] = "";
	int fd, rc;
	pid_t peer;

	status[0] = '\0';
	fd = proc_open(pid, start);
	if (fd < 0)
		return err_set(e, fd, "process %d: %s", pid,
			       fd == -ESRCH ? "it has ended" : strerror(-fd));
	rc = qmp_open(&q, qmp, -1, &peer, e);
	if (!rc && peer != pid)
		rc = err_set(e, -EPERM, "process %d answers at %s, not process %d", peer, qmp, pid);
	if (!rc)
		rc = ask(&q, "query-status", word, e);
	if (!rc && migration)
		rc = ask(&q, "query-migrate", migration, e);
	copy_str(status, size, word);
	qmp_close(&q);
	close(fd);
	return rc;
}

/* A QEMU without the whole device state has not let its guest run. It is in the way. */
static int end_unused(struct state *s, struct kh_vm_record *r, enum kh_record_state now,
		      struct kh_err *e)
{
	int fd = proc_open(r->pid, r->start), rc = fd;

	if (fd >= 0) {
		rc = proc_kill(fd);
		close(fd);
	}
	if (rc && rc != -ESRCH)
		return err_set(e, rc, "QEMU (process %d), which an earlier khctl resume started, cannot be ended: %s",
			       r->pid, strerror(-rc));
	r->state = now;
	return record_put(s, r);
}

static bool in_load(const char *migration)
{
	return !strcmp(migration, "setup") || !strcmp(migration, "active") ||
	       !strcmp(migration, "none") || !migration[0];
}

/* The device state was used, and the process is there: what does it say? */
static int ask_user(struct state *s, const struct kh_plan *plan, const struct kh_plan_vm *vm,
		    struct kh_vm_record *r, bool *runs, struct kh_err *e)
{
	const struct timespec pause = { .tv_nsec = ASK_MS * 1000000L };
	char status[WORD], migration[WORD];
	unsigned int waited;
	int rc;

	for (waited = 0;; waited += ASK_MS) {
		rc = vm_ask(plan_str(plan, vm->qmp), r->pid, r->start, status, sizeof(status),
			    migration, e);
		if (rc)
			return rc;
		if (strcmp(status, "inmigrate") || !in_load(migration) || waited >= LOAD_MS)
			break;
		nanosleep(&pause, NULL);
	}
	*runs = !strcmp(status, "running");
	if (*runs) {
		r->state = KH_REC_RUNNING;
		return record_put(s, r);
	}
	/* QEMU leaves "inmigrate" before the guest runs, and does not come back to it. */
	if (!strcmp(status, "inmigrate") && !strcmp(migration, "failed"))
		return end_unused(s, r, KH_REC_UNUSED, e);
	return err_set(e, -EBUSY, "QEMU (process %d) has its device state and says that it is %s",
		       r->pid, status);
}

int vm_left(struct state *s, const struct kh_plan *plan, const struct kh_plan_vm *vm,
	    struct kh_vm_record *r, pid_t user, bool *runs, struct kh_err *e)
{
	bool used = r->state == KH_REC_USED || r->state == KH_REC_RUNNING;
	int fd, rc = 0;

	*runs = false;
	if (user < 0)
		return err_set(e, user, "it cannot be told who maps its memory: %s", strerror(-user));
	if (user > 0 && (user != (pid_t)r->pid || r->state == KH_REC_NONE || r->state == KH_REC_UNUSED))
		return err_set(e, -EBUSY, "process %d maps its memory, and khctl did not start that process: end the process, then khctl resume",
			       user);
	if (r->state == KH_REC_STARTED)
		return end_unused(s, r, KH_REC_NONE, e);
	if (!used)
		return 0;
	fd = proc_open(r->pid, r->start);
	if (fd == -ESRCH)
		return err_set(e, -ESTALE, "its device state was used by process %d, which has ended: nothing is left to resume it from",
			       r->pid);
	if (fd < 0)
		return err_set(e, fd, "process %d: %s", r->pid, strerror(-fd));
	rc = ask_user(s, plan, vm, r, runs, e);
	close(fd);
	return rc;
}
