/* SPDX-License-Identifier: GPL-2.0 */
/* Maps that all programs share, and how an event gets into the ring. */
#ifndef KH_BPF_COMMON_H
#define KH_BPF_COMMON_H

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>
#include "events.h"
#include "maps.h"

_Static_assert(sizeof(struct kh_event) == 64, "layout of struct kh_event");

/* Each file defines the same maps; the linker keeps one of each. */
#define SHARED SEC(".maps") __weak

/* What khctl drains. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, KH_RING_BYTES);
} ring SHARED;

/* The same events for whoever else reads: bpftool map event_pipe. */
struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} pipe SHARED;

/* Indexed by type of event. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KH_NR_EVENTS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct kh_count);
} counts SHARED;

/* Functions whose configuration writes are of interest. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KH_MAX_WATCHED);
	__type(key, __u32);
	__type(value, __u32);
} watched SHARED;

static __always_inline void fill(struct kh_event *e, __u16 type, __u32 bdf, long ret)
{
	__builtin_memset(e, 0, sizeof(*e));
	e->tsc = bpf_ktime_get_ns();
	e->type = type;
	e->version = KH_EVENT_VERSION;
	e->source = KH_SRC_RING;
	e->cpu = bpf_get_smp_processor_id();
	e->ret = ret < 0 && ret >= -4095 ? ret : 0;
	e->pid = bpf_get_current_pid_tgid() >> 32;
	e->bdf = bdf;
}

/* Nobody is woken: who drains looks by himself, and an event costs no interrupt. */
static __always_inline int send(void *ctx, struct kh_event *e)
{
	__u32 type = e->type;
	struct kh_count *c = bpf_map_lookup_elem(&counts, &type);

	if (!c)
		return 0;
	if (bpf_ringbuf_output(&ring, e, sizeof(*e), BPF_RB_NO_WAKEUP))
		__sync_fetch_and_add(&c->lost, 1);
	else
		__sync_fetch_and_add(&c->seen, 1);
	/* Fails at once if nobody reads there. */
	bpf_perf_event_output(ctx, &pipe, BPF_F_CURRENT_CPU, e, sizeof(*e));
	return 0;
}

static __always_inline int event(void *ctx, __u16 type, __u32 bdf, long ret, __u64 a0, __u64 a1,
				 __u64 a2, __u64 a3)
{
	struct kh_event e;

	fill(&e, type, bdf, ret);
	e.arg[0] = a0;
	e.arg[1] = a1;
	e.arg[2] = a2;
	e.arg[3] = a3;
	return send(ctx, &e);
}

/* Arguments that are left out are 0. */
#define EVENT_4(ctx, type, bdf, ret, a0, a1, a2, a3, ...) event(ctx, type, bdf, ret, a0, a1, a2, a3)
#define EVENT(ctx, type, bdf, ...) EVENT_4(ctx, type, bdf, __VA_ARGS__, 0, 0, 0, 0, 0)

static __always_inline __u32 bdf_of(struct pci_dev *dev)
{
	struct pci_bus *bus = BPF_CORE_READ(dev, bus);
	struct pci_sysdata *sd = BPF_CORE_READ(bus, sysdata);

	return KH_BDF(BPF_CORE_READ(sd, domain), BPF_CORE_READ(bus, number),
		      BPF_CORE_READ(dev, devfn));
}

static __always_inline struct pci_dev *to_pci_dev(struct device *dev)
{
	return (void *)dev - bpf_core_field_offset(struct pci_dev, dev);
}

/* KH_NO_BDF when it is no PCI function. */
static __always_inline __u32 bdf_of_device(struct device *dev)
{
	const char *name = BPF_CORE_READ(dev, bus, name);
	char bus[4];

	if (bpf_probe_read_kernel(bus, sizeof(bus), name) || bus[0] != 'p' || bus[1] != 'c' ||
	    bus[2] != 'i' || bus[3])
		return KH_NO_BDF;
	return bdf_of(to_pci_dev(dev));
}

#endif
