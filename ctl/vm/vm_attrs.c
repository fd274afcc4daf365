// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <json-c/json.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/util.h"
#include "state/state_io.h"
#include "vm/vm_attrs.h"
#include "vm/vm_opts.h"

static void add_str(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, json_object_new_string(value));
}

static bool is_root(struct json_object *a)
{
	return !strcmp(jstr(a, "uid"), "0 0 0 0");
}

/* A line of /proc/PID/status: what follows "NAME:". Blanks become one space. */
static int status_line(const char *status, const char *name, char *buf, size_t size)
{
	const char *p = status;
	size_t n = strlen(name), used = 0;

	while (strncmp(p, name, n) || p[n] != ':') {
		p = strchr(p, '\n');
		if (!p)
			return -ENOENT;
		p++;
	}
	for (p += n + 1; *p && *p != '\n'; p++) {
		if (isspace((unsigned char)*p) && (!used || buf[used - 1] == ' '))
			continue;
		if (used + 1 >= size)
			return -E2BIG;
		buf[used++] = isspace((unsigned char)*p) ? ' ' : *p;
	}
	while (used && buf[used - 1] == ' ')
		used--;
	buf[used] = '\0';
	return 0;
}

static int read_status(pid_t pid, struct json_object *o, struct kh_err *e)
{
	static const struct {
		const char *line;
		const char *key;
	} lines[] = {
		{ "Uid", "uid" }, { "Gid", "gid" }, { "Groups", "groups" }, { "Umask", "umask" },
		{ "CapInh", "cap_inheritable" }, { "CapPrm", "cap_permitted" },
		{ "CapEff", "cap_effective" }, { "CapBnd", "cap_bounding" },
		{ "CapAmb", "cap_ambient" }, { "NoNewPrivs", "no_new_privs" },
		{ "SigIgn", "signals_ignored" },
	};
	char path[64], *text, *value = malloc(1 << 16);
	size_t len, i;
	int rc = value ? read_all(path_fmt(path, sizeof(path), "/proc/%d/status", pid), &text, &len) :
			 -ENOMEM;

	if (rc) {
		free(value);
		return err_set(e, rc, "%s: %s", path, strerror(-rc));
	}
	for (i = 0; !rc && i < ARRAY_SIZE(lines); i++) {
		rc = status_line(text, lines[i].line, value, 1 << 16);
		if (rc)
			err_set(e, rc, "%s: no line %s", path, lines[i].line);
		else
			add_str(o, lines[i].key, value);
	}
	/* A kernel built without system call filters has no such line. */
	if (!rc)
		add_str(o, "seccomp", status_line(text, "Seccomp", value, 1 << 16) ? "0" : value);
	free(value);
	free(text);
	return rc;
}

/* "Max open files   1024   4096   files": soft and hard limit, in the kernel's order. */
static int read_limits(pid_t pid, struct json_object *o, struct kh_err *e)
{
	struct json_object *limits = json_object_new_object();
	char path[64], text[8192], name[32], soft[32], hard[32], pair[80];
	char *line, *save = NULL;
	int rc;

	rc = read_text(path_fmt(path, sizeof(path), "/proc/%d/limits", pid), text, sizeof(text));
	if (rc < 0) {
		json_object_put(limits);
		return err_set(e, rc, "%s: %s", path, strerror(-rc));
	}
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (!has_prefix(line, "Max ") || strlen(line) < 27)
			continue;
		path_fmt(name, sizeof(name), "%.22s", line + 4);
		while (*name && name[strlen(name) - 1] == ' ')
			name[strlen(name) - 1] = '\0';
		if (sscanf(line + 26, "%31s %31s", soft, hard) == 2)
			add_str(limits, name, path_fmt(pair, sizeof(pair), "%s %s", soft, hard));
	}
	json_object_object_add(o, "rlimits", limits);
	return 0;
}

/* One small file. @missing: what a kernel without it means; NULL: it has to be there. */
static int read_file(pid_t pid, const char *name, const char *missing, struct json_object *o,
		     const char *key, struct kh_err *e)
{
	char path[64], text[4096];
	ssize_t n = read_text(path_fmt(path, sizeof(path), "/proc/%d/%s", pid, name), text,
			      sizeof(text));

	/* The label of a process without one cannot be read: -EINVAL. */
	if (n < 0 && missing)
		copy_str(text, sizeof(text), missing);
	else if (n < 0)
		return err_set(e, n, "%s: %s", path, strerror(-n));
	add_str(o, key, text);
	return 0;
}

static int read_link(pid_t pid, const char *name, char *buf, size_t size, struct kh_err *e)
{
	char path[64];
	ssize_t n = readlink(path_fmt(path, sizeof(path), "/proc/%d/%s", pid, name), buf, size - 1);

	if (n < 0 || n == (ssize_t)size - 1)
		return err_set(e, n < 0 ? -errno : -ENAMETOOLONG, "%s: %s", path,
			       n < 0 ? strerror(errno) : "too long");
	buf[n] = '\0';
	return 0;
}

