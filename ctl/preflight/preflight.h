/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What must hold before anything is changed. Every check runs, and every one
 * that fails is told, with what was found, what was wanted and the remedy.
 */
#ifndef KHCTL_PREFLIGHT_H
#define KHCTL_PREFLIGHT_H

#include "base/opts.h"
#include "host/cmdline.h"
#include "host/image.h"
#include "host/kram.h"
#include "host/proc.h"
#include "state/state_io.h"
#include "vm/vm.h"

struct json_object;

/* Room that the device state of a VM must at least have. */
#define PREFLIGHT_STREAM_MIN (4ULL << 20)

/**
 * struct finding - outcome of one check
 * @id: of the check, never changes its meaning
 * @subject: what it is about, "" for the host
 */
struct finding {
	char id[24];
	bool ok;
	char subject[128];
	char found[320];
	char wanted[160];
	char remedy[200];
};

struct preflight_in {
	const char *kernel;	/* NULL: not checked */
	const char *initrd;
	const char *back_kernel;	/* NULL: no way back was asked for */
	const char *back_initrd;
	const char *append;	/* NULL: that of the running kernel */
	const char *state;
	const struct str_list *qmp;	/* empty: each VM that is found */
	const struct str_list *leave_behind;	/* process ids; NULL: none */
	bool need_vm;
	int cancel_fd;
};

/**
 * struct preflight - what the checks found, and what an upgrade goes on with
 * @asked: the command line that was asked for, or else the running kernel's
 * @cmdline: for the new kernel, complete but for what takes time to measure
 * @late: late_params(), part of it
 * @left: processes that hold something of a VM and are left behind by name
 */
struct preflight {
	struct finding *finding;
	unsigned int nr_findings;
	unsigned int nr_bad;
	int lock;
	bool have_kram;
	struct kram kram;
	unsigned int units;
	struct kernel_image image;
	bool have_state;
	struct state state;
	char asked[CMDLINE_MAX];
	char cmdline[CMDLINE_MAX];
	char late[1536];
	unsigned int nr_vms;
	struct vm *vm;
	bool *vm_ok;
	unsigned int nr_left;
	struct proc_user *left;
	uint64_t table_pages;	/* that the VMs use now */
};

/** preflight_run() - all checks. Return: 0, or -EINVAL when one failed. */
int preflight_run(struct preflight *pf, const struct preflight_in *in);
void preflight_end(struct preflight *pf);

/** preflight_json() - the findings as an array in @o, with "ok" beside it */
void preflight_json(const struct preflight *pf, struct json_object *o);

/** preflight_talk() - the findings that failed, as text on stderr */
void preflight_talk(const struct preflight *pf);

/* For the checks themselves. */
void check_ok(struct preflight *pf, const char *id, const char *subject, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void check_bad(struct preflight *pf, const char *id, const char *subject, const char *wanted,
	       const char *remedy, const char *fmt, ...) __attribute__((format(printf, 6, 7)));

void check_host(struct preflight *pf, const struct preflight_in *in);
void check_image(struct preflight *pf, const struct preflight_in *in);
/* @initrd may be "" or NULL. */
void check_back(struct preflight *pf, const char *kernel, const char *initrd);
void check_cmdline(struct preflight *pf, const struct preflight_in *in);
void check_socket(struct preflight *pf, const struct preflight_in *in, const char *path);
void check_found(struct preflight *pf, const struct preflight_in *in);
void check_start(struct preflight *pf, const struct preflight_in *in);
void check_vms(struct preflight *pf, const struct preflight_in *in);
void check_machine(struct preflight *pf, const struct vm *vm);
void check_kept(struct preflight *pf);
void check_migrate(struct preflight *pf, struct vm *vm);
void check_kram_room(struct preflight *pf);
void check_state_room(struct preflight *pf);

#endif
