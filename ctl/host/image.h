/* SPDX-License-Identifier: GPL-2.0 */
/* What a kernel image says of itself (Documentation/arch/x86/boot.rst). */
#ifndef KHCTL_IMAGE_H
#define KHCTL_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct kernel_image - the findings; a field is only meaningful when those above it are good
 * @bzimage: has the setup header
 * @protocol: version of the boot protocol, 0x020f and later has kernel_info
 * @complete: as long as its header says
 * @crc_ok: its checksum is right; a signature that was put on later is allowed for
 * @relocatable: runs wherever it is loaded
 * @above_4g: can be loaded there by kexec_file_load
 * @has_kram: its kernel_info speaks of KRAM
 * @kram_abi: and of this version
 * @cmdline_size: the longest command line it takes
 * @version: what it calls itself, "" when it does not say
 */
struct kernel_image {
	bool bzimage;
	uint16_t protocol;
	bool complete;
	bool crc_ok;
	bool relocatable;
	bool above_4g;
	bool has_kram;
	uint32_t kram_abi;
	uint32_t cmdline_size;
	char version[192];
};

void image_parse(const void *data, size_t size, struct kernel_image *img);

/** image_read() - map a file and parse it. Return: 0, -EINVAL for no regular file, -errno. */
int image_read(const char *path, struct kernel_image *img);

#endif
