// SPDX-License-Identifier: GPL-2.0
/* Scheduling of the threads of a QEMU: the main thread, vCPUs in order, iothreads by name. */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/util.h"
#include "vm/vm_attrs.h"

/* ioprio_get(2) has no header. */
#define IOPRIO_WHO_PROCESS 1

static_assert(sizeof(struct thread_sched) == 56, "struct sched_attr of Linux 5.3");

static void add_num(struct json_object *o, const char *key, long long value)
{
	json_object_object_add(o, key, json_object_new_int64(value));
}

int cpus_parse(const char *list, unsigned char mask[ATTRS_CPU_BYTES])
{
	unsigned long first, last;
	int bytes = 0;
	char *end;

	memset(mask, 0, ATTRS_CPU_BYTES);
	while (*list) {
		first = last = strtoul(list, &end, 10);
		if (end == list)
			return -EINVAL;
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		if (last < first || last >= ATTRS_CPU_BYTES * 8 || (*end && *end != ','))
			return -EINVAL;
		for (; first <= last; first++)
			mask[first / 8] |= 1 << first % 8;
		bytes = (last / 64 + 1) * 8 > (unsigned long)bytes ? (int)(last / 64 + 1) * 8 : bytes;
		list = *end ? end + 1 : end;
	}
	return bytes;
}

static int read_cpus(pid_t pid, pid_t tid, char *buf, size_t size)
{
	char path[64], *text, *p;
	size_t len;
	int rc = read_all(path_fmt(path, sizeof(path), "/proc/%d/task/%d/status", pid, tid), &text,
			  &len);

	if (rc)
		return rc;
	p = strstr(text, "Cpus_allowed_list:");
	if (p) {
		p += strlen("Cpus_allowed_list:");
		p += strspn(p, " \t");
		path_fmt(buf, size, "%.*s", (int)strcspn(p, "\n"), p);
	}
	free(text);
	return p ? 0 : -ENOENT;
}

/* One thread as JSON. NULL: it has ended. */
static struct json_object *read_thread(pid_t pid, pid_t tid)
{
	struct thread_sched s = { .size = sizeof(s) };
	struct json_object *o;
	char list[2048];
	long io = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, tid);

	if (read_cpus(pid, tid, list, sizeof(list)) ||
	    syscall(SYS_sched_getattr, tid, &s, sizeof(s), 0))
		return NULL;
	o = json_object_new_object();
	json_object_object_add(o, "cpus", json_object_new_string(list));
	add_num(o, "policy", s.policy);
	add_num(o, "flags", s.flags);
	add_num(o, "nice", s.nice);
	add_num(o, "priority", s.priority);
	add_num(o, "runtime", s.runtime);
	add_num(o, "deadline", s.deadline);
	add_num(o, "period", s.period);
	/* A kernel built without block devices has no I/O priorities. */
	add_num(o, "ioprio", io < 0 ? 0 : io);
	return o;
}

int sched_of_json(struct json_object *o, struct thread_sched *s)
{
	memset(s, 0, sizeof(*s));
	if (!json_object_is_type(o, json_type_object))
		return -EINVAL;
	s->size = sizeof(*s);
	s->policy = jint(o, "policy");
	s->flags = jint(o, "flags");
	s->nice = jint(o, "nice");
	s->priority = jint(o, "priority");
	s->runtime = jint(o, "runtime");
	s->deadline = jint(o, "deadline");
	s->period = jint(o, "period");
	return 0;
}

static int add_roles(struct qmp *q, struct json_object *roles, const char *cmd, const char *kind,
		     const char *key, struct kh_err *e)
{
	struct json_object *list, *o;
	char role[128];
	size_t i;
	int rc = qmp_array(q, cmd, NULL, &list, e);

	if (rc)
		return rc;
	for (i = 0; i < json_object_array_length(list); i++) {
		o = json_object_array_get_idx(list, i);
		path_fmt(role, sizeof(role), "%s-%s", kind, json_object_get_string(jget(o, key)));
		json_object_object_add(roles, role, json_object_new_int64(jint(o, "thread-id")));
	}
	json_object_put(list);
	return 0;
}

int attrs_roles(pid_t pid, struct qmp *q, struct json_object **roles, struct kh_err *e)
{
	int rc;

	*roles = json_object_new_object();
	json_object_object_add(*roles, "main", json_object_new_int64(pid));
	rc = add_roles(q, *roles, "query-cpus-fast", "vcpu", "cpu-index", e);
	return rc ? rc : add_roles(q, *roles, "query-iothreads", "iothread", "id", e);
}

