// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>
#include "base/tsc.h"
#include "base/util.h"
#include "vm/vm_save.h"

/* A QEMU that neither writes nor says anything for so long is hung. */
#define SAVE_IDLE_MS	30000
#define PIPE_BYTES	(1 << 20)
#define READ_BYTES	(256 << 10)

static struct json_object *capability(const char *name, bool on)
{
	struct json_object *c = json_object_new_object();

	json_object_object_add(c, "capability", json_object_new_string(name));
	json_object_object_add(c, "state", json_object_new_boolean(on));
	return c;
}

int vm_set_mode(struct qmp *q, bool on, uint64_t bandwidth, struct kh_err *e)
{
	struct json_object *args = json_object_new_object(), *caps = json_object_new_array();
	int rc;

	json_object_array_add(caps, capability("x-ignore-shared", on));
	json_object_array_add(caps, capability("events", true));
	json_object_object_add(args, "capabilities", caps);
	rc = qmp_cmd(q, "migrate-set-capabilities", args, NULL, e);
	if (rc)
		return rc;
	args = json_object_new_object();
	json_object_object_add(args, "mode", json_object_new_string(on ? "cpr-reboot" : "normal"));
	json_object_object_add(args, "max-bandwidth", json_object_new_uint64(bandwidth));
	return qmp_cmd(q, "migrate-set-parameters", args, NULL, e);
}

int vm_suppress_vmdesc(struct vm *vm, bool on, struct kh_err *e)
{
	struct json_object *args = json_object_new_object();

	json_object_object_add(args, "path", json_object_new_string("/machine"));
	json_object_object_add(args, "property", json_object_new_string("suppress-vmdesc"));
	json_object_object_add(args, "value", json_object_new_boolean(on));
	return qmp_cmd(&vm->q, "qom-set", args, NULL, e);
}

static uint64_t event_tsc(const struct vm_save *s, struct json_object *event)
{
	struct json_object *t = jget(event, "timestamp");

	return tsc_of_realtime(jint(t, "seconds") * 1000000 + jint(t, "microseconds"), s->tsc_hz,
			       s->sent_tsc);
}

static void save_event(void *ctx, const char *name, struct json_object *event)
{
	struct vm_save *s = ctx;
	const char *status;

	if (!strcmp(name, "STOP"))
		s->stop_tsc = event_tsc(s, event);
	if (strcmp(name, "MIGRATION"))
		return;
	status = jstr(jget(event, "data"), "status");
	if (!strcmp(status, "completed"))
		s->completed = true;
	if (!strcmp(status, "failed") || !strcmp(status, "cancelled"))
		s->failed = true;
}

int vm_save_prepare(struct vm_save *s, struct kh_err *e)
{
	struct json_object *args;
	int fds[2], rc;

	s->pipe = -1;
	rc = images_open(&s->images, s->vm->pid, e);
	if (!rc)
		rc = vm_set_mode(&s->vm->q, true, 0, e);
	if (!rc)
		rc = vm_suppress_vmdesc(s->vm, true, e);
	if (rc)
		return rc;
	if (pipe2(fds, O_CLOEXEC))
		return err_set(e, -errno, "pipe: %s", strerror(errno));
	/* Only ours is non-blocking: QEMU may wait for us. */
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	fcntl(fds[1], F_SETPIPE_SZ, PIPE_BYTES);
	args = json_object_new_object();
	json_object_object_add(args, "fdname", json_object_new_string(VM_STREAM_FD));
	rc = qmp_cmd_fd(&s->vm->q, "getfd", args, fds[1], NULL, e);
	close(fds[1]);
	if (rc)
		close(fds[0]);
	else
		s->pipe = fds[0];
	return rc;
}

void vm_save_end(struct vm_save *s)
{
	if (s->pipe >= 0)
		close(s->pipe);
	s->pipe = -1;
	images_close(&s->images);
	s->vm->q.on_event = NULL;
}

