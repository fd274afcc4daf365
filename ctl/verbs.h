/* SPDX-License-Identifier: GPL-2.0 */
/* The verbs of khctl and the options that they share. */
#ifndef KHCTL_VERBS_H
#define KHCTL_VERBS_H

#include "base/opts.h"

struct khctl_opts {
	const char *kernel;
	const char *initrd;
	const char *append;
	bool reuse_cmdline;
	bool no_instruments;
	struct str_list qmp;
	struct str_list vms;
	struct str_list leave_behind;
	const char *argv_from;
	const char *argv_of;
	const char *state;
	struct str_list device;
	bool saved;
	const char *bundle;
	const char *save;
	bool survey;
	const char *root;
	struct str_list guests;
	bool force;
	const char *back_kernel;
	const char *back_initrd;
	bool back_on_failure;
	bool json;
	bool human;
	uint64_t start_tsc;	/* first thing that main() read */
};

/* Ends with a zero name. */
extern const struct verb khctl_verbs[];

int verb_init(const void *opts);
int verb_check(const void *opts);
int verb_upgrade(const void *opts);
int verb_resume(const void *opts);
int verb_verify(const void *opts);
int verb_status(const void *opts);
int verb_trace(const void *opts);
int verb_abort(const void *opts);
int verb_back(const void *opts);
int verb_forget(const void *opts);

#endif
