/* SPDX-License-Identifier: GPL-2.0 */
/* What the plugin's two halves share: profile.c watches, profile-io.c reads what to watch and writes what was seen. */
#ifndef PROFILE_H
#define PROFILE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "qemu-plugin.h"

#define MAX_CODE		24
#define NAME			32
#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))

enum hook_kind { HOOK_SWITCH, HOOK_COMM, HOOK_FORK, HOOK_WAIT, HOOK_LEAF, HOOK_SECTION,
		 HOOK_STAGE, HOOK_INITCALL, HOOK_RESET };

struct hook {
	enum hook_kind kind;
	unsigned int index;		/* of the leaf or the section */
	uint64_t address, start, end;	/* of the stage and its caller */
	char name[NAME];
};

enum begin_kind { BEGIN_AT, BEGIN_EXEC, BEGIN_AFTER };

struct section {
	char name[NAME];
	enum begin_kind kind;
	char comm[NAME];
	int64_t after;
	int64_t start;			/* virtual time, 0 until it begins */
};

struct leaf {
	uint64_t start, end, caller;
};

struct task {
	uint64_t address;
	char comm[NAME];
	char wait[NAME];		/* the last waiting function entered, and by whom */
	uint64_t wait_caller;
};

struct count {
	unsigned short section, task;
	uint64_t runs;
	int64_t ns;
};

struct block {
	uint64_t vaddr, phys;
	unsigned int insns;
	bool guest;
	int leaf;			/* -1: none */
	unsigned char code[MAX_CODE];
	unsigned int code_len;
	struct count *counts;
	unsigned int nr_counts, last;
};

struct cpu {
	void *id;
	unsigned int task;
	struct qemu_plugin_register *rdi, *rsi, *rsp;
};

extern struct section sections[64];
extern unsigned int nr_sections;
extern int current;		/* the section that runs */
extern bool ended;
extern struct leaf leaves[64];
extern unsigned int nr_leaves;
extern GHashTable *hooks;		/* address -> GArray of struct hook */
extern GHashTable *leaf_ns;		/* "section leaf caller" -> int64_t */
extern GPtrArray *blocks;
extern struct task tasks[65536];	/* 0: before the first switch */
extern unsigned int nr_tasks;
extern uint64_t text_virt, text_phys, guest_start, guest_end;
extern char out_path[4096];
extern FILE *idle_out;
extern char *idle_text;
extern size_t idle_size;

/* profile-io.c */

/* What to look at, from a file; -1 after a message. */
int read_config(const char *path);
/* Everything that was counted, to out_path, whole or not at all. */
void write_out(void);

#endif
