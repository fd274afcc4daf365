// SPDX-License-Identifier: GPL-2.0
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "../../bpf/maps.h"
#include "bpf/khctl.skel.h"
#include "bpf/resume.skel.h"
#include "events.h"
#include "instr.h"
#include "pins.h"
#include "tsc.h"
#include "util.h"

#define VMLINUX_BTF "/sys/kernel/btf/vmlinux"

struct instr {
	struct bpf_object *obj;
	struct bpf_link *link[KH_MAX_PROBES];
	struct kh_probe probe[KH_MAX_PROBES];
	unsigned int nr_probes;
	struct ring_buffer *ring;
	struct kh_count *counts;	/* mapped */
	bool pinned;
	struct tsc_point last;		/* of the drain before */
	uint64_t began;
	uint64_t attached;
	char error[200];
	/* While it is drained */
	struct tsc_point now;
	void (*fn)(void *ctx, const struct kh_event *ev);
	void *ctx;
};

/* libbpf's own words, of which the first warning says most. */
static char first_warning[200];

static int note_warning(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (level != LIBBPF_WARN || first_warning[0])
		return 0;
	vsnprintf(first_warning, sizeof(first_warning), fmt, ap);
	first_warning[strcspn(first_warning, "\n")] = '\0';
	return 0;
}

