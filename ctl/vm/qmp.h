/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A QMP client that never hangs: everything has a deadline, and whatever is not
 * QMP is an error. After an error other than that of a command the connection
 * is of no more use.
 */
#ifndef KHCTL_QMP_H
#define KHCTL_QMP_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"

#define QMP_TIMEOUT_MS	10000

/**
 * struct qmp - a connection
 * @fd: of the socket, -1: none
 * @cancel_fd: when it becomes readable, waiting ends with -EINTR; -1: none
 * @timeout_ms: for one command
 * @on_event: called for each event as it is read, or NULL
 * @ctx: for @on_event
 */
struct qmp {
	int fd;
	int cancel_fd;
	int timeout_ms;
	void (*on_event)(void *ctx, const char *name, struct json_object *event);
	void *ctx;
	char *buf;
	size_t len;
	uint64_t last_id;
	bool broken;
	bool cut;	/* the next line may lack its beginning */
};

/** qmp_open() - connect and negotiate. @pid: of the process behind the socket. Return: 0 or -errno. */
int qmp_open(struct qmp *q, const char *path, int cancel_fd, pid_t *pid, struct kh_err *e);

/** qmp_attach() - negotiate over a connected socket, which is closed on failure too. */
int qmp_attach(struct qmp *q, int fd, int cancel_fd, struct kh_err *e);
void qmp_close(struct qmp *q);

/**
 * qmp_take_over() - use a connection on which another process spoke and listened until now
 *
 * That process may have read a part of a line, and replies to it may be under way.
 */
void qmp_take_over(struct qmp *q);

/**
 * qmp_send() - a command, without waiting for its reply
 * @args: consumed; NULL: none
 * @pass_fd: sent along, -1: none
 * @id: of the command
 */
int qmp_send(struct qmp *q, const char *cmd, struct json_object *args, int pass_fd,
	     uint64_t *id, struct kh_err *e);

/**
 * qmp_next() - the next message that is no event
 * @timeout_ms: 0: only what is there already
 *
 * Return: 0; -EAGAIN when nothing came in that time; -EINTR when cancelled; -errno.
 */
int qmp_next(struct qmp *q, int timeout_ms, struct json_object **msg, struct kh_err *e);

/**
 * qmp_reply() - what a message says to command @id
 * @ret: its return value, the caller's to put; may be NULL
 *
 * Return: 0; -EREMOTEIO for an error of the command, its text in @e; -EPROTO.
 */
int qmp_reply(struct json_object *msg, uint64_t id, const char *cmd, struct json_object **ret,
	      struct kh_err *e);

/** qmp_cmd() - a command and its reply. As qmp_send(), qmp_next(), qmp_reply(). */
int qmp_cmd(struct qmp *q, const char *cmd, struct json_object *args, struct json_object **ret,
	    struct kh_err *e);
int qmp_cmd_fd(struct qmp *q, const char *cmd, struct json_object *args, int pass_fd,
	       struct json_object **ret, struct kh_err *e);

/** qmp_array() - as qmp_cmd(); an answer that is no array is -EPROTO */
int qmp_array(struct qmp *q, const char *cmd, struct json_object *args, struct json_object **ret,
	      struct kh_err *e);

/** jstr() - a string of an object, "" when it is not there */
const char *jstr(struct json_object *o, const char *key);
bool jbool(struct json_object *o, const char *key);
int64_t jint(struct json_object *o, const char *key);
struct json_object *jget(struct json_object *o, const char *key);

#endif
