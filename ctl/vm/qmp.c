// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "base/util.h"
#include "vm/qmp.h"

#define QMP_MAX_MESSAGE (4U << 20)

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

struct json_object *jget(struct json_object *o, const char *key)
{
	struct json_object *v;

	return o && json_object_is_type(o, json_type_object) &&
	       json_object_object_get_ex(o, key, &v) ? v : NULL;
}

const char *jstr(struct json_object *o, const char *key)
{
	struct json_object *v = jget(o, key);

	return v && json_object_is_type(v, json_type_string) ? json_object_get_string(v) : "";
}

bool jbool(struct json_object *o, const char *key)
{
	return json_object_get_boolean(jget(o, key));
}

int64_t jint(struct json_object *o, const char *key)
{
	return json_object_get_int64(jget(o, key));
}

/* Until @fd is ready or the deadline is over. Return: 0, -EAGAIN, -EINTR, -errno. */
static int wait_fd(struct qmp *q, short events, int64_t deadline)
{
	struct pollfd p[2] = {
		{ .fd = q->fd, .events = events },
		{ .fd = q->cancel_fd, .events = POLLIN },
	};
	int64_t left;
	int n;

	for (;;) {
		left = deadline - now_ms();
		n = poll(p, 2, left > 0 ? left : 0);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && p[1].revents)
			return -EINTR;
		if (n > 0)
			return 0;
		if (now_ms() >= deadline)
			return -EAGAIN;
	}
}

static int connect_to(const char *path, pid_t *pid, struct kh_err *e)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct ucred cred;
	socklen_t len = sizeof(cred);
	int fd, rc;

	if (copy_str(sa.sun_path, sizeof(sa.sun_path), path))
		return err_set(e, -ENAMETOOLONG, "%s: too long for a socket", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(e, -errno, "socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len)) {
		rc = err_set(e, -errno, "%s: %s", path, strerror(errno));
		close(fd);
		return rc;
	}
	*pid = cred.pid;
	return fd;
}

static int greet(struct qmp *q, struct kh_err *e)
{
	struct json_object *msg = NULL;
	int rc;

	/* The reply to the last command of a client that went away may come first. */
	while (!(rc = qmp_next(q, q->timeout_ms, &msg, e)) && jget(msg, "id"))
		json_object_put(msg);
	if (rc == -EAGAIN)
		return err_set(e, -ETIMEDOUT, "no QMP greeting within %d s: not QMP, hung, or another client is connected",
			       q->timeout_ms / 1000);
	if (rc)
		return rc;
	if (!jget(msg, "QMP"))
		rc = err_set(e, -EPROTO, "the other side does not speak QMP");
	json_object_put(msg);
	if (rc)
		return rc;
	return qmp_cmd(q, "qmp_capabilities", NULL, NULL, e);
}

int qmp_attach(struct qmp *q, int fd, int cancel_fd, struct kh_err *e)
{
	int rc;

	q->fd = fd;
	q->cancel_fd = cancel_fd;
	q->len = 0;
	q->broken = false;
	q->cut = false;
	if (!q->timeout_ms)
		q->timeout_ms = QMP_TIMEOUT_MS;
	q->buf = malloc(QMP_MAX_MESSAGE);
	if (!q->buf)
		rc = err_set(e, -ENOMEM, "out of memory");
	else if (fcntl(fd, F_SETFL, O_NONBLOCK))
		rc = err_set(e, -errno, "fcntl: %s", strerror(errno));
	else
		rc = greet(q, e);
	if (rc)
		qmp_close(q);
	return rc;
}

/* No other client of this host uses the numbers that follow. */
static uint64_t first_id(void)
{
	return (uint64_t)getpid() << 20;
}

int qmp_open(struct qmp *q, const char *path, int cancel_fd, pid_t *pid, struct kh_err *e)
{
	int fd;

	q->fd = -1;
	fd = connect_to(path, pid, e);
	if (fd < 0)
		return fd;
	if (!q->last_id)
		q->last_id = first_id();
	return qmp_attach(q, fd, cancel_fd, e);
}