/* Is there a role whose threads are scheduled like this one? A thread inherits from its creator. */
static bool like_a_role(struct json_object *threads, struct json_object *o)
{
	const char *text = json_object_to_json_string(o);

	json_object_object_foreach(threads, role, value) {
		(void)role;
		if (!strcmp(json_object_to_json_string(value), text))
			return true;
	}
	return false;
}

/* A thread without a role that somebody scheduled by hand: nothing tells it in the next QEMU. */
static void find_alone(pid_t pid, struct json_object *attrs, struct json_object *threads)
{
	char path[64], text[128] = "";
	struct json_object *o;
	struct dirent *d;
	DIR *dir = opendir(path_fmt(path, sizeof(path), "/proc/%d/task", pid));

	while (dir && (d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		o = read_thread(pid, atoi(d->d_name));
		if (o && !like_a_role(threads, o))
			path_fmt(text, sizeof(text), "thread %s, no vCPU or iothread, has CPUs %.40s and nice %lld",
				 d->d_name, jstr(o, "cpus"), (long long)jint(o, "nice"));
		json_object_put(o);
	}
	if (dir)
		closedir(dir);
	json_object_object_add(attrs, "thread_alone", json_object_new_string(text));
}

void attrs_read_threads(pid_t pid, struct json_object *roles, struct json_object *attrs)
{
	struct json_object *threads = json_object_new_object(), *o;

	if (!roles)
		goto out;
	json_object_object_foreach(roles, role, tid) {
		o = read_thread(pid, json_object_get_int64(tid));
		if (o)
			json_object_object_add(threads, role, o);
	}
	find_alone(pid, attrs, threads);
out:
	json_object_object_add(attrs, "threads", threads);
}

/* A thread that is scheduled as wanted already is left alone. */
static int apply_thread(pid_t pid, pid_t tid, struct json_object *wanted)
{
	struct json_object *now = read_thread(pid, tid);
	unsigned char mask[ATTRS_CPU_BYTES];
	struct thread_sched s;
	int bytes, rc;
	bool same;

	if (!now)
		return -ESRCH;
	same = !strcmp(json_object_to_json_string(now), json_object_to_json_string(wanted));
	json_object_put(now);
	if (same)
		return 0;
	bytes = cpus_parse(jstr(wanted, "cpus"), mask);
	rc = bytes < 0 ? bytes : sched_of_json(wanted, &s);
	if (rc)
		return rc;
	if (syscall(SYS_sched_setaffinity, tid, bytes, mask) < 0 ||
	    syscall(SYS_sched_setattr, tid, &s, 0))
		return -errno;
	/* Without a priority of its own, a thread has the one that follows from its nice value. */
	if (jint(wanted, "ioprio") &&
	    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, tid, (int)jint(wanted, "ioprio")))
		return -errno;
	return 0;
}

/*
 * Threads without a role were made by others, and inherited from them while a CPU was still
 * missing. Those that are scheduled like none of the roles get what the main thread has.
 */
static int apply_others(pid_t pid, struct json_object *threads)
{
	struct json_object *now;
	struct dirent *d;
	char path[64];
	int rc, first = 0;
	DIR *dir = opendir(path_fmt(path, sizeof(path), "/proc/%d/task", pid));

	while (dir && jget(threads, "main") && (d = readdir(dir))) {
		now = d->d_name[0] == '.' ? NULL : read_thread(pid, atoi(d->d_name));
		rc = now && !like_a_role(threads, now) ?
		     apply_thread(pid, atoi(d->d_name), jget(threads, "main")) : 0;
		json_object_put(now);
		/* A thread may end meanwhile. */
		if (rc && rc != -ESRCH && !first)
			first = rc;
	}
	if (dir)
		closedir(dir);
	return first;
}

int attrs_apply_threads(pid_t pid, struct json_object *roles, struct json_object *attrs,
			struct kh_err *e)
{
	struct json_object *wanted;
	int rc, first = 0;

	if (!roles)
		return err_set(e, -ENODATA, "which thread is which is not known");
	json_object_object_foreach(roles, role, tid) {
		wanted = jget(jget(attrs, "threads"), role);
		rc = wanted ? apply_thread(pid, json_object_get_int64(tid), wanted) : 0;
		if (rc && !first)
			first = err_set(e, rc, "scheduling of thread %s: %s", role, strerror(-rc));
	}
	rc = apply_others(pid, jget(attrs, "threads"));
	if (rc && !first)
		first = err_set(e, rc, "scheduling of a worker thread: %s", strerror(-rc));
	return first;
}
