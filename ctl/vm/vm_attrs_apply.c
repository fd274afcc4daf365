// SPDX-License-Identifier: GPL-2.0
/* What a new process sets for itself between fork and exec. */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <linux/capability.h>
#include <linux/mempolicy.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/out.h"
#include "base/util.h"
#include "vm/vm_attrs.h"

#define NUMA_WORDS 16

/* All that is known beforehand, so that the child needs nothing but system calls. */
struct attrs_child {
	int cgroup;
	unsigned int nr_limits;
	int resource[RLIM_NLIMITS];
	struct rlimit limit[RLIM_NLIMITS];
	mode_t umask;
	char oom_score_adj[16];
	char coredump_filter[32];
	char label[256];
	unsigned long personality;
	bool set_user;
	unsigned int uid[4];
	unsigned int gid[4];
	gid_t *groups;
	size_t nr_groups;
	unsigned long long inheritable;
	unsigned long long permitted;
	unsigned long long bounding;
	unsigned long long ambient;
	bool no_new_privs;
	unsigned long long ignored;
	int numa_mode;
	unsigned long numa[NUMA_WORDS];
	bool has_sched;
	struct thread_sched sched;
	int cpu_bytes;
	unsigned char cpus[ATTRS_CPU_BYTES];
};

/* Names of /proc/PID/limits. */
static const struct {
	const char *name;
	int resource;
} limit_names[] = {
	{ "cpu time", RLIMIT_CPU }, { "file size", RLIMIT_FSIZE }, { "data size", RLIMIT_DATA },
	{ "stack size", RLIMIT_STACK }, { "core file size", RLIMIT_CORE },
	{ "resident set", RLIMIT_RSS }, { "processes", RLIMIT_NPROC },
	{ "open files", RLIMIT_NOFILE }, { "locked memory", RLIMIT_MEMLOCK },
	{ "address space", RLIMIT_AS }, { "file locks", RLIMIT_LOCKS },
	{ "pending signals", RLIMIT_SIGPENDING }, { "msgqueue size", RLIMIT_MSGQUEUE },
	{ "nice priority", RLIMIT_NICE }, { "realtime priority", RLIMIT_RTPRIO },
	{ "realtime timeout", RLIMIT_RTTIME },
};

static rlim_t limit_value(const char *s)
{
	return has_prefix(s, "unlimited") ? RLIM_INFINITY : strtoull(s, NULL, 10);
}

static int prepare_limits(struct attrs_child *c, struct json_object *limits, struct kh_err *e)
{
	const char *pair, *hard;
	size_t i;

	if (!json_object_is_type(limits, json_type_object))
		return err_set(e, -EINVAL, "no resource limits");
	json_object_object_foreach(limits, key, value) {
		for (i = 0; i < ARRAY_SIZE(limit_names); i++)
			if (!strcmp(limit_names[i].name, key))
				break;
		pair = json_object_get_string(value);
		hard = strchr(pair, ' ');
		if (i == ARRAY_SIZE(limit_names) || !hard || c->nr_limits == RLIM_NLIMITS)
			return err_set(e, -EINVAL, "unknown resource limit %s", key);
		c->resource[c->nr_limits] = limit_names[i].resource;
		c->limit[c->nr_limits].rlim_cur = limit_value(pair);
		c->limit[c->nr_limits++].rlim_max = limit_value(hard + 1);
	}
	return 0;
}

static int prepare_user(struct attrs_child *c, struct json_object *a, struct kh_err *e)
{
	const char *p = jstr(a, "groups");
	char *end;

	if (sscanf(jstr(a, "uid"), "%u %u %u %u", &c->uid[0], &c->uid[1], &c->uid[2], &c->uid[3]) != 4 ||
	    sscanf(jstr(a, "gid"), "%u %u %u %u", &c->gid[0], &c->gid[1], &c->gid[2], &c->gid[3]) != 4)
		return err_set(e, -EINVAL, "no user or group");
	c->groups = calloc(strlen(p) + 1, sizeof(*c->groups));
	if (!c->groups)
		return err_set(e, -ENOMEM, "out of memory");
	for (; *p; p = end + (*end == ' ')) {
		c->groups[c->nr_groups++] = strtoul(p, &end, 10);
		if (end == p)
			return err_set(e, -EINVAL, "groups %s", jstr(a, "groups"));
	}
	c->inheritable = strtoull(jstr(a, "cap_inheritable"), NULL, 16);
	c->permitted = strtoull(jstr(a, "cap_permitted"), NULL, 16);
	c->bounding = strtoull(jstr(a, "cap_bounding"), NULL, 16);
	c->ambient = strtoull(jstr(a, "cap_ambient"), NULL, 16);
	return 0;
}