void qmp_take_over(struct qmp *q)
{
	q->last_id = first_id();
	q->len = 0;
	q->cut = true;
}

void qmp_close(struct qmp *q)
{
	if (q->fd >= 0)
		close(q->fd);
	q->fd = -1;
	free(q->buf);
	q->buf = NULL;
	q->len = 0;
}

static ssize_t send_some(int fd, const char *text, size_t len, int pass_fd)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} ctl = { 0 };
	struct iovec iov = { .iov_base = (void *)text, .iov_len = len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (pass_fd >= 0) {
		m.msg_control = &ctl;
		m.msg_controllen = sizeof(ctl.space);
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &pass_fd, sizeof(int));
	}
	return sendmsg(fd, &m, MSG_NOSIGNAL);
}

static int send_text(struct qmp *q, const char *text, size_t len, int pass_fd, struct kh_err *e)
{
	int64_t deadline = now_ms() + q->timeout_ms;
	ssize_t n;
	int rc;

	while (len) {
		n = send_some(q->fd, text, len, pass_fd);
		if (n > 0) {
			text += n;
			len -= n;
			pass_fd = -1;
			continue;
		}
		if (errno == EINTR)
			continue;
		rc = errno == EAGAIN ? wait_fd(q, POLLOUT, deadline) : -errno;
		if (!rc)
			continue;
		q->broken = true;
		if (rc == -EAGAIN)
			return err_set(e, -ETIMEDOUT, "QMP socket takes nothing: hung");
		return err_set(e, rc, "cannot write to the QMP socket: %s", strerror(-rc));
	}
	return 0;
}

int qmp_send(struct qmp *q, const char *cmd, struct json_object *args, int pass_fd,
	     uint64_t *id, struct kh_err *e)
{
	struct json_object *o;
	const char *text;
	size_t len;
	int rc;

	if (q->fd < 0 || q->broken) {
		json_object_put(args);
		return err_set(e, -ENOTCONN, "no QMP connection");
	}
	o = json_object_new_object();
	json_object_object_add(o, "execute", json_object_new_string(cmd));
	if (args)
		json_object_object_add(o, "arguments", args);
	*id = ++q->last_id;
	json_object_object_add(o, "id", json_object_new_int64(*id));
	text = json_object_to_json_string_length(o, JSON_C_TO_STRING_PLAIN, &len);
	rc = send_text(q, text, len, pass_fd, e);
	json_object_put(o);
	return rc;
}

/* Take the first line out of the buffer. Return: its object, or NULL if the line is none. */
static struct json_object *parse_line(struct qmp *q, size_t used)
{
	struct json_object *o = json_tokener_parse(q->buf);

	q->len -= used;
	memmove(q->buf, q->buf + used, q->len);
	if (json_object_is_type(o, json_type_object))
		return o;
	json_object_put(o);
	return NULL;
}

/* A whole line of the buffer. Return: 0, -EAGAIN when there is none yet, -EPROTO. */
static int take_line(struct qmp *q, struct json_object **msg)
{
	bool blank, cut;
	char *nl;

	for (;;) {
		nl = memchr(q->buf, '\n', q->len);
		if (!nl)
			return q->len < QMP_MAX_MESSAGE ? -EAGAIN : -EPROTO;
		*nl = '\0';
		blank = !q->buf[strspn(q->buf, " \t\r")];
		*msg = parse_line(q, nl + 1 - q->buf);
		cut = q->cut;
		q->cut = false;
		if (*msg)
			return 0;
		if (!blank && !cut)
			return -EPROTO;
	}
}

static int fill(struct qmp *q)
{
	ssize_t n = recv(q->fd, q->buf + q->len, QMP_MAX_MESSAGE - q->len, MSG_DONTWAIT);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	if (!n)
		return -ECONNRESET;
	q->len += n;
	return 0;
}