/* Namespaces that are not those of khctl, which starts the next QEMU in its own. */
static int read_namespaces(pid_t pid, struct json_object *o, struct kh_err *e)
{
	static const char * const names[] = { "cgroup", "ipc", "mnt", "net", "pid", "time", "user",
					      "uts" };
	char name[32], mine[64], its[64], found[128] = "";
	size_t i;
	int rc;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		path_fmt(name, sizeof(name), "ns/%s", names[i]);
		if (read_link(getpid(), name, mine, sizeof(mine), NULL))
			continue;
		rc = read_link(pid, name, its, sizeof(its), e);
		if (rc)
			return rc;
		if (strcmp(mine, its))
			path_fmt(found + strlen(found), sizeof(found) - strlen(found), "%s%s",
				 *found ? " " : "", names[i]);
	}
	add_str(o, "namespaces", found);
	return 0;
}

static int read_environment(pid_t pid, struct json_object *o, struct kh_err *e)
{
	char path[64], *text, hash[24];
	size_t len;
	int rc = read_all(path_fmt(path, sizeof(path), "/proc/%d/environ", pid), &text, &len);

	if (rc)
		return err_set(e, rc, "%s: %s", path, strerror(-rc));
	add_str(o, "environment",
		path_fmt(hash, sizeof(hash), "%016llx", (unsigned long long)kh_hash(text, len)));
	free(text);
	return 0;
}

/*
 * The memory policy of the task: that of its stack, which has none of its own. A kernel without
 * NUMA has no such file.
 */
static void read_numa(pid_t pid, struct json_object *o)
{
	char path[64], policy[128] = "default", *text, *line, *save = NULL;
	size_t len;

	if (read_all(path_fmt(path, sizeof(path), "/proc/%d/numa_maps", pid), &text, &len)) {
		add_str(o, "numa", "default");
		return;
	}
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (strstr(line, " stack"))
			sscanf(line, "%*s %127s", policy);
	add_str(o, "numa", policy);
	free(text);
}

/* "0::/PATH" of the second version; any other line with a path is one of the first. */
static int read_cgroup(pid_t pid, struct json_object *o, struct kh_err *e)
{
	char path[64], text[8192], mount[256], first[256] = "", *line, *save = NULL, *p;
	const char *second = "/";
	ssize_t n = read_text(path_fmt(path, sizeof(path), "/proc/%d/cgroup", pid), text, sizeof(text));

	if (n < 0 && n != -ENOENT)
		return err_set(e, n, "%s: %s", path, strerror(-n));
	for (line = n < 0 ? NULL : strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		p = strchr(line, ':');
		p = p ? strchr(p + 1, ':') : NULL;
		if (!p)
			continue;
		if (has_prefix(line, "0::"))
			second = p + 1;
		else if (strcmp(p + 1, "/"))
			copy_str(first, sizeof(first), line);
	}
	add_str(o, "cgroup", second);
	add_str(o, "cgroup_v1", first);
	if (strcmp(second, "/"))
		json_object_object_add(o, "cgroup_levels",
				       cgroup_read(cgroup_mount(mount, sizeof(mount)), second));
	return 0;
}

/* Device nodes that it has open, as a user who is not root needs their owner and mode again. */
static void read_nodes(pid_t pid, struct json_object *o)
{
	struct json_object *nodes = json_object_new_object();
	char path[64], name[64], target[PATH_MAX], text[64];
	struct dirent *d;
	struct stat st;
	DIR *dir = opendir(path_fmt(path, sizeof(path), "/proc/%d/fd", pid));

	while (dir && (d = readdir(dir))) {
		path_fmt(name, sizeof(name), "fd/%.16s", d->d_name);
		if (d->d_name[0] == '.' || read_link(pid, name, target, sizeof(target), NULL) ||
		    !has_prefix(target, "/dev/") || has_prefix(target, "/dev/pts/") ||
		    has_prefix(target, "/dev/tty") || stat(target, &st) ||
		    !(S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)))
			continue;
		add_str(nodes, target, path_fmt(text, sizeof(text), "%u %u %o", st.st_uid, st.st_gid,
						st.st_mode & 07777));
	}
	if (dir)
		closedir(dir);
	json_object_object_add(o, "nodes", nodes);
}

static int read_links(pid_t pid, struct json_object *o, struct kh_err *e)
{
	char buf[PATH_MAX];
	int rc = read_link(pid, "cwd", buf, sizeof(buf), e);

	if (rc)
		return rc;
	add_str(o, "cwd", buf);
	rc = read_link(pid, "root", buf, sizeof(buf), e);
	if (!rc)
		add_str(o, "root", buf);
	return rc;
}