int attrs_set_nodes(struct json_object *a, struct json_object *disks, struct json_object *moved,
		    struct kh_err *e)
{
	const char *node;
	struct json_object *nodes = jget(a, "nodes");
	unsigned int uid, gid, mode;
	struct stat st;

	if (!json_object_is_type(nodes, json_type_object))
		return 0;
	json_object_object_foreach(nodes, path, value) {
		if (sscanf(json_object_get_string(value), "%u %u %o", &uid, &gid, &mode) != 3)
			return err_set(e, -EINVAL, "owner of %s", path);
		node = *jstr(moved, path) ? jstr(moved, path) : path;
		/*
		 * A block device may be another disk by now. Only a name in @disks was compared by its
		 * identity. Any other keeps its owner: a QEMU that needs it says so, and its state is kept.
		 */
		if (!stat(node, &st) && S_ISBLK(st.st_mode) && !*jstr(disks, path)) {
			talk("%s keeps its owner: the command line names no disk so", node);
			continue;
		}
		if (chown(node, uid, gid) || chmod(node, mode))
			return err_set(e, -errno, "owner and mode of %s: %s", node, strerror(errno));
	}
	return 0;
}

void attrs_own(struct json_object *a, const char *path)
{
	unsigned int uid, gid;

	if (sscanf(jstr(a, "uid"), "%*u %u", &uid) == 1 && sscanf(jstr(a, "gid"), "%*u %u", &gid) == 1 &&
	    chown(path, uid, gid))
		talk("%s stays root's: %s", path, strerror(errno));
}

static void prepare_numa(struct attrs_child *c, const char *policy)
{
	static const struct {
		const char *name;
		int mode;
	} modes[] = {
		{ "local", MPOL_LOCAL }, { "bind:", MPOL_BIND }, { "prefer:", MPOL_PREFERRED },
		{ "interleave:", MPOL_INTERLEAVE },
	};
	unsigned char mask[ATTRS_CPU_BYTES];
	size_t i;

	c->numa_mode = MPOL_DEFAULT;
	for (i = 0; i < ARRAY_SIZE(modes); i++)
		if (has_prefix(policy, modes[i].name))
			break;
	if (i == ARRAY_SIZE(modes) || cpus_parse(policy + strlen(modes[i].name), mask) < 0)
		return;
	c->numa_mode = modes[i].mode;
	memcpy(c->numa, mask, sizeof(c->numa));
}

/* Limits of a cgroup are no reason to keep a guest standing; khctl verify tells when they are missing. */
static void prepare_cgroup(struct attrs_child *c, struct json_object *a)
{
	struct json_object *levels = jget(a, "cgroup_levels");
	struct kh_err e = { 0 };
	char mount_point[256];

	if (!json_object_is_type(levels, json_type_array))
		return;
	if (!*cgroup_mount(mount_point, sizeof(mount_point)) &&
	    !mount("cgroup2", "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		copy_str(mount_point, sizeof(mount_point), "/sys/fs/cgroup");
	c->cgroup = cgroup_make(mount_point, levels, &e);
	if (c->cgroup < 0)
		talk("cgroup %s: %s", jstr(a, "cgroup"), e.msg);
}

static void prepare_label(struct attrs_child *c, const char *label)
{
	if (!*label || has_prefix(label, "unconfined") || !strcmp(label, "kernel"))
		return;
	/* AppArmor reads "PROFILE (MODE)" and takes "exec PROFILE"; SELinux takes what it gave. */
	if (strstr(label, " ("))
		path_fmt(c->label, sizeof(c->label), "exec %.*s", (int)strcspn(label, " "), label);
	else
		copy_str(c->label, sizeof(c->label), label);
}

struct attrs_child *attrs_child_prepare(struct json_object *a, bool own_user, struct kh_err *e)
{
	struct attrs_child *c = calloc(1, sizeof(*c));
	struct json_object *main_thread = jget(jget(a, "threads"), "main");
	int rc;

	if (!c) {
		err_set(e, -ENOMEM, "out of memory");
		return NULL;
	}
	c->cgroup = -1;
	rc = prepare_limits(c, jget(a, "rlimits"), e);
	if (!rc)
		rc = prepare_user(c, a, e);
	if (rc) {
		attrs_child_free(c);
		return NULL;
	}
	c->set_user = !own_user;
	c->umask = strtoul(jstr(a, "umask"), NULL, 8);
	copy_str(c->oom_score_adj, sizeof(c->oom_score_adj), jstr(a, "oom_score_adj"));
	/* The kernel prints it without the 0x that it wants to read. */
	if (*jstr(a, "coredump_filter"))
		path_fmt(c->coredump_filter, sizeof(c->coredump_filter), "0x%s",
			 jstr(a, "coredump_filter"));
	prepare_label(c, jstr(a, "label"));
	c->personality = strtoul(jstr(a, "personality"), NULL, 16);
	c->no_new_privs = !strcmp(jstr(a, "no_new_privs"), "1");
	c->ignored = strtoull(jstr(a, "signals_ignored"), NULL, 16);
	prepare_numa(c, jstr(a, "numa"));
	c->has_sched = !sched_of_json(main_thread, &c->sched);
	c->cpu_bytes = cpus_parse(jstr(main_thread, "cpus"), c->cpus);
	prepare_cgroup(c, a);
	return c;
}

void attrs_child_free(struct attrs_child *c)
{
	if (!c)
		return;
	if (c->cgroup >= 0)
		close(c->cgroup);
	free(c->groups);
	free(c);
}

/* Return: 0 or -errno; a text that is empty is not written. */
static int write_once(const char *path, const char *text)
{
	size_t len = strlen(text);
	int fd, rc = 0;

	if (!len)
		return 0;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, text, len) != (ssize_t)len)
		rc = errno ? -errno : -EIO;
	close(fd);
	return rc;
}

