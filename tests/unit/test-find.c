// SPDX-License-Identifier: GPL-2.0
/* Finding the QMP socket of a process. The process is this program under another name. */
#include "unit.h"
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "base/util.h"
#include "fake-qemu.h"
#include "vm/vm_find.h"

static char dir[] = "/tmp/test-find-XXXXXX";

/* Names as the kernel prints them: bound and listening, connected, with a space, abstract, nameless. */
static void listening(void **ctx)
{
	static const char table[] =
		"Num       RefCount Protocol Flags    Type St Inode Path\n"
		"0000000000000000: 00000002 00000000 00010000 0001 01 11 /run/a.qmp\n"
		"0000000000000000: 00000003 00000000 00000000 0001 03 12 /run/a.qmp\n"
		"0000000000000000: 00000002 00000000 00010000 0001 01 13 /run/with space\n"
		"0000000000000000: 00000002 00000000 00010000 0001 01 14 @abstract\n"
		"0000000000000000: 00000002 00000000 00010000 0001 01 15 relative\n"
		"0000000000000000: 00000003 00000000 00000000 0001 03 16\n"
		"0000000000000000: 00000002 00000000 00010000 0001 01 17 /run/another's\n";
	const unsigned long mine[] = { 11, 12, 13, 14, 15, 16, 0 };
	char *path[8], *text;

	(void)ctx;
	assert_int_equal(vm_listening(table, mine, path, 8, &text), 3);
	assert_string_equal(path[0], "/run/a.qmp");
	assert_string_equal(path[1], "/run/with space");
	assert_string_equal(path[2], "relative");
	free(text);
	assert_int_equal(vm_listening(table, mine, path, 1, &text), 1);
	free(text);
	assert_int_equal(vm_listening("", mine, path, 8, &text), 0);
	free(text);
}

/* A QEMU with a socket that is mute, one that speaks, and its monitor at descriptor 0. */
static pid_t start(const char *qmp, int other)
{
	int fds[2];
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(fds[0], 0);
		dup2(other, 5);
		execl("/proc/self/exe", "fake-qemu", "good", qmp, "socket,fd=0", NULL);
		_exit(1);
	}
	close(fds[0]);
	return pid;
}

/* The file of a socket is there from bind(2) on; only listen(2) makes the kernel set this flag. */
static bool listens(const char *path)
{
	char *table, *line, *save;
	bool found = false;
	size_t len;

	assert_int_equal(read_all("/proc/net/unix", &table, &len), 0);
	for (line = strtok_r(table, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		found |= strstr(line, " 00010000 ") && strstr(line, path);
	free(table);
	return found;
}

static void finds(void **ctx)
{
	char qmp[64], mute[64], path[256] = "";
	pid_t pid;
	int fd, i, rc = -1;

	(void)ctx;
	path_fmt(qmp, sizeof(qmp), "%s/qmp", dir);
	path_fmt(mute, sizeof(mute), "%s/mute", dir);
	fd = fake_listen(mute);
	pid = start(qmp, fd);
	for (i = 0; i < 500 && !listens(qmp); i++)
		usleep(10000);
	assert_true(listens(qmp));
	rc = vm_find_qmp(pid, -1, path, sizeof(path));
	assert_int_equal(rc, 0);
	assert_string_equal(path, qmp);
	/* This process holds the mute one, on which nobody speaks QMP. */
	assert_int_equal(vm_find_qmp(getpid(), -1, path, sizeof(path)), -ENOENT);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(vm_find_qmp(pid, -1, path, sizeof(path)), -ENOENT);
	close(fd);
	unlink(qmp);
	unlink(mute);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(listening),
		cmocka_unit_test(finds),
	};
	int rc;

	if (argc > 2 && !strcmp(argv[0], "fake-qemu"))
		return fake_qemu(argc, argv);
	assert_non_null(mkdtemp(dir));
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(dir);
	return rc;
}
