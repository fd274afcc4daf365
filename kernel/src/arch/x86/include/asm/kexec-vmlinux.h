/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ASM_X86_KEXEC_VMLINUX_H
#define _ASM_X86_KEXEC_VMLINUX_H

#include <linux/types.h>

/**
 * struct kexec_vmlinux - a kernel as it will run
 * @buf: its first bytes, relocated
 * @bufsz: how many, in bytes
 * @memsz: how many bytes it takes in memory; those beyond @bufsz are zero
 * @entry: offset of startup_64()
 * @random: whether its virtual address was chosen at random
 */
struct kexec_vmlinux {
	void *buf;
	unsigned long bufsz;
	unsigned long memsz;
	unsigned long entry;
	bool random;
};

bool kexec_vmlinux_unpack(const char *kernel, unsigned long len,
			  const char *cmdline, struct kexec_vmlinux *v);
void kexec_vmlinux_free(struct kexec_vmlinux *v);

#endif /* _ASM_X86_KEXEC_VMLINUX_H */
