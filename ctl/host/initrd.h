/* SPDX-License-Identifier: GPL-2.0 */
/* Is a file an initial RAM disk that a kernel can unpack? (Documentation/driver-api/early-userspace/buffer-format.rst) */
#ifndef KHCTL_INITRD_H
#define KHCTL_INITRD_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"

/**
 * struct initrd - what was found
 * @entries: files and folders in all archives
 * @has_init: one of them is the program that was asked for
 * @packed: name of a compression that could not be undone here, NULL: all was read
 */
struct initrd {
	unsigned int entries;
	bool has_init;
	const char *packed;
};

/**
 * initrd_check() - read all of it: archives of cpio (newc), plain or compressed
 * @init: path of the program that the kernel starts from it, for example "/init"
 *
 * gzip is undone with zlib; zstd, xz, lzma, bzip2, lzo and lz4 with their programs, where they are
 * installed.
 *
 * Return: 0; -EBADMSG with a message when it is damaged, cut short or of another kind; -errno.
 */
int initrd_check(const void *data, size_t size, const char *init, struct initrd *rd, struct kh_err *e);

#endif
