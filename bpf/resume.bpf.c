// SPDX-License-Identifier: GPL-2.0
/*
 * What watches while guests stand and wait for the new kernel. Each of its instructions is verified
 * meanwhile, 3 us of the guests' time: so few programs on raw tracepoints, whose arguments are numbers,
 * which pass on what they are given (struct kh_new). khctl makes events of it when the guests run.
 * Nothing is relocated, khctl does not read the kernel's BTF, no function is patched. The context is no
 * struct, for its name would be looked up in the kernel's BTF.
 */
#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include "maps.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 17);
} ring SEC(".maps");

/* Events that found it full. */
__u64 lost;

/* Nobody is woken: who drains looks by himself, and an event costs no interrupt. */
static __always_inline int send(struct kh_new *e, __u64 size)
{
	e->ns = bpf_ktime_get_ns();
	e->cpu = bpf_get_smp_processor_id();
	if (bpf_ringbuf_output(&ring, e, size, BPF_RB_NO_WAKEUP))
		__sync_fetch_and_add(&lost, 1);
	return 0;
}

/* The cookie is the tracepoint's place in the name, enum kh_new_point. All have five arguments. */
SEC("raw_tp/pci_cfg_write+iommu_page_alloc+iommu_page_free")
int new_call(__u64 *ctx)
{
	struct kh_new e;

	e.pid_tgid = bpf_get_current_pid_tgid();
	e.point = bpf_get_attach_cookie(ctx);
	e.arg[0] = ctx[0];
	e.arg[1] = ctx[1];
	e.arg[2] = ctx[2];
	e.arg[3] = ctx[3];
	e.arg[4] = ctx[4];
	return send(&e, sizeof(e));
}

/*
 * QEMUs whose vCPUs have run, by process: of KH_MAX_VMS guests, and of some that khctl has no
 * part in.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u64);
	__type(value, __u64);
} ran SEC(".maps");

/*
 * Whether the guest's FPU is loaded, which KVM_RUN begins with. Not kvm_entry: a vCPU that
 * was saved while it was halted runs, and is entered only when something wakes it.
 */
SEC("raw_tp/kvm_fpu")
int new_kvm_run(__u64 *ctx)
{
	struct kh_new e;
	__u64 key;

	if (!(__u32)ctx[0])
		return 0;
	e.pid_tgid = bpf_get_current_pid_tgid();
	key = e.pid_tgid >> 32;
	if (bpf_map_lookup_elem(&ran, &key) || bpf_map_update_elem(&ran, &key, &key, BPF_NOEXIST))
		return 0;
	e.point = KH_NEW_KVM_RUN;
	return send(&e, KH_NEW_HEAD);
}

char LICENSE[] SEC("license") = "GPL";