/* What there is in the pipe. Return: 0, -EAGAIN when it is empty, -errno. */
static int read_stream(struct vm_save *s, XXH3_state_t *hash, struct kh_err *e)
{
	uint64_t left = s->room - s->size;
	ssize_t n;
	char over;

	/* Full is only an error when there is more to come. */
	n = left ? read(s->pipe, s->dst + s->size, left < READ_BYTES ? left : READ_BYTES) :
		   read(s->pipe, &over, 1);
	if (n < 0 && errno == EINTR)
		return 0;
	if (n < 0)
		return errno == EAGAIN ? -EAGAIN :
		       err_set(e, -errno, "reading device state: %s", strerror(errno));
	if (n && !left)
		return err_set(e, -ENOSPC, "state area is full: device state takes more than %llu bytes",
			       (unsigned long long)s->room);
	if (!n)
		s->eof = true;
	XXH3_64bits_update(hash, s->dst + s->size, n);
	s->size += n;
	return 0;
}

static int read_replies(struct vm_save *s, uint64_t id, struct kh_err *e)
{
	struct json_object *msg;
	int rc;

	while (!(rc = qmp_next(&s->vm->q, 0, &msg, e))) {
		/* prepare() has waited for all replies: this can only be that of migrate. */
		rc = qmp_reply(msg, id, "migrate", NULL, e);
		json_object_put(msg);
		if (rc)
			return rc;
	}
	return rc == -EAGAIN ? 0 : rc;
}

/* Why the migration failed, as QEMU tells it. */
static int failure(struct vm_save *s, struct kh_err *e)
{
	struct json_object *ret;
	int rc;

	rc = qmp_cmd(&s->vm->q, "query-migrate", NULL, &ret, e);
	if (rc)
		return rc;
	rc = err_set(e, -EIO, "QEMU could not save the VM: %s", jstr(ret, "error-desc"));
	json_object_put(ret);
	return rc;
}

static int pump(struct vm_save *s, uint64_t id, XXH3_state_t *hash, struct kh_err *e)
{
	struct pollfd p[3] = {
		{ .fd = s->vm->q.fd, .events = POLLIN },
		{ .fd = s->pipe, .events = POLLIN },
		{ .fd = s->vm->q.cancel_fd, .events = POLLIN },
	};
	int n, rc;

	while (!s->failed && !(s->completed && s->eof)) {
		n = poll(p, 3, SAVE_IDLE_MS);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, -errno, "poll: %s", strerror(errno));
		if (!n)
			return err_set(e, -ETIMEDOUT, "QEMU saved nothing for %d s: hung",
				       SAVE_IDLE_MS / 1000);
		if (p[2].revents)
			return err_set(e, -EINTR, "interrupted");
		if (p[1].revents) {
			rc = read_stream(s, hash, e);
			if (rc && rc != -EAGAIN)
				return rc;
			/* A pipe at its end is always readable. */
			if (s->eof)
				p[1].fd = -1;
		}
		if (p[0].revents) {
			rc = read_replies(s, id, e);
			if (rc)
				return rc;
		}
	}
	return s->failed ? failure(s, e) : 0;
}

int vm_save_run(struct vm_save *s, struct kh_err *e)
{
	struct json_object *args = json_object_new_object();
	XXH3_state_t *hash = XXH3_createState();
	uint64_t id;
	int rc;

	if (!hash || !args)
		return err_set(e, -ENOMEM, "out of memory");
	XXH3_64bits_reset(hash);
	s->vm->q.on_event = save_event;
	s->vm->q.ctx = s;
	json_object_object_add(args, "uri", json_object_new_string("fd:" VM_STREAM_FD));
	s->sent_tsc = tsc_now();
	/* The reply may only come once the pipe was read from: do not wait for it. */
	rc = qmp_send(&s->vm->q, "migrate", args, -1, &id, e);
	if (!rc)
		rc = pump(s, id, hash, e);
	if (!rc)
		rc = images_sync(&s->images, e);
	s->saved_tsc = tsc_now();
	s->hash = XXH3_64bits_digest(hash);
	XXH3_freeState(hash);
	if (!rc && (!s->stop_tsc || !s->size))
		rc = err_set(e, -EPROTO, "QEMU completed without stopping the guest");
	return rc;
}
