// SPDX-License-Identifier: GPL-2.0-only
/*
 * Segments of the next kernel that are loaded where they will be used.
 *
 * The place of a segment is chosen without asking whether it is free, as the
 * running kernel is gone when it is needed: until then its pages lie where
 * there was room, and are copied on the way. With KEXEC_FILE_IN_PLACE large
 * segments get contiguous memory from the page allocator, which is theirs
 * already, and nothing is left to be done on the way.
 */

#define pr_fmt(fmt) "kexec_file: " fmt

#include <linux/gfp.h>
#include <linux/kexec.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "kexec_internal.h"

/* Less is copied in no time */
#define IN_PLACE_MIN SZ_2M

/**
 * kexec_place_buffer - allocate memory for a segment where it can stay
 * @kbuf: what is going to be the next segment of its image; on success @mem
 *	is set. @memsz, @buf_align, @buf_min and @buf_max are respected.
 *
 * The memory belongs to the image, see kimage_free_in_place().
 *
 * Return: false if it is not wanted, or if there is none.
 */
bool kexec_place_buffer(struct kexec_buf *kbuf)
{
	unsigned long nr = kbuf->memsz >> PAGE_SHIFT;
	unsigned long align = kbuf->buf_align >> PAGE_SHIFT;
	struct kimage *image = kbuf->image;
	unsigned long pfn, first;
	struct page *pages;

	/* One without contents is filled later, by way of the list of copies */
	if (!image->in_place || kbuf->memsz < IN_PLACE_MIN || !kbuf->bufsz ||
	    kbuf->mem != KEXEC_BUF_MEM_UNKNOWN)
		return false;

	/* Any alignment can be had of a range that is longer by it */
	pages = alloc_contig_pages(nr + align - 1, GFP_KERNEL | __GFP_NOWARN,
				   numa_node_id(), NULL);
	if (!pages)
		return false;
	pfn = page_to_pfn(pages);
	first = ALIGN(pfn, align);
	if (first > pfn)
		free_contig_range(pfn, first - pfn);
	if (pfn + align - 1 > first)
		free_contig_range(first + nr, pfn + align - 1 - first);

	/* Segments that are copied may have been given the same place */
	pages = pfn_to_page(first);
	if (PFN_PHYS(first) < kbuf->buf_min ||
	    PFN_PHYS(first + nr) - 1 > kbuf->buf_max ||
	    kimage_is_destination_range(image, PFN_PHYS(first),
					PFN_PHYS(first + nr) - 1) ||
	    arch_kexec_post_alloc_pages(page_address(pages), nr, 0)) {
		free_contig_range(first, nr);
		return false;
	}

	kbuf->mem = PFN_PHYS(first);
	image->in_place_pages[image->nr_segments] = pages;
	return true;
}

/**
 * kimage_load_in_place - fill the memory of a segment
 * @image: the image
 * @i: number of a segment for which kexec_place_buffer() returned true
 *
 * May sleep.
 */
void kimage_load_in_place(struct kimage *image, int i)
{
	const struct kexec_segment *segment = &image->segment[i];
	char *to = page_address(image->in_place_pages[i]);
	size_t at, n;

	for (at = 0; at < segment->bufsz; at += n) {
		n = min_t(size_t, segment->bufsz - at, SZ_1M);
		memcpy(to + at, segment->kbuf + at, n);
		cond_resched();
	}
	for (; at < segment->memsz; at += n) {
		n = min_t(size_t, segment->memsz - at, SZ_1M);
		memset(to + at, 0, n);
		cond_resched();
	}
}

/**
 * kimage_free_in_place - give the memory of all segments back
 * @image: the image; it is not going to be entered
 */
void kimage_free_in_place(struct kimage *image)
{
	unsigned long nr;
	int i;

	for (i = 0; i < KEXEC_SEGMENT_MAX; i++) {
		if (!image->in_place_pages[i])
			continue;
		nr = image->segment[i].memsz >> PAGE_SHIFT;
		arch_kexec_pre_free_pages(page_address(image->in_place_pages[i]), nr);
		free_contig_range(page_to_pfn(image->in_place_pages[i]), nr);
		image->in_place_pages[i] = NULL;
	}
}