static int next_message(struct qmp *q, int64_t deadline, struct json_object **msg)
{
	int rc;

	for (;;) {
		rc = take_line(q, msg);
		if (rc != -EAGAIN)
			return rc;
		rc = fill(q);
		if (rc == -EAGAIN)
			rc = wait_fd(q, POLLIN, deadline);
		if (rc)
			return rc;
	}
}

int qmp_next(struct qmp *q, int timeout_ms, struct json_object **msg, struct kh_err *e)
{
	int64_t deadline = now_ms() + timeout_ms;
	const char *event;
	int rc;

	*msg = NULL;
	if (q->fd < 0 || q->broken)
		return err_set(e, -ENOTCONN, "no QMP connection");
	for (;;) {
		rc = next_message(q, deadline, msg);
		if (rc == -EAGAIN)
			return rc;
		if (rc == -EINTR)
			return err_set(e, rc, "interrupted");
		if (rc)
			break;
		event = jstr(*msg, "event");
		if (!*event)
			return 0;
		if (q->on_event)
			q->on_event(q->ctx, event, *msg);
		json_object_put(*msg);
	}
	q->broken = true;
	if (rc == -EPROTO)
		return err_set(e, rc, "the other side does not speak QMP");
	if (rc == -ECONNRESET)
		return err_set(e, rc, "QMP connection was closed by the other side");
	return err_set(e, rc, "QMP connection failed: %s", strerror(-rc));
}

int qmp_reply(struct json_object *msg, uint64_t id, const char *cmd, struct json_object **ret,
	      struct kh_err *e)
{
	struct json_object *o;

	if (!jget(msg, "id") || (uint64_t)jint(msg, "id") != id)
		return err_set(e, -EPROTO, "%s: reply to another command", cmd);
	o = jget(msg, "error");
	if (o)
		return err_set(e, -EREMOTEIO, "%s: %s", cmd, jstr(o, "desc"));
	o = jget(msg, "return");
	if (!o)
		return err_set(e, -EPROTO, "%s: reply without an answer", cmd);
	if (ret)
		*ret = json_object_get(o);
	return 0;
}

/* The reply to @id, past those to an earlier client that went away. */
static int reply_to(struct qmp *q, uint64_t id, struct json_object **msg, struct kh_err *e)
{
	int64_t deadline = now_ms() + q->timeout_ms, left;
	int rc;

	for (;;) {
		left = deadline - now_ms();
		rc = qmp_next(q, left > 0 ? left : 0, msg, e);
		if (rc || !jget(*msg, "id") || (uint64_t)jint(*msg, "id") == id)
			return rc;
		json_object_put(*msg);
	}
}

int qmp_cmd_fd(struct qmp *q, const char *cmd, struct json_object *args, int pass_fd,
	       struct json_object **ret, struct kh_err *e)
{
	struct json_object *msg;
	uint64_t id;
	int rc;

	if (ret)
		*ret = NULL;
	rc = qmp_send(q, cmd, args, pass_fd, &id, e);
	if (rc)
		return rc;
	rc = reply_to(q, id, &msg, e);
	if (rc == -EAGAIN) {
		q->broken = true;
		return err_set(e, -ETIMEDOUT, "%s: no reply within %d s", cmd,
			       q->timeout_ms / 1000);
	}
	if (rc)
		return rc;
	rc = qmp_reply(msg, id, cmd, ret, e);
	if (rc == -EPROTO)
		q->broken = true;
	json_object_put(msg);
	return rc;
}

int qmp_cmd(struct qmp *q, const char *cmd, struct json_object *args, struct json_object **ret,
	    struct kh_err *e)
{
	return qmp_cmd_fd(q, cmd, args, -1, ret, e);
}

int qmp_array(struct qmp *q, const char *cmd, struct json_object *args, struct json_object **ret,
	      struct kh_err *e)
{
	int rc = qmp_cmd(q, cmd, args, ret, e);

	if (rc || json_object_is_type(*ret, json_type_array))
		return rc;
	json_object_put(*ret);
	*ret = NULL;
	return err_set(e, -EPROTO, "%s: an answer of the wrong type", cmd);
}
