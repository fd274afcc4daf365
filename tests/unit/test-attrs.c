// SPDX-License-Identifier: GPL-2.0
/* Attributes of a process: read from one, given to another, compared. */
#include "unit.h"
#include <fcntl.h>
#include <json-c/json.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/util.h"
#include "vm/vm_attrs.h"

static struct kh_err e;

static struct json_object *read_self(pid_t pid)
{
	struct json_object *a = NULL;

	memset(&e, 0, sizeof(e));
	if (attrs_read(pid, &a, &e))
		fail_msg("%s", e.msg);
	return a;
}

/* A child that waits; @apply: attributes that it takes on first. */
static pid_t start(const struct attrs_child *apply, int *wake)
{
	int fds[2], ready[2];
	const char *step = "";
	char c = 0;
	pid_t pid;

	assert_int_equal(pipe(fds) | pipe(ready), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(fds[1]);
		c = apply && attrs_child_apply(apply, &step);
		if (write(ready[1], &c, 1) != 1 || read(fds[0], &c, 1) < 0)
			_exit(1);
		_exit(0);
	}
	close(fds[0]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(c, 0);
	close(ready[0]);
	*wake = fds[1];
	return pid;
}

static void end(pid_t pid, int wake)
{
	close(wake);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void set(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

static void the_same_process(void **ctx)
{
	struct json_object *a = read_self(getpid()), *b = read_self(getpid());
	char why[512];

	(void)ctx;
	assert_int_equal(attrs_differ(a, b, why, sizeof(why)), 0);
	assert_string_equal(why, "");
	set(b, "umask", "0777");
	set(jget(b, "rlimits"), "open files", "7 8");
	json_object_object_del(b, "cwd");
	assert_int_equal(attrs_differ(a, b, why, sizeof(why)), 3);
	assert_non_null(strstr(why, "umask was"));
	assert_non_null(strstr(why, "rlimits.open files was"));
	assert_non_null(strstr(why, "is not there"));
	json_object_put(a);
	json_object_put(b);
}

/* One process sets everything that needs no privilege; another gets it from what was read. */
static void given_to_another(void **ctx)
{
	struct json_object *before, *after, *plain;
	struct rlimit lim = { 77, 99 };
	struct attrs_child *c;
	char why[1024], text[32];
	int wake, wake2;
	pid_t first, second;
	FILE *f;

	(void)ctx;
	plain = read_self(getpid());
	first = fork();
	if (!first) {
		/* Nothing is left of a test that fails. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		umask(031);
		signal(SIGUSR2, SIG_IGN);
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		setrlimit(RLIMIT_NOFILE, &lim);
		f = fopen("/proc/self/oom_score_adj", "w");
		fprintf(f, "555");
		fclose(f);
		f = fopen("/proc/self/coredump_filter", "w");
		fprintf(f, "0x11");
		fclose(f);
		pause();
		_exit(0);
	}
	for (;;) {
		before = read_self(first);
		if (!strcmp(jstr(before, "coredump_filter"), "00000011"))
			break;
		json_object_put(before);
		assert_int_equal(waitpid(first, NULL, WNOHANG), 0);
		sched_yield();
	}
	/* The child has set all when it has set the last; what was read before that may be older. */
	json_object_put(before);
	before = read_self(first);
	assert_true(attrs_differ(before, plain, why, sizeof(why)) >= 6);
	/* Changing the user needs root, whom these tests do without. */
	c = attrs_child_prepare(before, geteuid(), &e);
	assert_non_null(c);
	second = start(c, &wake);
	after = read_self(second);
	if (attrs_differ(before, after, why, sizeof(why)))
		fail_msg("%s", why);
	path_fmt(text, sizeof(text), "%s", jstr(jget(after, "rlimits"), "open files"));
	assert_string_equal(text, "77 99");
	assert_string_equal(jstr(after, "umask"), "0031");
	assert_string_equal(jstr(after, "no_new_privs"), "1");
	assert_string_equal(jstr(after, "oom_score_adj"), "555");
	end(second, wake);
	/* The comparison is no formality: a process that takes nothing on differs. */
	second = start(NULL, &wake2);
	json_object_put(after);
	after = read_self(second);
	assert_true(attrs_differ(before, after, why, sizeof(why)) >= 6);
	end(second, wake2);
	kill(first, SIGKILL);
	waitpid(first, NULL, 0);
	attrs_child_free(c);
	json_object_put(plain);
	json_object_put(before);
	json_object_put(after);
}

static void scheduling(void **ctx)
{
	struct json_object *roles = json_object_new_object(), *a, *b;
	char why[512];
	int wake;
	pid_t pid = start(NULL, &wake);

	(void)ctx;
	json_object_object_add(roles, "main", json_object_new_int64(pid));
	a = read_self(pid);
	attrs_read_threads(pid, roles, a);
	assert_string_equal(jstr(a, "thread_alone"), "");
	json_object_object_add(jget(jget(a, "threads"), "main"), "nice", json_object_new_int64(7));
	b = read_self(pid);
	attrs_read_threads(pid, roles, b);
	assert_int_equal(attrs_differ(a, b, why, sizeof(why)), 1);
	assert_string_equal(why, "threads.main.nice was 7, is 0");
	json_object_put(b);
	assert_int_equal(attrs_apply_threads(pid, roles, a, &e), 0);
	b = read_self(pid);
	attrs_read_threads(pid, roles, b);
	assert_int_equal(attrs_differ(a, b, why, sizeof(why)), 0);
	json_object_put(b);
	/* Without knowing which thread is which, nothing is done, and it is said. */
	assert_int_equal(attrs_apply_threads(pid, NULL, a, &e), -ENODATA);
	/* A CPU that is not there. */
	json_object_object_add(jget(jget(a, "threads"), "main"), "cpus", json_object_new_string("8000"));
	memset(&e, 0, sizeof(e));
	assert_int_not_equal(attrs_apply_threads(pid, roles, a, &e), 0);
	assert_non_null(strstr(e.msg, "thread main"));
	end(pid, wake);
	json_object_put(a);
	json_object_put(roles);
}

static void another_user(void **ctx)
{
	struct json_object *a = read_self(getpid()), *after;
	struct attrs_child *c;
	char why[512];
	int wake;
	pid_t pid;

	(void)ctx;
	if (geteuid()) {
		json_object_put(a);
		skip();
	}
	set(a, "uid", "1234 1234 1234 1234");
	set(a, "gid", "77 77 77 77");
	set(a, "groups", "5 77 1000");
	set(a, "cap_ambient", "0000000000000400");
	set(a, "cap_inheritable", "0000000000000400");
	set(a, "cap_permitted", "0000000000000400");
	set(a, "cap_effective", "0000000000000400");
	set(a, "cap_bounding", "0000000000000401");
	c = attrs_child_prepare(a, false, &e);
	assert_non_null(c);
	pid = start(c, &wake);
	after = read_self(pid);
	json_object_object_del(after, "nodes");
	if (attrs_differ(a, after, why, sizeof(why)))
		fail_msg("%s", why);
	end(pid, wake);
	attrs_child_free(c);
	json_object_put(a);
	json_object_put(after);
}

static const char *obstacle(const char *key, const char *value, bool sandbox)
{
	struct json_object *a = read_self(getpid());
	static char found[256], text[320];
	const char *id;

	set(a, "namespaces", "");
	set(a, "cgroup", "/");
	set(a, "cgroup_v1", "");
	set(a, "seccomp", "0");
	set(a, "root", "/");
	set(a, "uid", "0 0 0 0");
	set(a, "cap_bounding", "000000000000000f");
	set(a, "cap_inheritable", "0");
	set(a, "cap_permitted", "f");
	set(a, "cap_effective", "f");
	set(a, key, value);
	id = attrs_obstacle(a, 0, sandbox, found, sizeof(found));
	path_fmt(text, sizeof(text), "%s %s", id ? id : "none", id ? found : "");
	json_object_put(a);
	return text;
}

static void obstacles(void **ctx)
{
	(void)ctx;
	assert_string_equal(obstacle("umask", "0022", false), "none ");
	assert_non_null(strstr(obstacle("namespaces", "net mnt", false), "vm-namespace it has namespaces of its own: net mnt"));
	assert_non_null(strstr(obstacle("root", "/jail", false), "vm-namespace"));
	assert_non_null(strstr(obstacle("cgroup_v1", "4:cpu:/x", false), "vm-cgroup"));
	assert_non_null(strstr(obstacle("cgroup", "/x", false), "vm-cgroup"));
	assert_non_null(strstr(obstacle("numa", "weighted interleave:0-1", false), "vm-numa"));
	assert_non_null(strstr(obstacle("numa", "bind=static:0-1", false), "vm-numa"));
	assert_string_equal(obstacle("numa", "bind:0", false), "none ");
	assert_non_null(strstr(obstacle("seccomp", "2", false), "vm-seccomp"));
	assert_string_equal(obstacle("seccomp", "2", true), "none ");
	assert_non_null(strstr(obstacle("cap_effective", "7", false), "vm-capabilities"));
	assert_non_null(strstr(obstacle("thread_alone", "thread 7", false), "vm-thread thread 7"));
}

static void lists_of_cpus(void **ctx)
{
	unsigned char mask[ATTRS_CPU_BYTES];

	(void)ctx;
	assert_int_equal(cpus_parse("0-1,3", mask), 8);
	assert_int_equal(mask[0], 0xb);
	assert_int_equal(cpus_parse("64", mask), 16);
	assert_int_equal(mask[8], 1);
	assert_int_equal(cpus_parse("", mask), 0);
	assert_int_equal(cpus_parse("3-1", mask), -EINVAL);
	assert_int_equal(cpus_parse("x", mask), -EINVAL);
	assert_int_equal(cpus_parse("0-99999999", mask), -EINVAL);
}

/* A tree of plain files stands for the cgroup file system. */
static void cgroups(void **ctx)
{
	char dir[] = "/tmp/khctl-unit-XXXXXX", path[256], text[64];
	struct json_object *levels;
	int fd;

	(void)ctx;
	assert_non_null(mkdtemp(dir));
#define FILE_OF(name, value) do { \
		fd = open(path_fmt(path, sizeof(path), "%s/%s", dir, name), O_WRONLY | O_CREAT | O_TRUNC, 0600); \
		assert_true(fd >= 0); \
		assert_int_equal(write(fd, value, strlen(value)), (ssize_t)strlen(value)); \
		close(fd); \
	} while (0)
	assert_int_equal(mkdir(path_fmt(path, sizeof(path), "%s/a", dir), 0700), 0);
	assert_int_equal(mkdir(path_fmt(path, sizeof(path), "%s/a/b", dir), 0700), 0);
	FILE_OF("cgroup.subtree_control", "");
	FILE_OF("a/cgroup.subtree_control", "");
	FILE_OF("a/memory.max", "max\n");
	FILE_OF("a/b/memory.max", "4096\n");
	FILE_OF("a/b/cpuset.cpus", "");
	FILE_OF("a/b/cgroup.procs", "");
	levels = cgroup_read(dir, "/a/b");
	assert_int_equal(json_object_array_length(levels), 2);
	assert_null(cgroup_read(dir, "/a/c"));
	assert_null(cgroup_read("", "/a/b"));
	FILE_OF("a/b/memory.max", "max\n");
	memset(&e, 0, sizeof(e));
	fd = cgroup_make(dir, levels, &e);
	if (fd < 0)
		fail_msg("%s", e.msg);
	close(fd);
	assert_true(read_text(path_fmt(path, sizeof(path), "%s/a/b/memory.max", dir), text, sizeof(text)) > 0);
	assert_non_null(strstr(text, "4096"));
	assert_true(read_text(path_fmt(path, sizeof(path), "%s/a/cgroup.subtree_control", dir), text, sizeof(text)) > 0);
	assert_string_equal(text, "+memory");
	/* Without the controller there is no such file. */
	unlink(path_fmt(path, sizeof(path), "%s/a/b/memory.max", dir));
	assert_int_equal(cgroup_make(dir, levels, &e), -ENOENT);
	json_object_put(levels);
	path_fmt(path, sizeof(path), "rm -r %s", dir);
	assert_int_equal(system(path), 0);
}

static void gone(void **ctx)
{
	struct json_object *a;
	int wake;
	pid_t pid = start(NULL, &wake);

	(void)ctx;
	end(pid, wake);
	memset(&e, 0, sizeof(e));
	assert_int_not_equal(attrs_read(pid, &a, &e), 0);
	assert_null(a);
	assert_int_not_equal(e.rc, 0);
}

/* A block device under a name that the command line does not have may be another disk by now. */
static void only_compared_disks_change_owner(void **ctx)
{
	char dir[] = "/tmp/khctl-nodes.XXXXXX", node[64];
	struct json_object *a, *nodes, *disks, *moved;
	struct stat st;

	(void)ctx;
	assert_non_null(mkdtemp(dir));
	path_fmt(node, sizeof(node), "%s/disk", dir);
	if (mknod(node, S_IFBLK | 0600, makedev(7, 99))) {
		rmdir(dir);
		skip();	/* only root makes devices */
	}
	a = json_object_new_object();
	nodes = json_object_new_object();
	disks = json_object_new_object();
	moved = json_object_new_object();
	json_object_object_add(nodes, node, json_object_new_string("1234 1235 660"));
	json_object_object_add(a, "nodes", nodes);
	assert_int_equal(attrs_set_nodes(a, disks, moved, &e), 0);
	assert_int_equal(stat(node, &st), 0);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	json_object_object_add(disks, node, json_object_new_string("serial=x"));
	assert_int_equal(attrs_set_nodes(a, disks, moved, &e), 0);
	assert_int_equal(stat(node, &st), 0);
	assert_int_equal(st.st_uid, 1234);
	assert_int_equal(st.st_gid, 1235);
	assert_int_equal(st.st_mode & 07777, 0660);
	json_object_put(a);
	json_object_put(disks);
	json_object_put(moved);
	unlink(node);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_compared_disks_change_owner),
		cmocka_unit_test(the_same_process),
		cmocka_unit_test(given_to_another),
		cmocka_unit_test(scheduling),
		cmocka_unit_test(another_user),
		cmocka_unit_test(obstacles),
		cmocka_unit_test(lists_of_cpus),
		cmocka_unit_test(cgroups),
		cmocka_unit_test(gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
