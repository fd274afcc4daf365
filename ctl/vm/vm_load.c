// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/tsc.h"
#include "base/util.h"
#include "host/dax.h"
#include "host/pci.h"
#include "host/proc.h"
#include "state/state_io.h"
#include "vm/qmp.h"
#include "vm/spawn.h"
#include "vm/vm_left.h"
#include "vm/vm_attrs.h"
#include "vm/vm_load.h"
#include "vm/vm_save.h"

/* From the start of QEMU to its greeting: it maps all guest RAM for DMA before that. */
#define START_MS	120000
#define LOAD_IDLE_MS	30000
#define END_MS		2000

static uint64_t event_tsc(const struct vm_load *l, struct json_object *event)
{
	struct json_object *t = jget(event, "timestamp");

	return tsc_of_realtime(jint(t, "seconds") * 1000000 + jint(t, "microseconds"), l->tsc_hz,
			       l->sent_tsc);
}

static int note(struct vm_load *l, enum kh_record_state state, struct kh_err *e)
{
	int rc;

	l->record.state = state;
	rc = record_put(l->state, &l->record);
	return rc ? err_set(e, rc, "cannot write its record: %s", strerror(-rc)) : 0;
}

/* The process that becomes QEMU exists, and waits. */
static int note_started(void *ctx, pid_t pid)
{
	struct vm_load *l = ctx;
	int rc;

	l->record.pid = pid;
	rc = proc_start(pid, &l->record.start);
	if (rc)
		return rc;
	l->vm->new_pid = pid;
	l->vm->new_start = l->record.start;
	return note(l, KH_REC_STARTED, NULL);
}

static void load_event(void *ctx, const char *name, struct json_object *event)
{
	struct vm_load *l = ctx;
	const char *status;

	if (!strcmp(name, "RESUME"))
		l->resume_tsc = event_tsc(l, event);
	if (strcmp(name, "MIGRATION"))
		return;
	status = jstr(jget(event, "data"), "status");
	/* The vCPUs are started between RESUME and this. */
	if (!strcmp(status, "completed"))
		l->completed_tsc = event_tsc(l, event);
	if (!strcmp(status, "failed"))
		l->failed = true;
}

/* The memory must be the same pages, whatever the kernel calls them now. */
static int check_ram(const struct kh_plan *plan, const struct kh_plan_vm *vm, struct kh_err *e)
{
	const struct kh_plan_ram *r;
	struct dax_dev dev;
	unsigned int i;
	int rc;

	for (i = 0; i < vm->ram.count; i++) {
		r = plan_ram(plan, vm, i);
		rc = dax_find(r->path, &dev, e);
		if (rc)
			return rc;
		if (dev.resource != r->resource || dev.size != r->dax_size)
			return err_set(e, -ESTALE, "%s lies at %#llx with %llu bytes, was at %#llx with %llu",
				       r->path, (unsigned long long)dev.resource,
				       (unsigned long long)dev.size,
				       (unsigned long long)r->resource,
				       (unsigned long long)r->dax_size);
	}
	return 0;
}

static int bind_devices(const struct kh_plan *plan, const struct kh_plan_vm *vm, struct kh_err *e)
{
	unsigned int i;
	int rc;

	for (i = 0; i < vm->dev.count; i++) {
		rc = pci_bind_vfio(plan_dev(plan, vm, i)->bdf, e);
		if (rc)
			return rc;
	}
	return 0;
}

static int find_stream(struct vm_load *l, struct kh_err *e)
{
	const struct kh_plan_vm *vm = l->vm;

	if (vm->stream_size > vm->stream_room ||
	    vm->stream_offset < l->state->part[KH_PART_DATA].offset ||
	    vm->stream_offset > l->state->size ||
	    vm->stream_size > l->state->size - vm->stream_offset)
		return err_set(e, -EBADMSG, "its device state lies outside of the state area");
	l->stream = l->state->base + vm->stream_offset;
	if (!l->vm->stream_size || kh_hash(l->stream, l->vm->stream_size) != l->vm->stream_hash)
		return err_set(e, -EBADMSG, "its device state in the state area is damaged");
	return 0;
}

/* The last line that QEMU said, "" when there is none to be had. */
static void last_words(const struct vm_load *l, char *buf, size_t size)
{
	char path[1024], *text, *line;
	struct stat st;
	size_t len;

	buf[0] = '\0';
	spawn_err_path(l->plan, l->vm, path, sizeof(path));
	if (stat(path, &st) || !S_ISREG(st.st_mode) || read_all(path, &text, &len))
		return;
	while (len && text[len - 1] == '\n')
		text[--len] = '\0';
	line = strrchr(text, '\n');
	copy_str(buf, size, line ? line + 1 : text);
	free(text);
}

/*
 * A QEMU that ends closes its sockets first and is gone a moment later. Return:
 * whether it has ended, with the reason in @e.
 */
