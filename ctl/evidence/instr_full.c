// SPDX-License-Identifier: GPL-2.0
/* All programs of bpf/ but those of resume.bpf.c: by libbpf, which relocates them for the running kernel. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/util.h"
#include "bpf/khctl.skel.h"
#include "evidence/instr_parts.h"

/* libbpf's own words, of which the first warning says most. */
static char first_warning[200];

const char *full_warning(void)
{
	return first_warning;
}

static int note_warning(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (level != LIBBPF_WARN || first_warning[0])
		return 0;
	vsnprintf(first_warning, sizeof(first_warning), fmt, ap);
	first_warning[strcspn(first_warning, "\n")] = '\0';
	return 0;
}

/* Forget what was said, and listen from now on. */
static void hear_warnings(void)
{
	first_warning[0] = '\0';
	libbpf_set_print(note_warning);
}

static bool wanted(enum instr_use use, const char *name)
{
	return use != INSTR_OLD || !has_prefix(name, "kvm_");
}

/* The part of a program's section that names what it is attached to. */
static bool has_target(const struct btf *btf, const struct bpf_program *p)
{
	const char *sec = bpf_program__section_name(p), *name = strchr(sec, '/') + 1;
	char type[80];

	if (has_prefix(sec, "fentry/") || has_prefix(sec, "fexit/"))
		return btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0;
	path_fmt(type, sizeof(type), "btf_trace_%s", name);
	return btf__find_by_name_kind(btf, type, BTF_KIND_TYPEDEF) > 0;
}

/* Open anew, with those programs that still count as attachable. */
static int open_programs(struct instr *in, enum instr_use use)
{
	struct bpf_program *p;
	unsigned int n = 0;
	const void *elf;
	size_t size;

	bpf_object__close(in->obj);
	elf = khctl_bpf__elf_bytes(&size);
	in->obj = bpf_object__open_mem(elf, size, NULL);
	if (!in->obj)
		return -errno;
	bpf_object__for_each_program(p, in->obj) {
		struct kh_probe *k = &in->probe[n++];

		if (n > KH_MAX_PROBES)
			return -E2BIG;
		if (n > in->nr_probes) {
			copy_str(k->name, sizeof(k->name), bpf_program__name(p));
			k->state = wanted(use, k->name) ? KH_PROBE_ATTACHED : KH_PROBE_UNUSED;
			in->nr_probes = n;
		}
		bpf_program__set_autoload(p, k->state == KH_PROBE_ATTACHED);
	}
	return 0;
}

static void mark_missing(struct instr *in, const struct btf *btf)
{
	struct bpf_program *p;
	unsigned int n = 0;

	bpf_object__for_each_program(p, in->obj) {
		struct kh_probe *k = &in->probe[n++];

		if (k->state == KH_PROBE_ATTACHED && !has_target(btf, p))
			k->state = KH_PROBE_MISSING;
	}
}

/* One program that the kernel does not take makes all fail: try each alone. */
static void mark_refused(struct instr *in, enum instr_use use)
{
	struct kh_probe *k;
	unsigned int i, j;
	struct bpf_program *p;
	int rc;

	for (i = 0; i < in->nr_probes; i++) {
		k = &in->probe[i];
		if (k->state != KH_PROBE_ATTACHED || open_programs(in, use))
			continue;
		j = 0;
		bpf_object__for_each_program(p, in->obj)
			bpf_program__set_autoload(p, j++ == i);
		rc = bpf_object__load(in->obj);
		if (rc) {
			k->state = KH_PROBE_REFUSED;
			k->error = -rc;
		}
	}
}

/* All are there, as a rule: only if not, it is found out which are. */
static int load_programs(struct instr *in, enum instr_use use)
{
	struct btf *btf;
	int rc = open_programs(in, use);

	if (!rc)
		rc = bpf_object__load(in->obj);
	if (!rc || rc == -EPERM)
		return rc;
	btf = btf__load_vmlinux_btf();
	if (!btf)
		return -errno;
	rc = open_programs(in, use);
	if (!rc)
		mark_missing(in, btf);
	btf__free(btf);
	if (!rc)
		rc = open_programs(in, use);
	if (!rc)
		rc = bpf_object__load(in->obj);
	if (!rc || rc == -EPERM)
		return rc;
	mark_refused(in, use);
	rc = open_programs(in, use);
	return rc ? rc : bpf_object__load(in->obj);
}

static int map_fd(const struct instr *in, const char *name)
{
	return bpf_object__find_map_fd_by_name(in->obj, name);
}

int full_load(struct instr *in, enum instr_use use)
{
	int rc;

	hear_warnings();
	rc = load_programs(in, use);
	if (rc)
		return rc;
	in->ring_fd = map_fd(in, "ring");
	in->counts_fd = map_fd(in, "counts");
	in->watched_fd = map_fd(in, "watched");
	return 0;
}

void full_attach(struct instr *in)
{
	struct bpf_program *p;
	unsigned int n = 0;

	bpf_object__for_each_program(p, in->obj) {
		unsigned int i = n++;

		if (in->probe[i].state != KH_PROBE_ATTACHED)
			continue;
		in->link[i] = bpf_program__attach(p);
		if (in->link[i])
			in->prog_fd[i] = bpf_program__fd(p);
		else
			probe_failed(&in->probe[i], errno);
	}
}

void full_free(struct instr *in)
{
	unsigned int i;

	for (i = 0; i < in->nr_probes; i++)
		bpf_link__destroy(in->link[i]);
	bpf_object__close(in->obj);
	in->obj = NULL;
}

int full_possible(struct instr *in)
{
	struct btf *btf;
	int rc;

	hear_warnings();
	rc = open_programs(in, INSTR_ALL);
	if (rc)
		return rc;
	btf = btf__load_vmlinux_btf();
	if (!btf)
		return -errno;
	mark_missing(in, btf);
	btf__free(btf);
	return 0;
}