static int apply_limits(const struct attrs_child *c)
{
	unsigned int i;

	for (i = 0; i < c->nr_limits; i++)
		if (setrlimit(c->resource[i], &c->limit[i]))
			return -errno;
	return 0;
}

static void apply_signals(const struct attrs_child *c)
{
	int sig;

	/* QEMU ignores SIGPIPE by itself. */
	for (sig = 1; sig < 64; sig++)
		if (c->ignored >> (sig - 1) & 1 && sig != SIGPIPE)
			signal(sig, SIG_IGN);
}

/* CPUs may not be online yet; attrs_apply_threads() does it again when they are. */
static void apply_sched(const struct attrs_child *c)
{
	if (c->cpu_bytes > 0)
		syscall(SYS_sched_setaffinity, 0, c->cpu_bytes, c->cpus);
	if (c->has_sched)
		syscall(SYS_sched_setattr, 0, &c->sched, 0);
}

static int set_caps(unsigned long long inheritable, unsigned long long permitted)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ permitted, permitted, inheritable },
		{ permitted >> 32, permitted >> 32, inheritable >> 32 },
	};

	return syscall(SYS_capset, &head, data) ? -errno : 0;
}

/* The bounding set first: dropping from it needs what the user change takes away. */
static int apply_user(const struct attrs_child *c)
{
	int cap, rc;

	for (cap = 0; cap < 64; cap++)
		if (!(c->bounding >> cap & 1) && prctl(PR_CAPBSET_READ, cap) == 1 &&
		    prctl(PR_CAPBSET_DROP, cap))
			return -errno;
	if (prctl(PR_SET_KEEPCAPS, 1) || syscall(SYS_setgroups, c->nr_groups, c->groups) ||
	    syscall(SYS_setresgid, c->gid[0], c->gid[1], c->gid[2]) ||
	    syscall(SYS_setresuid, c->uid[0], c->uid[1], c->uid[2]))
		return -errno;
	rc = set_caps(c->inheritable | c->ambient, c->permitted | c->ambient);
	for (cap = 0; !rc && cap < 64; cap++)
		if (c->ambient >> cap & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0))
			rc = -errno;
	return rc;
}

int attrs_child_apply(const struct attrs_child *c, const char **step)
{
	int rc;

	/* As prepare_cgroup() says, this is no reason to fail. */
	if (c->cgroup >= 0 && write(c->cgroup, "0", 1) != 1)
		errno = 0;
	umask(c->umask);
	apply_signals(c);
	apply_sched(c);
	*step = "its memory policy";
	if (c->numa_mode != MPOL_DEFAULT &&
	    syscall(SYS_set_mempolicy, c->numa_mode, c->numa_mode == MPOL_LOCAL ? NULL : c->numa,
		    c->numa_mode == MPOL_LOCAL ? 0 : sizeof(c->numa) * 8))
		return -errno;
	*step = "its personality";
	if (personality(c->personality) < 0)
		return -errno;
	*step = "oom_score_adj";
	rc = write_once("/proc/self/oom_score_adj", c->oom_score_adj);
	if (rc)
		return rc;
	*step = "its core dump filter";
	rc = write_once("/proc/self/coredump_filter", c->coredump_filter);
	if (rc)
		return rc;
	*step = "its security label";
	rc = write_once("/proc/self/attr/exec", c->label);
	if (rc)
		return rc;
	*step = "its resource limits";
	rc = apply_limits(c);
	if (rc)
		return rc;
	*step = "its user, groups and capabilities";
	rc = c->set_user ? apply_user(c) : 0;
	if (rc)
		return rc;
	*step = "no_new_privs";
	return c->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0;
}
