// SPDX-License-Identifier: GPL-2.0-only
/*
 * The vmlinux in a bzImage that is not compressed, laid out as it will run.
 *
 * The boot stub of a bzImage moves itself out of the way, decompresses what it
 * carries, moves its ELF segments to where they belong and relocates them.
 * When kexec_file_load() finds a vmlinux that is not compressed, the same can
 * be done before the running kernel is left, and the next one is entered at
 * its startup_64().
 */

#define pr_fmt(fmt) "kexec-bzImage64: " fmt

#include <linux/cc_platform.h>
#include <linux/elf.h>
#include <linux/kexec.h>
#include <linux/log2.h>
#include <linux/random.h>
#include <linux/string.h>
#include <linux/unaligned.h>
#include <linux/vmalloc.h>
#include <asm/bootparam.h>
#include <asm/cmdline.h>
#include <asm/cpufeatures.h>
#include <asm/kexec-vmlinux.h>
#include <asm/page_types.h>
#include <asm/pgtable.h>
#include <asm/processor.h>

/* Room of the kernel's mapping, if it can be anywhere in it: RANDOMIZE_BASE */
#define RANDOM_IMAGE_SIZE	SZ_1G

/* A file in memory: the vmlinux, and behind it what relocates it */
struct payload {
	const void *data;
	unsigned long size;
	const struct elf64_hdr *ehdr;
	const struct elf64_phdr *phdrs;
	unsigned long relocs;	/* offset of the relocations, size: none */
};

static bool inside(u64 at, u64 size, u64 limit)
{
	return at <= limit && size <= limit - at;
}

/* The same choice as that of the boot stub, configure_5level_paging() */
static bool wants_5level(const struct setup_header *hdr, const char *cmdline)
{
	return hdr->xloadflags & XLF_5LEVEL_ENABLED &&
	       !cmdline_find_option_bool(cmdline, "no5lvl") &&
	       cpuid_eax(0) >= 7 &&
	       cpuid_ecx(7) & BIT(X86_FEATURE_LA57 & 31);
}

/* What stands in the way of entering a kernel without its boot stub? */
static bool stub_needed(const struct setup_header *hdr, const char *cmdline)
{
	/* It asks hypervisor and firmware, and sets encryption up */
	return cc_platform_has(CC_ATTR_MEM_ENCRYPT) ||
	       cmdline_find_option_bool(cmdline, "mem_encrypt=on") ||
	       cmdline_find_option_bool(cmdline, "mem_encrypt=off") ||
	       /* It changes the levels of paging, by way of 32-bit code */
	       wants_5level(hdr, cmdline) != pgtable_l5_enabled();
}

static bool find_payload(const char *kernel, unsigned long len,
			 const struct setup_header *hdr, struct payload *p)
{
	unsigned long start = ((hdr->setup_sects ?: 4) + 1) * 512;
	const struct elf64_hdr *e;
	unsigned long end;
	int i;

	/* Behind it stands its size, four bytes */
	if (!inside(start, hdr->payload_offset, len) ||
	    hdr->payload_length < sizeof(*e) + 4 ||
	    !inside(start + hdr->payload_offset, hdr->payload_length, len))
		return false;
	p->data = kernel + start + hdr->payload_offset;
	p->size = hdr->payload_length - 4;

	e = p->data;
	p->ehdr = e;
	if (memcmp(e->e_ident, ELFMAG, SELFMAG) ||
	    e->e_ident[EI_CLASS] != ELFCLASS64 || e->e_type != ET_EXEC ||
	    e->e_machine != EM_X86_64 || e->e_phentsize != sizeof(struct elf64_phdr) ||
	    !inside(e->e_phoff, e->e_phnum * sizeof(struct elf64_phdr), p->size) ||
	    !inside(e->e_shoff, e->e_shnum * e->e_shentsize, p->size))
		return false;
	p->phdrs = p->data + e->e_phoff;

	end = max(e->e_phoff + e->e_phnum * sizeof(struct elf64_phdr),
		  e->e_shoff + e->e_shnum * e->e_shentsize);
	for (i = 0; i < e->e_phnum; i++) {
		if (!inside(p->phdrs[i].p_offset, p->phdrs[i].p_filesz, p->size))
			return false;
		end = max(end, p->phdrs[i].p_offset + p->phdrs[i].p_filesz);
	}
	p->relocs = end;
	return true;
}

/* Sizes of the laid out kernel, from the address that it was linked for */
static bool measure(const struct payload *p, const struct setup_header *hdr,
		    struct kexec_vmlinux *v)
{
	u64 base = hdr->pref_address, start;
	const struct elf64_phdr *ph = p->phdrs;
	int i;

	/* It is mapped in large pages, and the room is divided by it */
	if (!is_power_of_2(hdr->kernel_alignment) ||
	    hdr->kernel_alignment < PMD_SIZE || !IS_ALIGNED(base, PMD_SIZE))
		return false;

