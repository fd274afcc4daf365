// SPDX-License-Identifier: GPL-2.0
/* The QMP client against a socket pair: what is said on the other end is written beforehand. */
#include "unit.h"
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include "vm/qmp.h"

#define GREETING "{\"QMP\": {\"version\": {}, \"capabilities\": [\"oob\"]}}\r\n"
#define CAPS_OK "{\"return\": {}, \"id\": 1}\r\n"

static struct qmp q;
static struct kh_err e;
static int other;
static int events;

static int attach(const char *text, int cancel_fd)
{
	int fds[2];

	memset(&q, 0, sizeof(q));
	memset(&e, 0, sizeof(e));
	q.timeout_ms = 100;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	other = fds[1];
	assert_int_equal(write(other, text, strlen(text)), (ssize_t)strlen(text));
	return qmp_attach(&q, fds[0], cancel_fd, &e);
}

static void say(const char *text)
{
	assert_int_equal(write(other, text, strlen(text)), (ssize_t)strlen(text));
}

static int teardown(void **ctx)
{
	(void)ctx;
	qmp_close(&q);
	close(other);
	events = 0;
	return 0;
}

static void count_event(void *ctx, const char *name, struct json_object *event)
{
	(void)ctx;
	assert_string_equal(name, "STOP");
	assert_int_equal(jint(jget(event, "timestamp"), "seconds"), 7);
	events++;
}

static void negotiates(void **ctx)
{
	char sent[128] = "";

	(void)ctx;
	assert_int_equal(attach(GREETING CAPS_OK, -1), 0);
	assert_true(read(other, sent, sizeof(sent) - 1) > 0);
	assert_non_null(strstr(sent, "qmp_capabilities"));
}

static void garbage_is_no_qmp(void **ctx)
{
	(void)ctx;
	assert_int_equal(attach("SSH-2.0-OpenSSH_9.2\r\n", -1), -EPROTO);
	assert_non_null(strstr(e.msg, "does not speak QMP"));
	close(other);
	assert_int_equal(attach("[1, 2]\n", -1), -EPROTO);
	close(other);
	assert_int_equal(attach("{\"hello\": 1}\n", -1), -EPROTO);
	close(other);
	assert_int_equal(attach("\0\1\2\n", -1), -ETIMEDOUT);
}

static void silence_is_a_timeout(void **ctx)
{
	(void)ctx;
	assert_int_equal(attach("", -1), -ETIMEDOUT);
	close(other);
	assert_int_equal(attach("{\"QMP\": {}", -1), -ETIMEDOUT);
	close(other);
	/* Greets and then hangs. */
	assert_int_equal(attach(GREETING, -1), -ETIMEDOUT);
	assert_non_null(strstr(e.msg, "qmp_capabilities: no reply"));
}

static void hang_after_good_start(void **ctx)
{
	(void)ctx;
	assert_int_equal(attach(GREETING CAPS_OK, -1), 0);
	assert_int_equal(qmp_cmd(&q, "query-status", NULL, NULL, &e), -ETIMEDOUT);
	/* A late reply must not be taken for that of the next command. */
	say("{\"return\": {\"status\": \"running\"}, \"id\": 2}\r\n");
	memset(&e, 0, sizeof(e));
	assert_int_equal(qmp_cmd(&q, "query-name", NULL, NULL, &e), -ENOTCONN);
}

static void closed_by_the_other_side(void **ctx)
{
	(void)ctx;
	assert_int_equal(attach(GREETING CAPS_OK, -1), 0);
	shutdown(other, SHUT_RDWR);
	assert_int_not_equal(qmp_cmd(&q, "query-status", NULL, NULL, &e), 0);
	assert_int_not_equal(e.rc, 0);
}

static void error_replies(void **ctx)
{
	struct json_object *ret = NULL;

	(void)ctx;
	assert_int_equal(attach(GREETING CAPS_OK, -1), 0);
	say("{\"error\": {\"class\": \"GenericError\", \"desc\": \"no such thing\"}, \"id\": 2}\r\n");
	assert_int_equal(qmp_cmd(&q, "qom-get", NULL, &ret, &e), -EREMOTEIO);
	assert_string_equal(e.msg, "qom-get: no such thing");
	assert_null(ret);
	/* The connection is still good. */
	say("{\"return\": {\"status\": \"running\"}, \"id\": 3}\r\n");
	memset(&e, 0, sizeof(e));
	assert_int_equal(qmp_cmd(&q, "query-status", NULL, &ret, &e), 0);
	assert_string_equal(jstr(ret, "status"), "running");
	json_object_put(ret);
}

static void wrong_types(void **ctx)
{
	struct json_object *ret = NULL;

	(void)ctx;
	assert_int_equal(attach(GREETING CAPS_OK, -1), 0);
	say("{\"return\": {}, \"id\": 2}\r\n{\"return\": \"x\", \"id\": 3}\r\n{\"return\": [], \"id\": 4}\r\n");
	assert_int_equal(qmp_array(&q, "query-memdev", NULL, &ret, &e), -EPROTO);
	assert_null(ret);
	assert_int_not_equal(qmp_array(&q, "query-memdev", NULL, &ret, &e), 0);
	assert_null(ret);
	assert_int_equal(qmp_array(&q, "query-memdev", NULL, &ret, &e), 0);
	json_object_put(ret);
}

/* QEMU gives the reply that an earlier client did not wait for to the next one. */
static void replies_to_others(void **ctx)
{
	(void)ctx;
	assert_int_equal(attach("{\"return\": {}, \"id\": 77}\r\n" GREETING
				"{\"error\": {\"desc\": \"x\"}, \"id\": 78}\r\n" CAPS_OK, -1), 0);
	say("{\"return\": {}, \"id\": 9}\r\n");
	assert_int_equal(qmp_cmd(&q, "query-status", NULL, NULL, &e), -ETIMEDOUT);
}

