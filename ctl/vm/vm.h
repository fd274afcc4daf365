/* SPDX-License-Identifier: GPL-2.0 */
/* A VM, as its QMP socket and its process tell it. */
#ifndef KHCTL_VM_H
#define KHCTL_VM_H

#include "format/state.h"
#include "vm/qmp.h"

struct vm_ram {
	char id[64];
	char type[64];		/* of the QOM object */
	char path[256];
	uint64_t size;
	bool share;
};

struct vm_dev {
	char qom[192];
	char bdf[16];		/* "" when it is not known */
	bool preserve;
};

/**
 * struct vm - what was learned
 * @qmp_path: absolute
 * @q: connection
 * @pid: of QEMU
 * @pidfd: of QEMU, so that @pid means no other process; -1: none
 * @uid: of QEMU
 * @name: of the guest, "" without one
 * @status: as query-status has it
 * @max_bandwidth: of migrations, bytes a second, as it was set
 * @stream_max: bytes that the saved state may take, see struct vm_migrate; 0: not known
 * @suppress_vmdesc: the machine's property, as it was set
 * @patched: QEMU knows vfio-pci,preserve=
 * @exe: path of QEMU
 * @argv: and @env: zero-separated as in /proc
 * @machine: what it consists of, see machine_learn()
 * @attrs: of its process, see attrs_read()
 */
struct vm {
	char qmp_path[108];
	struct qmp q;
	pid_t pid;
	int pidfd;
	uint64_t uid;
	char name[64];
	char status[32];
	uint64_t max_bandwidth;
	uint64_t stream_max;
	bool suppress_vmdesc;
	bool patched;
	unsigned int nr_ram;
	struct vm_ram *ram;
	unsigned int nr_devs;
	struct vm_dev *dev;
	char exe[1024];
	char cwd[1024];
	char out[1024];
	char err[1024];
	char *argv;
	size_t argv_len;
	char *env;
	size_t env_len;
	struct json_object *machine;
	struct json_object *attrs;
};

/** vm_learn() - connect and ask. Return: 0, -errno with a message. vm_close() in either case. */
int vm_learn(struct vm *vm, const char *qmp_path, int cancel_fd, struct kh_err *e);
void vm_close(struct vm *vm);

/** vm_status() - ask again how it is. Return: 0 or -errno. */
int vm_status(struct vm *vm, struct kh_err *e);

uint64_t vm_ram_bytes(const struct vm *vm);

/** vm_plan() - put down all that it takes to start it again. Return: 0 or -errno. */
int vm_plan(const struct vm *vm, struct kh_plan *plan, struct kh_plan_vm *p, struct kh_err *e);

/**
 * vm_plan_argv() - replace the arguments of a VM's QEMU by those in a file
 * @path: of the file; each argument ends with a zero byte, as in /proc/PID/cmdline, or with its line
 *
 * Return: 0, -errno with a message.
 */
int vm_plan_argv(struct kh_plan *plan, struct kh_plan_vm *p, const char *path, struct kh_err *e);

/* The monitor that khctl resume gives to a QEMU that it starts. */
#define VM_MONITOR_ID "khctl-resume"

/**
 * vm_next_argv() - the arguments for the next start
 * @out: freed by the caller
 *
 * Left out is what belongs to one start only: -S, -incoming, -loadvm, -daemonize and the
 * monitor of an earlier khctl resume. A listening socket gets wait=off, a file append=on.
 *
 * Return: 0 or -ENOMEM.
 */
int vm_next_argv(const char *argv, size_t len, char **out, size_t *out_len);

/** vm_is_own_monitor() - is @o, of vm_opts_parse(), the monitor of an earlier khctl resume */
bool vm_is_own_monitor(struct json_object *o);

/** vm_changes_user() - does QEMU, started by root, become another user by itself */
bool vm_changes_user(const char *argv, size_t len);

#endif
