// SPDX-License-Identifier: GPL-2.0
/*
 * What watches while guests stand and wait for the new kernel. Each of its instructions is verified
 * meanwhile, 3 us of the guests' time, and each program takes more than that: one program, on raw tracepoints whose
 * arguments are numbers, which passes on what it is given (struct kh_new). khctl makes events of it when the
 * guests run. Nothing is relocated, khctl does not read the kernel's BTF, no function is patched. The
 * context is no struct, for its name would be looked up in the kernel's BTF.
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

/*
 * The cookie is the tracepoint's place in the name, enum kh_new_point. All have five arguments. Nobody
 * is woken: who drains looks by himself, and an event costs no interrupt.
 */
SEC("raw_tp/pci_cfg_write+iommu_page_alloc+iommu_page_free+kvm_vcpu_thread")
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
	e.ns = bpf_ktime_get_ns();
	e.cpu = bpf_get_smp_processor_id();
	if (bpf_ringbuf_output(&ring, &e, sizeof(e), BPF_RB_NO_WAKEUP))
		__sync_fetch_and_add(&lost, 1);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
