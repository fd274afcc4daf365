// SPDX-License-Identifier: GPL-2.0
/*
 * Letting guests run on: by khctl itself, and by the process that outlives a killed khctl. The QEMU is
 * a child that speaks QMP with one client at a time, as QEMU does, and says in shared memory how it is.
 */
#include "unit.h"
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/guard.h"
#include "base/util.h"
#include "vm/vm_run_on.h"

#define NR_VMS 2

/* What both processes see. */
struct shared {
	struct {
		int clients;	/* that connected so far */
		int running;
		int bad;	/* commands that were no JSON object with an id */
	} qemu[NR_VMS];
	int rescued;
};

static struct shared *shared;
static char dir[] = "/tmp/test-undo-XXXXXX";
static struct vm vm[NR_VMS];
static pid_t pid[NR_VMS];
static struct kh_err e;

static void answer(int fd, int i, const char *line)
{
	const char *id = strstr(line, "\"id\":");
	char text[200], ret[80] = "";

	if (!id) {
		shared->qemu[i].bad++;
		return;
	}
	if (strstr(line, "query-migrate"))
		strcpy(ret, "\"status\": \"completed\"");
	else if (strstr(line, "query-status"))
		path_fmt(ret, sizeof(ret), "\"status\": \"%s\"",
			 shared->qemu[i].running ? "running" : "postmigrate");
	else if (strstr(line, "\"cont\""))
		shared->qemu[i].running = 1;
	path_fmt(text, sizeof(text), "{\"return\": {%s}, \"id\": %lld}\r\n", ret,
		 strtoll(id + 5, NULL, 10));
	send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static void serve(int fd, int i)
{
	static const char greeting[] = "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n";
	char buf[4096], *end, *next;
	ssize_t n;

	shared->qemu[i].clients++;
	send(fd, greeting, strlen(greeting), MSG_NOSIGNAL);
	while ((n = read(fd, buf, sizeof(buf) - 1)) > 0) {
		buf[n] = '\0';
		/* khctl ends no line: an object ends where the next one begins. */
		for (end = buf; *end; end = next) {
			next = strstr(end + 1, "{\"execute\"");
			if (!next)
				next = end + strlen(end);
			answer(fd, i, end);
		}
	}
	close(fd);
}

static _Noreturn void qemu(int listening, int i)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		serve(accept(listening, NULL, NULL), i);
}

static void start_qemu(int i)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	memset(&vm[i], 0, sizeof(vm[i]));
	vm[i].q.fd = -1;
	path_fmt(vm[i].qmp_path, sizeof(vm[i].qmp_path), "%s/qmp%d", dir, i);
	copy_str(sa.sun_path, sizeof(sa.sun_path), vm[i].qmp_path);
	unlink(sa.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 4), 0);
	pid[i] = fork();
	if (!pid[i])
		qemu(fd, i);
	close(fd);
}

static int setup(void **ctx)
{
	int i;

	(void)ctx;
	memset(shared, 0, sizeof(*shared));
	memset(&e, 0, sizeof(e));
	for (i = 0; i < NR_VMS; i++)
		start_qemu(i);
	return 0;
}

static int teardown(void **ctx)
{
	int i;

	(void)ctx;
	for (i = 0; i < NR_VMS; i++) {
		qmp_close(&vm[i].q);
		kill(pid[i], SIGKILL);
		waitpid(pid[i], NULL, 0);
		unlink(vm[i].qmp_path);
	}
	return 0;
}

static void connect_all(void)
{
	pid_t peer;
	int i;

	for (i = 0; i < NR_VMS; i++)
		assert_int_equal(qmp_open(&vm[i].q, vm[i].qmp_path, -1, &peer, &e), 0);
}

/* Return: whether *@flag was set within @ms. */
static bool set_within(const int *flag, int ms)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	for (; ms && !*(volatile const int *)flag; ms--)
		nanosleep(&pause, NULL);
	return *(volatile const int *)flag;
}

static void keeps_the_connection(void **ctx)
{
	(void)ctx;
	connect_all();
	assert_int_equal(vm_run_on_all(vm, NR_VMS, &e), 0);
	assert_true(shared->qemu[0].running && shared->qemu[1].running);
	assert_int_equal(shared->qemu[0].clients, 1);
	assert_int_equal(shared->qemu[1].clients, 1);
}