static bool died(struct vm_load *l, struct kh_err *e)
{
	struct pollfd p = { .fd = syscall(SYS_pidfd_open, l->pid, 0), .events = POLLIN };
	char words[256];
	int status;

	poll(&p, p.fd >= 0, END_MS);
	if (p.fd >= 0)
		close(p.fd);
	if (waitpid(l->pid, &status, WNOHANG) != l->pid)
		return false;
	l->pid = 0;
	last_words(l, words, sizeof(words));
	err_set(e, -ECHILD, "QEMU ended with %s %d: %s",
		WIFSIGNALED(status) ? "signal" : "status",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), words);
	return true;
}

static int start(struct vm_load *l, struct qmp *q, struct kh_err *e)
{
	struct kh_err mine = { 0 };
	int fds[2], rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds))
		return err_set(e, -errno, "socketpair: %s", strerror(errno));
	l->vm->start_tsc = tsc_now();
	rc = spawn_vm(l->plan, l->vm, fds[1], &l->pid, note_started, l, e);
	close(fds[1]);
	if (rc) {
		close(fds[0]);
		return rc;
	}
	q->timeout_ms = START_MS;
	rc = qmp_attach(q, fds[0], l->cancel_fd, &mine);
	q->timeout_ms = QMP_TIMEOUT_MS;
	if (rc && (rc == -ETIMEDOUT || rc == -EINTR || !died(l, e)))
		err_set(e, rc, "%s", mine.msg);
	return rc;
}

/*
 * As much as the pipe takes. The last byte goes by itself, once the record says that the device state
 * is used. Return: 0 or -errno.
 */
static int write_stream(struct vm_load *l, int fd, uint64_t *done, struct kh_err *e)
{
	uint64_t left = l->vm->stream_size - *done;
	ssize_t n;
	int rc;

	if (left == 1 && l->record.state != KH_REC_USED) {
		rc = note(l, KH_REC_USED, e);
		if (rc)
			return rc;
		l->q.cancel_fd = -1;
	}
	n = write(fd, l->stream + *done, left > 1 ? left - 1 : left);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return err_set(e, -errno, "giving QEMU its device state: %s", strerror(errno));
	if (n > 0)
		*done += n;
	return 0;
}

static int read_replies(struct qmp *q, uint64_t id, struct kh_err *e)
{
	struct json_object *msg;
	int rc;

	while (!(rc = qmp_next(q, 0, &msg, e))) {
		rc = qmp_reply(msg, id, "migrate-incoming", NULL, e);
		json_object_put(msg);
		if (rc)
			return rc;
	}
	return rc == -EAGAIN ? 0 : rc;
}

static int pump(struct vm_load *l, struct qmp *q, int *fd, uint64_t id, struct kh_err *e)
{
	struct pollfd p[3] = { { .fd = q->fd, .events = POLLIN }, { .events = POLLOUT },
			       { .events = POLLIN } };
	uint64_t done = 0;
	int n, rc;

	while (!l->failed && !(l->resume_tsc && l->completed_tsc)) {
		p[1].fd = *fd;
		p[2].fd = q->cancel_fd;
		n = poll(p, 3, LOAD_IDLE_MS);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set(e, -ETIMEDOUT, "QEMU does not take its device state: hung");
		if (p[2].revents)
			return err_set(e, -EINTR, "interrupted");
		if (*fd >= 0 && p[1].revents) {
			rc = write_stream(l, *fd, &done, e);
			if (rc)
				return rc;
			if (done == l->vm->stream_size) {
				close(*fd);
				*fd = -1;
			}
		}
		if (p[0].revents) {
			rc = read_replies(q, id, e);
			if (rc)
				return rc;
		}
	}
	return 0;
}

/* Why the load failed, as QEMU tells it. */
static int failure(struct qmp *q, struct kh_err *e)
{
	struct json_object *ret;
	const char *why;
	int rc;

	rc = qmp_cmd(q, "query-migrate", NULL, &ret, NULL);
	why = rc ? "" : jstr(ret, "error-desc");
	err_set(e, -EIO, "QEMU could not load the device state%s%s", *why ? ": " : "", why);
	if (!rc)
		json_object_put(ret);
	return -EIO;
}

static int incoming(struct vm_load *l, struct qmp *q, struct kh_err *e)
{
	struct json_object *args;
	uint64_t id;
	int fds[2], rc;

	if (pipe2(fds, O_CLOEXEC))
		return err_set(e, -errno, "pipe: %s", strerror(errno));
	fcntl(fds[1], F_SETPIPE_SZ, 1 << 20);
	fcntl(fds[1], F_SETFL, O_NONBLOCK);
	args = json_object_new_object();
	json_object_object_add(args, "fdname", json_object_new_string(VM_STREAM_FD));
	rc = qmp_cmd_fd(q, "getfd", args, fds[0], NULL, e);
	close(fds[0]);
	if (!rc) {
		args = json_object_new_object();
		json_object_object_add(args, "uri", json_object_new_string("fd:" VM_STREAM_FD));
		/* After a failure QEMU is there to say why, and that the guest has not run. */
		json_object_object_add(args, "exit-on-error", json_object_new_boolean(false));
		l->sent_tsc = tsc_now();
		rc = qmp_send(q, "migrate-incoming", args, -1, &id, e);
	}
	if (!rc)
		rc = pump(l, q, &fds[1], id, e);
	if (fds[1] >= 0)
		close(fds[1]);
	if (!rc && l->failed)
		rc = failure(q, e);
	return rc;
}

