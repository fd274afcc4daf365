/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _ASM_X86_KRAM_H
#define _ASM_X86_KRAM_H

#include <linux/errno.h>
#include <linux/init.h>
#include <linux/types.h>

#ifdef CONFIG_KRAM
void kram_note_inherited(void);
int kram_reserve(u64 start, u64 size);
void kram_find_areas(void);
u32 kram_image_abi(const void *kernel, unsigned long len, int setup_sects,
		   u32 info);
#else
static inline void kram_note_inherited(void) { }
static inline int kram_reserve(u64 start, u64 size) { return -EINVAL; }
static inline void kram_find_areas(void) { }
static inline u32 kram_image_abi(const void *kernel, unsigned long len,
				 int setup_sects, u32 info)
{
	return 0;
}
#endif

#endif /* _ASM_X86_KRAM_H */