static void connects_again(void **ctx)
{
	(void)ctx;
	connect_all();
	vm[0].q.broken = true;
	assert_int_equal(vm_run_on_all(vm, NR_VMS, &e), 0);
	assert_true(shared->qemu[0].running);
	assert_int_equal(shared->qemu[0].clients, 2);
	/* As khctl abort does it: nothing is connected yet. */
	shared->qemu[1].running = 0;
	qmp_close(&vm[1].q);
	assert_int_equal(vm_run_on(&vm[1], &e), 0);
	assert_true(shared->qemu[1].running);
}

static void one_is_gone(void **ctx)
{
	(void)ctx;
	connect_all();
	kill(pid[0], SIGKILL);
	waitpid(pid[0], NULL, 0);
	pid[0] = fork();
	if (!pid[0])
		_exit(0);
	assert_int_equal(vm_run_on_all(vm, NR_VMS, &e), -ECONNREFUSED);
	assert_non_null(strstr(e.msg, vm[0].qmp_path));
	assert_true(shared->qemu[1].running);
}

static void *run_all(void *ctx)
{
	*(int *)ctx = vm_run_on_all(vm, NR_VMS, &e);
	return NULL;
}

/* The first QEMU does not answer. The guest of the second one runs on all the same. */
static void one_hangs(void **ctx)
{
	pthread_t thread;
	bool runs;
	int rc = -1;

	(void)ctx;
	connect_all();
	kill(pid[0], SIGSTOP);
	assert_int_equal(pthread_create(&thread, NULL, run_all, &rc), 0);
	runs = set_within(&shared->qemu[1].running, 5000);
	kill(pid[0], SIGCONT);
	pthread_join(thread, NULL);
	assert_true(runs);
	assert_int_equal(rc, 0);
	assert_true(shared->qemu[0].running);
}

static void note(void *ctx)
{
	(void)ctx;
	shared->rescued = 1;
}

static void no_rescue_after_an_orderly_end(void **ctx)
{
	struct guard g = { 0 };
	pid_t was;

	(void)ctx;
	guard_end(&g);
	assert_int_equal(guard_start(&g, note, NULL), 0);
	was = g.pid;
	guard_end(&g);
	assert_int_equal(g.pid, 0);
	assert_int_equal(waitpid(was, NULL, 0), -1);
	assert_int_equal(shared->rescued, 0);
}

static void rescue(void *ctx)
{
	int i;

	(void)ctx;
	for (i = 0; i < NR_VMS; i++)
		qmp_take_over(&vm[i].q);
	if (!vm_run_on_all(vm, NR_VMS, &e))
		shared->rescued = 1;
}

/* Has read half of a reply, as a process that is killed may have, and has another one under way. */
static _Noreturn void be_killed(void)
{
	struct guard g = { 0 };
	char half[20];
	uint64_t id;

	connect_all();
	if (guard_start(&g, rescue, NULL))
		_exit(1);
	qmp_send(&vm[0].q, "query-status", NULL, -1, &id, &e);
	qmp_send(&vm[0].q, "query-migrate", NULL, -1, &id, &e);
	while (recv(vm[0].q.fd, half, sizeof(half), 0) != sizeof(half))
		;
	raise(SIGKILL);
	_exit(1);
}

static void rescue_after_a_kill(void **ctx)
{
	pid_t parent = fork();
	int status;

	(void)ctx;
	if (!parent)
		be_killed();
	assert_int_equal(waitpid(parent, &status, 0), parent);
	assert_true(WIFSIGNALED(status));
	assert_true(set_within(&shared->rescued, 1000));
	assert_true(shared->qemu[0].running && shared->qemu[1].running);
	/* By the connections that the killed process had. */
	assert_int_equal(shared->qemu[0].clients, 1);
	assert_int_equal(shared->qemu[1].clients, 1);
	assert_int_equal(shared->qemu[0].bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(keeps_the_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(connects_again, setup, teardown),
		cmocka_unit_test_setup_teardown(one_is_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(one_hangs, setup, teardown),
		cmocka_unit_test_setup_teardown(no_rescue_after_an_orderly_end, setup, teardown),
		cmocka_unit_test_setup_teardown(rescue_after_a_kill, setup, teardown),
	};
	int rc;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED || !mkdtemp(dir))
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(dir);
	return rc;
}