/* Events that QEMU sent before it was stopped or ended. */
static void read_what_is_left(struct vm_load *l)
{
	struct json_object *msg;

	while (!qmp_next(&l->q, 0, &msg, NULL))
		json_object_put(msg);
}

/*
 * After a failure. QEMU sends RESUME before a vCPU runs, so a QEMU that stands and has not sent
 * RESUME has not let the guest run. It is stopped, asked, and ended only then.
 *
 * Return: whether the guest never ran, and QEMU has ended.
 */
static bool end_unless_it_ran(struct vm_load *l)
{
	int status;

	if (l->pid > 0 && (kill(l->pid, SIGSTOP) || waitpid(l->pid, &status, WUNTRACED) != l->pid ||
			   !WIFSTOPPED(status)))
		l->pid = 0;	/* it has ended */
	read_what_is_left(l);
	if (l->resume_tsc) {
		if (l->pid > 0)
			kill(l->pid, SIGCONT);
		return false;
	}
	if (l->pid > 0) {
		kill(l->pid, SIGKILL);
		waitpid(l->pid, &status, 0);
	}
	l->pid = 0;
	return true;
}

/* The record after a failure. */
static void note_failure(struct vm_load *l)
{
	bool used = l->record.state == KH_REC_USED;

	if (!end_unless_it_ran(l))
		return;
	l->vm->new_pid = 0;
	l->vm->new_start = 0;
	note(l, used ? KH_REC_UNUSED : KH_REC_NONE, NULL);
}

static int run(struct vm_load *l, struct kh_err *e)
{
	struct kh_err mine = { 0 };
	struct qmp *q = &l->q;
	int rc;

	rc = start(l, q, e);
	if (rc)
		return rc;
	q->on_event = load_event;
	q->ctx = l;
	rc = vm_set_mode(q, true, 0, &mine);
	if (!rc)
		rc = incoming(l, q, &mine);
	if (!rc) {
		l->vm->loaded_tsc = l->resume_tsc;
		l->vm->run_tsc = l->completed_tsc;
		return note(l, KH_REC_RUNNING, e);
	}
	if (rc == -ETIMEDOUT || rc == -EREMOTEIO || rc == -EINTR || rc == -EIO || !died(l, e))
		err_set(e, rc, "%s", mine.msg);
	return rc;
}

/* An earlier khctl resume did what there was to do. */
static void take_from_record(struct vm_load *l)
{
	l->vm->new_pid = l->record.pid;
	l->vm->new_start = l->record.start;
	l->vm->start_tsc = l->record.started_tsc;
	l->vm->loaded_tsc = l->record.run_tsc;
	l->vm->run_tsc = l->record.run_tsc;
}

int vm_load(struct vm_load *l, struct kh_err *e)
{
	int rc;

	rc = vm_left(l->state, l->plan, l->vm, &l->record, l->user, &l->ran_before, e);
	if (l->ran_before)
		take_from_record(l);
	if (rc || l->ran_before)
		return rc;
	l->q = (struct qmp){ .fd = -1, .cancel_fd = l->cancel_fd };
	l->tsc_hz = l->plan->tsc_hz;
	rc = check_ram(l->plan, l->vm, e);
	if (!rc)
		rc = find_stream(l, e);
	if (!rc)
		rc = bind_devices(l->plan, l->vm, e);
	if (!rc)
		rc = run(l, e);
	if (rc) {
		note_failure(l);
		qmp_close(&l->q);
	}
	return rc;
}

/* QEMU has made all DMA mappings by now. */
static int ask_runs(struct vm_load *l, struct kh_err *e)
{
	struct json_object *ret;
	int rc;

	rc = qmp_cmd(&l->q, "query-status", NULL, &ret, e);
	if (rc)
		return rc;
	if (strcmp(jstr(ret, "status"), "running"))
		rc = err_set(e, -EIO, "it was resumed, and QEMU (process %d) says that it is %s",
			     l->pid, jstr(ret, "status"));
	json_object_put(ret);
	return rc;
}

int vm_load_end(struct vm_load *l, struct kh_err *e)
{
	int rc;

	/* The next save sets it again; a migration in between should be an ordinary one. */
	l->q.on_event = NULL;
	rc = ask_runs(l, e);
	vm_set_mode(&l->q, false, VM_BANDWIDTH, NULL);
	attrs_roles(l->pid, &l->q, &l->roles, NULL);
	qmp_close(&l->q);
	return rc;
}
