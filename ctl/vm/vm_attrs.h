/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a process has beside its command line: who it is, what it may, where it runs. Read from
 * the old QEMU, given to the new one, and compared. As JSON it lies in the plan.
 */
#ifndef KHCTL_VM_ATTRS_H
#define KHCTL_VM_ATTRS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "base/err.h"
#include "vm/qmp.h"

struct json_object;

/**
 * attrs_read() - what /proc tells of a process
 * @attrs: an object that the caller puts
 *
 * Return: 0; -ESRCH when the process ended meanwhile; -errno.
 */
int attrs_read(pid_t pid, struct json_object **attrs, struct kh_err *e);

/**
 * attrs_roles() - which thread is the main one, which a vCPU, which an iothread
 * @roles: an object {ROLE: THREAD ID}, which the caller puts, also after a failure
 *
 * Return: 0 or -errno with a message.
 */
int attrs_roles(pid_t pid, struct qmp *q, struct json_object **roles, struct kh_err *e);

/** attrs_read_threads() - add to @attrs, of attrs_read(), the scheduling of each thread with a role */
void attrs_read_threads(pid_t pid, struct json_object *roles, struct json_object *attrs);

/**
 * attrs_obstacle() - why a process of these attributes cannot be started again, one by one
 * @i: number of the reason, from 0
 * @sandbox: QEMU makes its own system call filter
 * @found: @size bytes
 *
 * Return: name of the check; NULL when there are no more reasons.
 */
const char *attrs_obstacle(struct json_object *attrs, unsigned int i, bool sandbox, char *found,
			   size_t size);

/**
 * attrs_differ() - compare before and after
 * @why: the differences, @size bytes
 *
 * Return: how many there are.
 */
unsigned int attrs_differ(struct json_object *before, struct json_object *after, char *why,
			  size_t size);

/**
 * attrs_set_nodes() - give device nodes the owner and mode that they had
 * @disks: by the names of the command line, of disks_of(); a block device that is not among them
 *	   keeps its owner, for nobody compared its identity
 * @moved: of disks_moved()
 *
 * Return: 0 or -errno with a message.
 */
int attrs_set_nodes(struct json_object *attrs, struct json_object *disks, struct json_object *moved,
		    struct kh_err *e);

/** attrs_own() - give a file or folder that khctl made to the user of the process */
void attrs_own(struct json_object *attrs, const char *path);

struct attrs_child;

/**
 * attrs_child_prepare() - turn attributes into what a new process sets for itself
 * @own_user: QEMU changes the user by itself
 *
 * Return: NULL on failure. Freed with attrs_child_free().
 */
struct attrs_child *attrs_child_prepare(struct json_object *attrs, bool own_user, struct kh_err *e);
void attrs_child_free(struct attrs_child *c);

/**
 * attrs_child_apply() - in the child, before exec: system calls only
 * @step: what could not be set; a constant text
 *
 * Return: 0 or -errno.
 */
int attrs_child_apply(const struct attrs_child *c, const char **step);

/** attrs_apply_threads() - schedule the threads of a running QEMU as before. Return: 0 or -errno. */
int attrs_apply_threads(pid_t pid, struct json_object *roles, struct json_object *attrs,
			struct kh_err *e);

/**
 * attrs_carry() - what can be given to a QEMU only when the host's CPUs are all there, and the comparison
 * @roles: of attrs_roles()
 * @text: attributes in the plan, JSON
 * @with: the same with what the new process has, freed by the caller; NULL when @text has none
 *
 * Return: 0; -errno with a message, when a thread could not be scheduled.
 */
int attrs_carry(pid_t pid, struct json_object *roles, const char *text, char **with,
		struct kh_err *e);

/**
 * struct thread_sched - scheduling of one thread, as sched_getattr(2) has it
 */
struct thread_sched {
	unsigned int size;
	unsigned int policy;
	unsigned long long flags;
	int nice;
	unsigned int priority;
	unsigned long long runtime;
	unsigned long long deadline;
	unsigned long long period;
	unsigned int util_min;
	unsigned int util_max;
};

int sched_of_json(struct json_object *o, struct thread_sched *s);

/* The CPUs of a mask. Room for 8192. */
#define ATTRS_CPU_BYTES 1024

/** cpus_parse() - "0-3,8" to a mask. Return: bytes of it that count, -EINVAL. */
int cpus_parse(const char *list, unsigned char mask[ATTRS_CPU_BYTES]);

/* Where a cgroup of the second version is mounted, "" when it is not. */
const char *cgroup_mount(char *buf, size_t size);

/** cgroup_read() - the limits of a cgroup and those above it, as an array from the top */
struct json_object *cgroup_read(const char *mount, const char *path);

/** cgroup_make() - create it with these limits. Return: descriptor of its cgroup.procs, or -errno. */
int cgroup_make(const char *mount, struct json_object *levels, struct kh_err *e);

#endif