	for (i = 0; i < p->ehdr->e_phnum; i++, ph++) {
		if (ph->p_type != PT_LOAD)
			continue;
		start = ph->p_paddr - base;
		if (ph->p_paddr < base || ph->p_filesz > ph->p_memsz ||
		    !inside(start, ph->p_memsz, hdr->init_size))
			return false;
		v->bufsz = max_t(unsigned long, v->bufsz, start + ph->p_filesz);
		v->memsz = max_t(unsigned long, v->memsz, start + ph->p_memsz);
	}

	/* What is mapped in large pages is all of it */
	v->memsz = ALIGN(v->memsz, PMD_SIZE);
	v->entry = p->ehdr->e_entry - base;
	return v->bufsz && p->ehdr->e_entry >= base && v->entry < v->bufsz;
}

static void lay_out(const struct payload *p, const struct setup_header *hdr,
		    struct kexec_vmlinux *v)
{
	const struct elf64_phdr *ph = p->phdrs;
	int i;

	for (i = 0; i < p->ehdr->e_phnum; i++, ph++)
		if (ph->p_type == PT_LOAD)
			memcpy(v->buf + ph->p_paddr - hdr->pref_address,
			       p->data + ph->p_offset, ph->p_filesz);
}

/* Where in the buffer a relocation is to be made, NULL: nowhere */
static void *target(const struct kexec_vmlinux *v,
		    const struct setup_header *hdr, s32 reloc, size_t size)
{
	u64 at = (u64)(s64)reloc - __START_KERNEL_map - hdr->pref_address;

	return inside(at, size, v->bufsz) ? v->buf + at : NULL;
}

/*
 * Three lists of addresses, each behind a zero, read from the end: of 32-bit
 * values, of 32-bit values that are relative to something that does not move,
 * of 64-bit values. See handle_relocations() of the boot stub.
 */
static bool relocate(const struct payload *p, const struct setup_header *hdr,
		     const struct kexec_vmlinux *v, u64 delta)
{
	const void *at = p->data + p->size, *end = p->data + p->relocs;
	int list;
	void *to;
	s32 r;

	for (list = 0; list < 3; list++) {
		for (;;) {
			at -= sizeof(r);
			if (at < end)
				return false;
			r = get_unaligned((const s32 *)at);
			if (!r)
				break;
			to = target(v, hdr, r, list == 2 ? 8 : 4);
			if (!to)
				return false;
			if (list == 0)
				put_unaligned(get_unaligned((u32 *)to) + (u32)delta, (u32 *)to);
			else if (list == 1)
				put_unaligned(get_unaligned((u32 *)to) - (u32)delta, (u32 *)to);
			else
				put_unaligned(get_unaligned((u64 *)to) + delta, (u64 *)to);
		}
	}
	return true;
}

/* The same choice as that of the boot stub, find_random_virt_addr() */
static u64 choose_delta(const struct setup_header *hdr,
			const struct kexec_vmlinux *v)
{
	u64 room = RANDOM_IMAGE_SIZE - hdr->pref_address - v->memsz;

	return get_random_u32_below(room / hdr->kernel_alignment + 1) *
	       (u64)hdr->kernel_alignment;
}

/**
 * kexec_vmlinux_unpack - lay an uncompressed kernel out as it will run
 * @kernel: a bzImage
 * @len: its size in bytes
 * @cmdline: what it is going to be started with
 * @v: where to put the result; to be freed by kexec_vmlinux_free()
 *
 * If the kernel has relocations and @cmdline no nokaslr, its virtual address
 * is chosen at random. It can run at any physical address that is aligned to
 * the kernel_alignment of its header.
 *
 * Return: false if the kernel has to be started by its boot stub, for it is
 * compressed, not understood, or the stub has work to do on this machine.
 */
bool kexec_vmlinux_unpack(const char *kernel, unsigned long len,
			  const char *cmdline, struct kexec_vmlinux *v)
{
	const struct setup_header *hdr = (const void *)kernel +
					 offsetof(struct boot_params, hdr);
	struct payload p;

	memset(v, 0, sizeof(*v));
	if (stub_needed(hdr, cmdline) || !find_payload(kernel, len, hdr, &p) ||
	    !measure(&p, hdr, v))
		return false;

	v->random = p.relocs < p.size &&
		    hdr->pref_address + v->memsz <= RANDOM_IMAGE_SIZE &&
		    !cmdline_find_option_bool(cmdline, "nokaslr");
	v->buf = vzalloc(v->bufsz);
	if (!v->buf)
		return false;
	lay_out(&p, hdr, v);

	if (v->random && !relocate(&p, hdr, v, choose_delta(hdr, v))) {
		pr_warn("relocations are not understood, leaving them to the boot stub\n");
		kexec_vmlinux_free(v);
		return false;
	}
	kexec_dprintk("entering the kernel without its boot stub\n");
	return true;
}

/**
 * kexec_vmlinux_free - free the buffer
 * @v: what kexec_vmlinux_unpack() filled in, or zeroes
 */
void kexec_vmlinux_free(struct kexec_vmlinux *v)
{
	vfree(v->buf);
	v->buf = NULL;
}
