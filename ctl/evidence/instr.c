// SPDX-License-Identifier: GPL-2.0
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "base/util.h"
#include "evidence/events.h"
#include "evidence/instr_parts.h"
#include "evidence/pins.h"

#define VMLINUX_BTF "/sys/kernel/btf/vmlinux"

static int handle(void *ctx, void *data, size_t size)
{
	struct instr *in = ctx;
	uint64_t ns, span = in->now.ns - in->last.ns;
	struct kh_event ev;

	if (in->nr_bare_maps) {
		if (!bare_event(in, data, size, &ev))
			return 0;
	} else if (size < sizeof(ev)) {
		return 0;
	} else {
		memcpy(&ev, data, sizeof(ev));
	}
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
		       in->counts_fd, 0);

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
	else if (full_warning()[0])
		path_fmt(in->error, sizeof(in->error), "%.60s (%.120s)", strerror(-rc), full_warning());
	else
		copy_str(in->error, sizeof(in->error), strerror(-rc));
	for (i = 0; i < in->nr_probes; i++)
		if (in->probe[i].state == KH_PROBE_ATTACHED) {
			in->probe[i].state = KH_PROBE_REFUSED;
			in->probe[i].error = -rc;
		}
}

void probe_failed(struct kh_probe *k, int err)
{
	k->error = err;
	/* A raw tracepoint that the kernel does not have. */
	k->state = err == ENOENT ? KH_PROBE_MISSING : KH_PROBE_REFUSED;
}

/* With it off, what is attached is never called, and nobody says so. */
static bool ftrace_off(void)
{
	uint64_t on = 1;

	return !read_u64("/proc/sys/kernel/ftrace_enabled", &on) && !on;
}

static int open_ring(struct instr *in)
{
	in->ring = ring_buffer__new(in->ring_fd, handle, in, NULL);
	return in->ring ? 0 : -errno;
}

struct instr *instr_start(enum instr_use use, bool pin)
{
	struct instr *in = calloc(1, sizeof(*in));
	int rc;

	if (!in)
		return NULL;
	memset(in->prog_fd, -1, sizeof(in->prog_fd));
	in->last = tsc_point_mono();
	in->began = in->last.tsc;
	if (use == INSTR_NEW) {
		rc = bare_load(in);
	} else {
		rc = full_load(in, use);
		if (!rc)
			rc = map_counts(in);
		/* Where guests stand, who reads the ring opens it: later. */
		if (!rc)
			rc = open_ring(in);
	}
	if (rc) {
		say_why(in, rc);
		return in;
	}
	in->loaded = true;
	if (use == INSTR_NEW) {
		bare_attach(in);
	} else {
		full_attach(in);
		/* Tracepoints, of which the others are, take no notice of it. */
		if (ftrace_off())
			copy_str(in->error, sizeof(in->error),
				 "sysctl kernel.ftrace_enabled is 0: no program is called");
	}
	in->attached = tsc_now();
	if (pin) {
		instr_unpin();
		in->pinned = !pins_make(in->obj, in->link, in->probe, in->nr_probes);
	}
	return in;
}

void instr_stop(struct instr *in)
{
	if (!in)
		return;
	if (in->pinned)
		instr_unpin();
	ring_buffer__free(in->ring);
	if (in->counts)
		munmap(in->counts, KH_NR_EVENTS * sizeof(*in->counts));
	full_free(in);
	bare_free(in);
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
	if (!in->loaded)
		return 0;
	if (in->nr_bare_maps)
		return bare_watch(in, key);
	if (bpf_map_update_elem(in->watched_fd, &key, &one, BPF_ANY))
		return -errno;
	return 0;
}

uint64_t instr_drain(struct instr *in, void (*fn)(void *ctx, const struct kh_event *ev), void *ctx)
{
	int rc = in->loaded && !in->ring ? open_ring(in) : 0;

	if (rc) {
		in->loaded = false;
		say_why(in, rc);
	}
	if (!in->loaded)
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
	uint64_t lost = in->lost ? *(volatile uint64_t *)in->lost : 0;
	unsigned int i;

	for (i = 0; in->counts && i < KH_NR_EVENTS; i++)
		lost += in->counts[i].lost;
	return lost;
}

uint64_t instr_missed(const struct instr *in)
{
	struct bpf_prog_info info;
	uint64_t missed = 0;
	unsigned int i;
	__u32 len;

	for (i = 0; in->loaded && i < in->nr_probes; i++) {
		/* One program on several tracepoints counts once, by the first. */
		if (in->prog_fd[i] < 0 || bare_shared(in, i))
			continue;
		memset(&info, 0, sizeof(info));
		len = sizeof(info);
		/* What cannot be told is not taken for none. */
		if (bpf_obj_get_info_by_fd(in->prog_fd[i], &info, &len))
			missed++;
		else
			missed += info.recursion_misses;
	}
	return missed;
}

unsigned int instr_possible(struct kh_probe *probe, struct kh_err *e)
{
	struct instr in = { 0 };
	int rc = full_possible(&in);

	if (rc) {
		say_why(&in, rc);
		err_set(e, -ENOTSUP, "%s", in.error);
	}
	full_free(&in);
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