static int map_fd(const struct instr *in, const char *name)
{
	return bpf_object__find_map_fd_by_name(in->obj, name);
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
	elf = use == INSTR_NEW ? resume_bpf__elf_bytes(&size) : khctl_bpf__elf_bytes(&size);
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

static void attach_programs(struct instr *in)
{
	struct bpf_program *p;
	unsigned int n = 0;

	bpf_object__for_each_program(p, in->obj) {
		struct kh_probe *k = &in->probe[n++];

		if (k->state != KH_PROBE_ATTACHED)
			continue;
		in->link[n - 1] = bpf_program__attach(p);
		if (in->link[n - 1])
			continue;
		k->error = errno;
		/* A raw tracepoint that the kernel does not have. */
		k->state = k->error == ENOENT ? KH_PROBE_MISSING : KH_PROBE_REFUSED;
	}
}

static int handle(void *ctx, void *data, size_t size)
{
	struct instr *in = ctx;
	struct kh_event ev;
	uint64_t ns, span = in->now.ns - in->last.ns;

	if (size < sizeof(ev))
		return 0;
	memcpy(&ev, data, sizeof(ev));
	/* Between two instants of which both clocks are known, one runs with the other. */
	ns = ev.tsc > in->last.ns ? ev.tsc - in->last.ns : 0;
	if (ns > span)
		ns = span;
	ev.tsc = in->last.tsc;
	if (span)
		ev.tsc += (unsigned __int128)ns * (in->now.tsc - in->last.tsc) / span;
	ev.source = KH_SRC_BPF;
	if (in->fn)
		in->fn(in->ctx, &ev);
	return 0;
}

static int map_counts(struct instr *in)
{
	void *p = mmap(NULL, KH_NR_EVENTS * sizeof(*in->counts), PROT_READ, MAP_SHARED,
		       map_fd(in, "counts"), 0);

	if (p == MAP_FAILED)
		return -errno;
	in->counts = p;
	return 0;
}

static void say_why(struct instr *in, int rc)
{
	unsigned int i;

	if (access(VMLINUX_BTF, R_OK))
		copy_str(in->error, sizeof(in->error),
			 "the kernel has no BTF (" VMLINUX_BTF "): CONFIG_DEBUG_INFO_BTF");
	else if (rc == -EPERM || rc == -EACCES)
		copy_str(in->error, sizeof(in->error),
			 "BPF is not permitted: CAP_BPF and CAP_PERFMON are missing, or the kernel is locked down");
	else if (rc == -ENOSYS)
		copy_str(in->error, sizeof(in->error), "the kernel has no BPF: CONFIG_BPF_SYSCALL");
	else
		path_fmt(in->error, sizeof(in->error), "%.60s (%.120s)", strerror(-rc), first_warning);
	if (!in->error[0])
		copy_str(in->error, sizeof(in->error), strerror(-rc));
	for (i = 0; i < in->nr_probes; i++)
		if (in->probe[i].state == KH_PROBE_ATTACHED) {
			in->probe[i].state = KH_PROBE_REFUSED;
			in->probe[i].error = -rc;
		}
}

/* With it off, what is attached is never called, and nobody says so. */
static bool ftrace_off(void)
{
	uint64_t on = 1;

	return !read_u64("/proc/sys/kernel/ftrace_enabled", &on) && !on;
}

struct instr *instr_start(enum instr_use use, bool pin)
{
	struct instr *in = calloc(1, sizeof(*in));
	int rc;

	if (!in)
		return NULL;
	first_warning[0] = '\0';
	libbpf_set_print(note_warning);
	in->last = tsc_point_mono();
	in->began = in->last.tsc;
	rc = load_programs(in, use);
	if (!rc)
		rc = map_counts(in);
	if (!rc) {
		in->ring = ring_buffer__new(map_fd(in, "ring"), handle, in, NULL);
		rc = in->ring ? 0 : -errno;
	}
	if (rc) {
		say_why(in, rc);
		return in;
	}
	attach_programs(in);
	if (ftrace_off())
		copy_str(in->error, sizeof(in->error),
			 "sysctl kernel.ftrace_enabled is 0: no program is called");
	in->attached = tsc_now();
	if (pin) {
		instr_unpin();
		in->pinned = !pins_make(in->obj, in->link, in->probe, in->nr_probes);
	}
	return in;
}

void instr_stop(struct instr *in)
{
	unsigned int i;

	if (!in)
		return;
	if (in->pinned)
		instr_unpin();
	for (i = 0; i < in->nr_probes; i++)
		bpf_link__destroy(in->link[i]);
	ring_buffer__free(in->ring);
	if (in->counts)
		munmap(in->counts, KH_NR_EVENTS * sizeof(*in->counts));
	bpf_object__close(in->obj);
	free(in);
}

void instr_unpin(void)
{
	pins_remove();
}

const char *instr_error(const struct instr *in)
{
	return in->error;
}

unsigned int instr_probes(const struct instr *in, const struct kh_probe **probe)
{
	*probe = in->probe;
	return in->nr_probes;
}

uint64_t instr_attached(const struct instr *in)
{
	return in->attached;
}

uint64_t instr_began(const struct instr *in)
{
	return in->began;
}

int instr_watch(struct instr *in, const char *bdf)
{
	uint32_t key = bdf_number(bdf), one = 1;

	if (key == KH_NO_BDF)
		return -EINVAL;
	if (!in->ring)
		return 0;
	if (bpf_map_update_elem(map_fd(in, "watched"), &key, &one, BPF_ANY))
		return -errno;
	return 0;
}

uint64_t instr_drain(struct instr *in, void (*fn)(void *ctx, const struct kh_event *ev), void *ctx)
{
	if (!in->ring)
		return 0;
	in->fn = fn;
	in->ctx = ctx;
	in->now = tsc_point_mono();
	ring_buffer__consume(in->ring);
	in->last = in->now;
	return in->last.tsc;
}

uint64_t instr_lost(const struct instr *in)
{
	uint64_t lost = 0;
	unsigned int i;

	for (i = 0; in->counts && i < KH_NR_EVENTS; i++)
		lost += in->counts[i].lost;
	return lost;
}

uint64_t instr_missed(const struct instr *in)
{
	struct bpf_prog_info info;
	struct bpf_program *p;
	uint64_t missed = 0;
	unsigned int n = 0;
	__u32 len;

	if (!in->ring)
		return 0;
	bpf_object__for_each_program(p, in->obj) {
		if (!in->link[n++])
			continue;
		memset(&info, 0, sizeof(info));
		len = sizeof(info);
		/* What cannot be told is not taken for none. */
		if (bpf_obj_get_info_by_fd(bpf_program__fd(p), &info, &len))
			missed++;
		else
			missed += info.recursion_misses;
	}
	return missed;
}

unsigned int instr_possible(struct kh_probe *probe, struct kh_err *e)
{
	struct instr in = { 0 };
	struct btf *btf;
	int rc;

	first_warning[0] = '\0';
	libbpf_set_print(note_warning);
	rc = open_programs(&in, INSTR_ALL);
	btf = rc ? NULL : btf__load_vmlinux_btf();
	if (btf) {
		mark_missing(&in, btf);
	} else {
		say_why(&in, rc ? rc : -errno);
		err_set(e, -ENOTSUP, "%s", in.error);
	}
	btf__free(btf);
	bpf_object__close(in.obj);
	memcpy(probe, in.probe, sizeof(in.probe));
	return in.nr_probes;
}

unsigned int instr_list(const struct kh_probe *probe, unsigned int n, enum kh_probe_state state,
			char *buf, size_t size)
{
	unsigned int i, found = 0;
	size_t len = 0;

	buf[0] = '\0';
	for (i = 0; i < n; i++) {
		if (probe[i].state != state)
			continue;
		found++;
		if (len < size)
			len += snprintf(buf + len, size - len, "%s%.20s", len ? ", " : "",
					probe[i].name);
	}
	return found;
}
