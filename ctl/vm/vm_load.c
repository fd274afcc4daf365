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
#include "state/state_io.h"
#include "vm/qmp.h"
#include "vm/spawn.h"
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

static int check_stream(const struct vm_load *l, struct kh_err *e)
{
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
	make_parents(plan_str(l->plan, l->vm->qmp));
	l->vm->start_tsc = tsc_now();
	rc = spawn_vm(l->plan, l->vm, fds[1], &l->pid, e);
	close(fds[1]);
	if (rc) {
		close(fds[0]);
		return rc;
	}
	q->timeout_ms = START_MS;
	rc = qmp_attach(q, fds[0], -1, &mine);
	q->timeout_ms = QMP_TIMEOUT_MS;
	if (rc && (rc == -ETIMEDOUT || !died(l, e)))
		err_set(e, rc, "%s", mine.msg);
	return rc;
}

/* As much as the pipe takes. Return: 0 or -errno. */
static int write_stream(struct vm_load *l, int fd, uint64_t *done, struct kh_err *e)
{
	ssize_t n;

	n = write(fd, l->stream + *done, l->vm->stream_size - *done);
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
	struct pollfd p[2] = { { .fd = q->fd, .events = POLLIN }, { .events = POLLOUT } };
	uint64_t done = 0;
	int n, rc;

	while (!l->failed && !(l->resume_tsc && l->completed_tsc)) {
		p[1].fd = *fd;
		n = poll(p, 2, LOAD_IDLE_MS);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_set(e, -ETIMEDOUT, "QEMU does not take its device state: hung");
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
	return l->failed ? err_set(e, -EIO, "QEMU could not load the device state") : 0;
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
		l->sent_tsc = tsc_now();
		rc = qmp_send(q, "migrate-incoming", args, -1, &id, e);
	}
	if (!rc)
		rc = pump(l, q, &fds[1], id, e);
	if (fds[1] >= 0)
		close(fds[1]);
	return rc;
}

static void end_qemu(struct vm_load *l)
{
	int status;

	if (l->pid <= 0)
		return;
	kill(l->pid, SIGKILL);
	waitpid(l->pid, &status, 0);
	l->pid = 0;
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
		return 0;
	}
	if (rc == -ETIMEDOUT || rc == -EREMOTEIO || !died(l, e))
		err_set(e, rc, "%s", mine.msg);
	return rc;
}

int vm_load(struct vm_load *l, struct kh_err *e)
{
	int rc;

	l->q = (struct qmp){ .fd = -1 };
	l->tsc_hz = l->plan->tsc_hz;
	rc = check_ram(l->plan, l->vm, e);
	if (!rc)
		rc = check_stream(l, e);
	if (!rc)
		rc = bind_devices(l->plan, l->vm, e);
	if (!rc)
		rc = run(l, e);
	if (rc) {
		end_qemu(l);
		qmp_close(&l->q);
	}
	return rc;
}

void vm_load_end(struct vm_load *l)
{
	/* The next save sets it again; a migration in between should be an ordinary one. */
	l->q.on_event = NULL;
	vm_set_mode(&l->q, false, VM_BANDWIDTH, NULL);
	qmp_close(&l->q);
}