int attrs_read(pid_t pid, struct json_object **attrs, struct kh_err *e)
{
	struct json_object *o = json_object_new_object();
	int rc;

	rc = read_status(pid, o, e);
	if (!rc)
		rc = read_limits(pid, o, e);
	if (!rc)
		rc = read_file(pid, "oom_score_adj", NULL, o, "oom_score_adj", e);
	if (!rc)
		rc = read_file(pid, "personality", NULL, o, "personality", e);
	if (!rc)
		rc = read_file(pid, "coredump_filter", "", o, "coredump_filter", e);
	if (!rc)
		rc = read_file(pid, "attr/current", "", o, "label", e);
	if (!rc)
		rc = read_namespaces(pid, o, e);
	if (!rc)
		rc = read_environment(pid, o, e);
	if (!rc)
		rc = read_cgroup(pid, o, e);
	if (!rc)
		rc = read_links(pid, o, e);
	if (!rc)
		read_numa(pid, o);
	if (!rc && !is_root(o))
		read_nodes(pid, o);
	if (rc) {
		json_object_put(o);
		o = NULL;
	}
	*attrs = o;
	return rc;
}

static unsigned long long caps(struct json_object *a, const char *key)
{
	return strtoull(jstr(a, key), NULL, 16);
}

/* What an exec gives: to root all that is bounded, to others what is ambient. */
static bool caps_of_exec(struct json_object *a)
{
	unsigned long long gives = caps(a, "cap_ambient");

	if (is_root(a))
		gives = caps(a, "cap_bounding") | caps(a, "cap_inheritable");
	return caps(a, "cap_permitted") == gives && caps(a, "cap_effective") == gives;
}

static bool known_numa(const char *policy)
{
	static const char * const names[] = { "default", "local", "bind:", "prefer:", "interleave:" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (has_prefix(policy, names[i]))
			return !strchr(policy, '=');
	return false;
}

const char *attrs_obstacle(struct json_object *a, unsigned int i, bool sandbox, char *found,
			   size_t size)
{
	const struct {
		const char *check;
		bool there;
		const char *says;
		const char *value;
	} all[] = {
		{ "vm-namespace", *jstr(a, "namespaces"), "it has namespaces of its own: ",
		  jstr(a, "namespaces") },
		{ "vm-namespace", strcmp(jstr(a, "root"), "/"), "its root directory is ", jstr(a, "root") },
		{ "vm-cgroup", *jstr(a, "cgroup_v1"), "it is in a cgroup of version 1: ",
		  jstr(a, "cgroup_v1") },
		{ "vm-cgroup", strcmp(jstr(a, "cgroup"), "/") && !jget(a, "cgroup_levels"),
		  "the limits of its cgroup cannot be read: ", jstr(a, "cgroup") },
		{ "vm-numa", !known_numa(jstr(a, "numa")), "its memory policy is ", jstr(a, "numa") },
		{ "vm-seccomp", strcmp(jstr(a, "seccomp"), "0") && !sandbox,
		  "it was started under a system call filter, mode ", jstr(a, "seccomp") },
		{ "vm-capabilities", !caps_of_exec(a), "it has changed its capabilities; effective are ",
		  jstr(a, "cap_effective") },
		{ "vm-thread", *jstr(a, "thread_alone"), "", jstr(a, "thread_alone") },
	};
	unsigned int k;

	for (k = 0; k < ARRAY_SIZE(all); k++)
		if (all[k].there && !i--) {
			path_fmt(found, size, "%s%s", all[k].says, all[k].value);
			return all[k].check;
		}
	return NULL;
}

unsigned int attrs_differ(struct json_object *before, struct json_object *after, char *why,
			  size_t size)
{
	struct json_object *b = json_object_new_object(), *a = json_object_new_object();
	unsigned int n = 0;
	size_t used;

	*why = '\0';
	opts_flatten(b, "", before);
	opts_flatten(a, "", after);
	json_object_object_foreach(b, key, value) {
		/* A disk may have another name; without the owner of its node, QEMU would not have started. */
		if (has_prefix(key, "nodes.") || !strcmp(json_object_get_string(value), jstr(a, key)))
			continue;
		used = strlen(why);
		snprintf(why + used, size - used, "%s%s was %.60s, is %.60s", n++ ? "; " : "", key,
			 json_object_get_string(value), jget(a, key) ? jstr(a, key) : "not there");
	}
	json_object_put(a);
	json_object_put(b);
	return n;
}

int attrs_carry(pid_t pid, struct json_object *roles, const char *text, char **with,
		struct kh_err *e)
{
	struct json_object *o = json_tokener_parse(text), *before = jget(o, "process"), *after;
	struct kh_err mine = { 0 };
	int rc;

	*with = NULL;
	if (!before) {
		json_object_put(o);
		return 0;
	}
	rc = attrs_apply_threads(pid, roles, before, e);
	if (attrs_read(pid, &after, &mine)) {
		err_set(e, mine.rc, "%s", mine.msg);
	} else {
		attrs_read_threads(pid, roles, after);
		json_object_object_add(o, "after", after);
		*with = strdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	}
	json_object_put(o);
	return rc ? rc : mine.rc;
}
