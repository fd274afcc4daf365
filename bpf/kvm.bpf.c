// SPDX-License-Identifier: GPL-2.0
/* The end of a resume: each vCPU's first entry into the guest. */
#include "common.h"

/* vCPUs that have run, by their address. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u8);
} vcpus SEC(".maps");

SEC("tp_btf/kvm_entry")
int BPF_PROG(kvm_first_run, struct kvm_vcpu *vcpu)
{
	__u64 key = (__u64)vcpu;
	__u8 one = 1;

	if (bpf_map_lookup_elem(&vcpus, &key) ||
	    bpf_map_update_elem(&vcpus, &key, &one, BPF_NOEXIST))
		return 0;
	return EVENT(ctx, KH_EV_KVM_RUN, KH_NO_BDF, 0, vcpu->vcpu_id);
}

char LICENSE[] SEC("license") __weak = "GPL";
