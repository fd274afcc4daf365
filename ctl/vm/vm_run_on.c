// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <string.h>
#include <time.h>
#include "base/util.h"
#include "vm/vm_run_on.h"
#include "vm/vm_save.h"

/* query-migrate's status into @status. */
static int migration_status(struct vm *vm, char *status, size_t size, struct kh_err *e)
{
	struct json_object *ret;
	int rc;

	rc = qmp_cmd(&vm->q, "query-migrate", NULL, &ret, e);
	if (rc)
		return rc;
	copy_str(status, size, jstr(ret, "status"));
	json_object_put(ret);
	return 0;
}

static bool one_of(const char *s, const char * const *list)
{
	for (; *list; list++)
		if (!strcmp(s, *list))
			return true;
	return false;
}

static void pause_ms(int ms)
{
	const struct timespec ts = { .tv_nsec = ms * 1000000L };

	nanosleep(&ts, NULL);
}

/* QEMU tells of the end of a migration in more than one step; only its status is final. */
static int wait_migration_over(struct vm *vm, struct kh_err *e)
{
	static const char * const over[] = { "", "none", "completed", "failed", "cancelled", NULL };
	char status[32];
	int i, rc;

	rc = migration_status(vm, status, sizeof(status), e);
	if (rc || one_of(status, over))
		return rc;
	rc = qmp_cmd(&vm->q, "migrate_cancel", NULL, NULL, e);
	for (i = 0; !rc && i < QMP_TIMEOUT_MS; i++) {
		rc = migration_status(vm, status, sizeof(status), e);
		if (rc || one_of(status, over))
			return rc;
		pause_ms(1);
	}
	return rc ? rc : err_set(e, -ETIMEDOUT, "migration does not end: %s", status);
}

static int wait_running(struct vm *vm, struct kh_err *e)
{
	static const char * const stopped[] = { "postmigrate", "paused", "prelaunch", NULL };
	bool asked = false;
	int i, rc;

	for (i = 0; i < QMP_TIMEOUT_MS; i++) {
		rc = vm_status(vm, e);
		if (rc || !strcmp(vm->status, "running"))
			return rc;
		/* finish-migrate passes by itself. */
		if (!asked && one_of(vm->status, stopped)) {
			rc = qmp_cmd(&vm->q, "cont", NULL, NULL, e);
			if (rc)
				return rc;
			asked = true;
			continue;
		}
		pause_ms(1);
	}
	return err_set(e, -ETIMEDOUT, "guest does not run on: %s", vm->status);
}

static int run_on(struct vm *vm, struct kh_err *e)
{
	int rc = wait_migration_over(vm, e);

	if (!rc)
		rc = wait_running(vm, e);
	if (!rc)
		rc = vm_set_mode(&vm->q, false, vm->max_bandwidth ? vm->max_bandwidth :
				 VM_BANDWIDTH, e);
	return rc ? rc : vm_suppress_vmdesc(vm, vm->suppress_vmdesc, e);
}

int vm_run_on(struct vm *vm, struct kh_err *e)
{
	struct kh_err mine = { 0 };
	pid_t pid;
	int rc;

	vm->q.on_event = NULL;
	vm->q.cancel_fd = -1;
	if (vm->q.fd >= 0 && !vm->q.broken) {
		rc = run_on(vm, &mine);
		if (!rc)
			return 0;
		if (!vm->q.broken)
			return err_set(e, rc, "%s", mine.msg);
	}
	/* The guard has the descriptor, too: a close alone would keep QEMU's only client slot taken. */
	if (vm->q.fd >= 0)
		shutdown(vm->q.fd, SHUT_RDWR);
	qmp_close(&vm->q);
	rc = qmp_open(&vm->q, vm->qmp_path, -1, &pid, e);
	if (!rc && vm->pid > 0 && pid != vm->pid)
		rc = err_set(e, -EPERM, "process %d answers at %s, not process %d", pid,
			     vm->qmp_path, vm->pid);
	return rc ? rc : run_on(vm, e);
}

struct run_job {
	pthread_t thread;
	bool started;
	struct vm *vm;
	struct kh_err e;
	int rc;
};

static void *run_thread(void *arg)
{
	struct run_job *job = arg;

	job->rc = vm_run_on(job->vm, &job->e);
	return NULL;
}

int vm_run_on_all(struct vm *vm, unsigned int n, struct kh_err *e)
{
	struct run_job *job = calloc(n ? n : 1, sizeof(*job));
	unsigned int i;
	int rc = 0;

	if (!job)
		return err_set(e, -ENOMEM, "out of memory");
	for (i = 0; i < n; i++) {
		job[i].vm = &vm[i];
		job[i].started = !pthread_create(&job[i].thread, NULL, run_thread, &job[i]);
	}
	/* Without a thread of its own a guest runs on a little later. */
	for (i = 0; i < n; i++)
		if (!job[i].started)
			run_thread(&job[i]);
	for (i = 0; i < n; i++) {
		if (job[i].started)
			pthread_join(job[i].thread, NULL);
		if (job[i].rc && !rc)
			rc = err_set(e, job[i].rc, "%s: %s",
				     vm[i].name[0] ? vm[i].name : vm[i].qmp_path, job[i].e.msg);
	}
	free(job);
	return rc;
}