static void reply_without_id(void **ctx)
{
	(void)ctx;
	assert_int_equal(attach(GREETING CAPS_OK, -1), 0);
	say("{\"return\": {}}\r\n");
	assert_int_equal(qmp_cmd(&q, "query-status", NULL, NULL, &e), -EPROTO);
}

static void events_in_between(void **ctx)
{
	struct json_object *ret;

	(void)ctx;
	assert_int_equal(attach(GREETING CAPS_OK, -1), 0);
	q.on_event = count_event;
	say("{\"event\": \"STOP\", \"timestamp\": {\"seconds\": 7, \"microseconds\": 1}}\r\n\r\n"
	    "{\"event\": \"STOP\", \"timestamp\": {\"seconds\": 7, \"microseconds\": 2}}\r\n"
	    "{\"return\": {\"status\": \"paused\"}, \"id\": 2}\r\n");
	assert_int_equal(qmp_cmd(&q, "query-status", NULL, &ret, &e), 0);
	assert_int_equal(events, 2);
	assert_string_equal(jstr(ret, "status"), "paused");
	json_object_put(ret);
}

static void split_anywhere(void **ctx)
{
	static const char text[] = "{\"return\": {\"status\": \"a}{b\"}, \"id\": 2}\r\n";
	struct json_object *msg;
	uint64_t id;
	size_t i;

	(void)ctx;
	assert_int_equal(attach(GREETING CAPS_OK, -1), 0);
	assert_int_equal(qmp_send(&q, "query-status", NULL, -1, &id, &e), 0);
	for (i = 0; i + 1 < sizeof(text) - 1; i++) {
		assert_int_equal(write(other, text + i, 1), 1);
		assert_int_equal(qmp_next(&q, 0, &msg, &e), -EAGAIN);
	}
	say("\n");
	assert_int_equal(qmp_next(&q, 0, &msg, &e), 0);
	assert_int_equal(qmp_reply(msg, id, "query-status", NULL, &e), 0);
	json_object_put(msg);
}

/* Another process read half of a line; a reply to that process is under way with a number of its own. */
static void taken_over(void **ctx)
{
	struct json_object *ret;
	char text[200];

	(void)ctx;
	assert_int_equal(attach(GREETING CAPS_OK, -1), 0);
	qmp_take_over(&q);
	snprintf(text, sizeof(text), "\"b\": 1}, \"id\": 2}\r\n{\"return\": {}, \"id\": 2}\r\n"
		 "{\"return\": {\"status\": \"running\"}, \"id\": %llu}\r\n",
		 (unsigned long long)q.last_id + 1);
	say(text);
	assert_int_equal(qmp_cmd(&q, "query-status", NULL, &ret, &e), 0);
	assert_string_equal(jstr(ret, "status"), "running");
	json_object_put(ret);
	/* Only the first line may lack its beginning. */
	say("\"b\": 1}\r\n");
	assert_int_equal(qmp_cmd(&q, "query-status", NULL, NULL, &e), -EPROTO);
}

static void cancelled(void **ctx)
{
	int fd = eventfd(1, EFD_CLOEXEC);

	(void)ctx;
	assert_int_equal(attach("", fd), -EINTR);
	assert_string_equal(e.msg, "interrupted");
	close(fd);
}

static void passes_fds(void **ctx)
{
	char space[CMSG_SPACE(sizeof(int))], text[256];
	struct iovec iov = { .iov_base = text, .iov_len = sizeof(text) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = space,
			    .msg_controllen = sizeof(space) };
	int fd;

	(void)ctx;
	assert_int_equal(attach(GREETING CAPS_OK, -1), 0);
	assert_true(read(other, text, sizeof(text)) > 0);
	say("{\"return\": {}, \"id\": 2}\r\n");
	assert_int_equal(qmp_cmd_fd(&q, "getfd", NULL, 0, NULL, &e), 0);
	assert_true(recvmsg(other, &m, 0) > 0);
	assert_non_null(CMSG_FIRSTHDR(&m));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	assert_int_equal(close(fd), 0);
}

static void no_socket(void **ctx)
{
	pid_t pid;

	(void)ctx;
	memset(&q, 0, sizeof(q));
	memset(&e, 0, sizeof(e));
	assert_int_equal(qmp_open(&q, "/nonexistent/q.sock", -1, &pid, &e), -ENOENT);
	assert_int_equal(q.fd, -1);
	memset(&e, 0, sizeof(e));
	assert_int_equal(qmp_open(&q, "/dev/null", -1, &pid, &e), -ECONNREFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(negotiates, teardown),
		cmocka_unit_test_teardown(garbage_is_no_qmp, teardown),
		cmocka_unit_test_teardown(silence_is_a_timeout, teardown),
		cmocka_unit_test_teardown(hang_after_good_start, teardown),
		cmocka_unit_test_teardown(closed_by_the_other_side, teardown),
		cmocka_unit_test_teardown(error_replies, teardown),
		cmocka_unit_test_teardown(wrong_types, teardown),
		cmocka_unit_test_teardown(replies_to_others, teardown),
		cmocka_unit_test_teardown(reply_without_id, teardown),
		cmocka_unit_test_teardown(events_in_between, teardown),
		cmocka_unit_test_teardown(split_anywhere, teardown),
		cmocka_unit_test_teardown(taken_over, teardown),
		cmocka_unit_test_teardown(cancelled, teardown),
		cmocka_unit_test_teardown(passes_fds, teardown),
		cmocka_unit_test(no_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
