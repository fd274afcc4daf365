// SPDX-License-Identifier: GPL-2.0
#include "verbs.h"

#define FIELD(f) offsetof(struct khctl_opts, f)

#define O_STATE { "state", OPT_STR, FIELD(state), "DEV", \
	"devdax device of the state area (default: the one there is)", false }
#define O_JSON { "json", OPT_FLAG, FIELD(json), NULL, "print one JSON object", false }
#define O_HUMAN { "human", OPT_FLAG, FIELD(human), NULL, "print sizes and times with units", false }
#define O_KERNEL(req) { "kernel", OPT_STR, FIELD(kernel), "FILE", "image of the new kernel", req }
#define O_INITRD { "initrd", OPT_STR, FIELD(initrd), "FILE", "its initial RAM disk", false }
#define O_APPEND { "append", OPT_STR, FIELD(append), "STRING", \
	"its command line (default: that of the running kernel)", false }
#define O_REUSE { "reuse-cmdline", OPT_FLAG, FIELD(reuse_cmdline), NULL, \
	"use the command line of the running kernel", false }
#define O_QMP { "qmp", OPT_LIST, FIELD(qmp), "SOCKET", \
	"QMP socket of each VM to take along (default: every VM that is found)", false }
#define O_LEAVE { "leave-behind", OPT_LIST, FIELD(leave_behind), "PID", \
	"lose the VM, or what else holds KVM, VFIO or devdax, of this process", false }
#define O_BACK \
	{ "back-kernel", OPT_STR, FIELD(back_kernel), "FILE", \
	  "kernel to go back to when the new one cannot resume the guests", false }, \
	{ "back-initrd", OPT_STR, FIELD(back_initrd), "FILE", "its initial RAM disk", false }
#define O_END { 0 }

static const struct opt init_opts[] = {
	{ "state", OPT_STR, FIELD(state), "DEV", "devdax device to format", true },
	{ "force", OPT_FLAG, FIELD(force), NULL, "even if it holds a state area already", false },
	O_JSON, O_HUMAN, O_END
};

static const struct opt check_opts[] = {
	O_KERNEL(false), O_INITRD, O_APPEND, O_REUSE, O_BACK, O_QMP, O_LEAVE, O_STATE,
	{ "survey", OPT_FLAG, FIELD(survey), NULL,
	  "which devices of any host could be kept, and memory to set aside", false },
	{ "root", OPT_STR, FIELD(root), "DIR", "survey a saved copy, not this host", false },
	{ "save", OPT_STR, FIELD(save), "FILE", "save what the survey reads as a tar archive", false },
	{ "guest", OPT_LIST, FIELD(guests), "SIZE", "RAM of a guest that the survey plans for", false },
	O_JSON, O_HUMAN, O_END
};

static const struct opt upgrade_opts[] = {
	O_KERNEL(true), O_INITRD, O_APPEND, O_REUSE, O_BACK,
	{ "back-on-failure", OPT_FLAG, FIELD(back_on_failure), NULL,
	  "go back to it without being asked when no guest can be resumed", false },
	 O_QMP, O_LEAVE, O_STATE,
	{ "no-instruments", OPT_FLAG, FIELD(no_instruments), NULL,
	  "watch and record nothing; the verdict will be unknown", false },
	O_JSON, O_HUMAN, O_END
};

static const struct opt back_opts[] = {
	{ "kernel", OPT_STR, FIELD(kernel), "FILE",
	  "kernel to enter (default: --back-kernel of the upgrade)", false },
	{ "initrd", OPT_STR, FIELD(initrd), "FILE", "its initial RAM disk", false },
	{ "append", OPT_STR, FIELD(append), "STRING",
	  "its command line (default: that of the kernel before the upgrade)", false },
	O_STATE, O_JSON, O_HUMAN, O_END
};

static const struct opt verify_opts[] = {
	O_STATE,
	{ "bundle", OPT_STR, FIELD(bundle), "FILE", "judge a saved bundle, not this host", false },
	{ "save", OPT_STR, FIELD(save), "FILE", "save all evidence as a bundle", false },
	O_JSON, O_HUMAN, O_END
};

static const struct opt resume_opts[] = {
	{ "vm", OPT_ARGS, FIELD(vms), "VM", "names of the VMs to resume (default: all)", false },
	{ "argv-from", OPT_STR, FIELD(argv_from), "FILE",
	  "take the arguments of the VM's QEMU from a file", false },
	O_STATE, O_JSON, O_HUMAN, O_END
};

static const struct opt forget_opts[] = {
	{ "vm", OPT_ARGS, FIELD(vms), "VM", "names of the VMs to give up", true },
	O_STATE, O_JSON, O_HUMAN, O_END
};

static const struct opt status_opts[] = {
	{ "argv-of", OPT_STR, FIELD(argv_of), "VM",
	  "print the arguments of the VM's QEMU, each on a line, and nothing else", false },
	O_STATE, O_JSON, O_HUMAN, O_END
};

static const struct opt state_opts[] = { O_STATE, O_JSON, O_HUMAN, O_END };

static const struct opt trace_opts[] = {
	{ "device", OPT_LIST, FIELD(device), "BDF",
	  "also tell configuration writes to this PCI function", false },
	{ "saved", OPT_FLAG, FIELD(saved), NULL, "what was seen during the last upgrade", false },
	O_STATE,
	{ "json", OPT_FLAG, FIELD(json), NULL, "print one JSON object for each event, on a line", false },
	O_END
};

const struct verb khctl_verbs[] = {
	{ "init", "format a state area", init_opts, verb_init },
	{ "check", "run the checks of an upgrade, change nothing", check_opts, verb_check },
	{ "upgrade", "replace the running kernel under its VMs", upgrade_opts, verb_upgrade },
	{ "resume", "let the VMs run on, in the new kernel", resume_opts, verb_resume },
	{ "forget", "give up VMs that could not be resumed", forget_opts, verb_forget },
	{ "verify", "compare what there is with what was before the upgrade", verify_opts,
	  verb_verify },
	{ "status", "show the last or pending upgrade", status_opts, verb_status },
	{ "trace", "show what the instruments see, as it happens", trace_opts, verb_trace },
	{ "abort", "undo an upgrade that was prepared and did not jump", state_opts, verb_abort },
	{ "back", "enter the old kernel again when the new one cannot resume any VM", back_opts,
	  verb_back },
	{ 0 }
};
