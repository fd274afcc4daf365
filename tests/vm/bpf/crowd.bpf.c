// SPDX-License-Identifier: GPL-2.0
/*
 * As many programs as a kernel takes for one function (BPF_MAX_TRAMP_LINKS), so
 * that khctl's own, which comes after them, cannot be attached.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define ONE(n)							\
	SEC("fentry/pci_reset_bus")				\
	int crowd_##n(void *ctx)				\
	{							\
		(void)ctx;					\
		return 0;					\
	}
#define EIGHT(n) ONE(n##0) ONE(n##1) ONE(n##2) ONE(n##3) ONE(n##4) ONE(n##5) ONE(n##6) ONE(n##7)

EIGHT(0)
EIGHT(1)
EIGHT(2)
EIGHT(3)
ONE(40)
ONE(41)
ONE(42)
ONE(43)
ONE(44)
ONE(45)

char LICENSE[] SEC("license") = "GPL";
