// SPDX-License-Identifier: GPL-2.0
/*
 * What watches while guests stand and wait for the new kernel. Raw tracepoints
 * whose arguments are numbers: nothing is relocated, khctl does not read the
 * kernel's BTF, no function is patched. So attaching takes milliseconds. The
 * context is no struct, for its name would be looked up in the kernel's BTF.
 */
#define KH_RING_BYTES (1 << 17)
#define KH_NO_PIPE		/* nobody is there yet to read it */
#include "common.h"

/* segment, bus, devfn, offset, bytes, value */
SEC("raw_tp/pci_config_write")
int new_cfg_write(__u64 *ctx)
{
	__u32 bdf = KH_BDF(ctx[0], ctx[1], ctx[2]);

	if (!bpf_map_lookup_elem(&watched, &bdf))
		return 0;
	return EVENT(ctx, KH_EV_PCI_CFG_WRITE, bdf, 0, (__u32)ctx[3], (__u32)ctx[4],
		     (__u32)ctx[5]);
}

/*
 * Physical address, order, kind, whether from KRAM, caller. One program on both tracepoints, as
 * each one is verified while guests wait; the cookie is the tracepoint's place in the name.
 */
SEC("raw_tp/iommu_page_alloc+iommu_page_free")
int new_page(__u64 *ctx)
{
	struct kh_event e;

	fill(&e, bpf_get_attach_cookie(ctx) ? KH_EV_IOMMU_PAGE_FREE : KH_EV_IOMMU_PAGE_ALLOC,
	     KH_NO_BDF, 0);
	e.arg[0] = ctx[0];
	e.arg[1] = (__u32)ctx[1];
	e.arg[2] = (__u8)ctx[3] ? KH_PAGE_KRAM : KH_PAGE_BUDDY;
	e.arg[3] = (__u32)ctx[2];
	e.caller = ctx[4];
	return send(ctx, &e);
}

/*
 * QEMUs whose vCPUs have run, by process: of KH_MAX_VMS guests, and of some that khctl has no
 * part in.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u64);
	__type(value, __u8);
} ran SEC(".maps");

/*
 * Whether the guest's FPU is loaded, which KVM_RUN begins with. Not kvm_entry: a vCPU that
 * was saved while it was halted runs, and is entered only when something wakes it.
 */
SEC("raw_tp/kvm_fpu")
int new_kvm_run(__u64 *ctx)
{
	__u64 key = bpf_get_current_pid_tgid() >> 32;
	__u8 one = 1;

	if (!(__u32)ctx[0] || bpf_map_lookup_elem(&ran, &key) ||
	    bpf_map_update_elem(&ran, &key, &one, BPF_NOEXIST))
		return 0;
	return EVENT(ctx, KH_EV_KVM_RUN, KH_NO_BDF, 0);
}

char LICENSE[] SEC("license") = "GPL";
