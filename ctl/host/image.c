// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <linux/kram.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include "base/util.h"
#include "host/image.h"

/* struct setup_header, offsets from the start of the file */
#define HDR_SETUP_SECTS		0x1f1
#define HDR_SYSSIZE		0x1f4
#define HDR_MAGIC		0x202
#define HDR_VERSION		0x206
#define HDR_KERNEL_VERSION	0x20e
#define HDR_RELOCATABLE		0x234
#define HDR_XLOADFLAGS		0x236
#define HDR_CMDLINE_SIZE	0x238
#define HDR_KERNEL_INFO		0x268
#define HDR_END			0x26c

#define XLF_CAN_BE_LOADED_ABOVE_4G 0x2

#define KERNEL_INFO_MAGIC	0x506f544c	/* "LToP" */

static uint16_t le16(const uint8_t *p)
{
	return p[0] | p[1] << 8;
}

static uint32_t le32(const uint8_t *p)
{
	return le16(p) | (uint32_t)le16(p + 2) << 16;
}

static uint32_t crc_zeros(uint32_t crc, size_t len)
{
	static const uint8_t zeros[8];

	return crc32(crc, zeros, len);
}

/*
 * The checksum lies in the last four bytes and is that of all before them. Signing
 * an image fills in the checksum of the PE header and the place of the certificate
 * table, which are zero in what the build wrote, and appends the signature.
 */
static bool crc_matches(const uint8_t *d, size_t len)
{
	uint32_t pe = le32(d + 0x3c), crc = crc32(0, NULL, 0);
	size_t sum = (size_t)pe + 0x58, cert = (size_t)pe + 0xa8;

	if (pe >= 0x40 && cert + 8 <= HDR_SETUP_SECTS * 16 && cert + 12 < len &&
	    !memcmp(d + pe, "PE\0\0", 4) && le32(d + cert + 4)) {
		crc = crc32(crc, d, sum);
		crc = crc_zeros(crc, 4);
		crc = crc32(crc, d + sum + 4, cert - sum - 4);
		crc = crc_zeros(crc, 8);
		crc = crc32(crc, d + cert + 8, len - 4 - cert - 8);
	} else {
		crc = crc32(crc, d, len - 4);
	}
	/* Kept without the final inversion, so that the CRC of everything is zero. */
	return ~crc == le32(d + len - 4);
}

static void parse_kernel_info(const uint8_t *d, size_t len, size_t at, struct kernel_image *img)
{
	uint32_t fixed, total, size;
	size_t off;

	if (at + 16 > len || le32(d + at) != KERNEL_INFO_MAGIC)
		return;
	fixed = le32(d + at + 4);
	total = le32(d + at + 8);
	if (fixed > total || total > len - at)
		return;
	for (off = fixed; off + 8 <= total; off += size) {
		size = le32(d + at + off + 4);
		if (size < 8 || size > total - off)
			return;
		if (le32(d + at + off) != KRAM_IMAGE_MAGIC || size < 12)
			continue;
		img->has_kram = true;
		img->kram_abi = le32(d + at + off + 8);
		return;
	}
}

void image_parse(const void *data, size_t size, struct kernel_image *img)
{
	const uint8_t *d = data;
	size_t setup, end, v;

	memset(img, 0, sizeof(*img));
	if (size < HDR_END || memcmp(d + HDR_MAGIC, "HdrS", 4))
		return;
	img->bzimage = true;
	img->protocol = le16(d + HDR_VERSION);
	img->cmdline_size = le32(d + HDR_CMDLINE_SIZE);
	setup = ((d[HDR_SETUP_SECTS] ? d[HDR_SETUP_SECTS] : 4) + 1) * 512;
	end = setup + (size_t)le32(d + HDR_SYSSIZE) * 16;
	v = le16(d + HDR_KERNEL_VERSION) + 0x200;
	if (v > 0x200 && v < setup && v < size)
		copy_str(img->version, size - v < sizeof(img->version) ? size - v :
			 sizeof(img->version), (const char *)d + v);
	img->complete = end > setup && size >= end;
	if (img->protocol < 0x020f)
		return;
	img->relocatable = d[HDR_RELOCATABLE];
	img->above_4g = le16(d + HDR_XLOADFLAGS) & XLF_CAN_BE_LOADED_ABOVE_4G;
	if (!img->complete)
		return;
	img->crc_ok = crc_matches(d, end);
	if (le32(d + HDR_KERNEL_INFO))
		parse_kernel_info(d, end, setup + le32(d + HDR_KERNEL_INFO), img);
}

int image_read(const char *path, struct kernel_image *img)
{
	struct stat st;
	void *data;
	int fd, rc = 0;

	memset(img, 0, sizeof(*img));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st)) {
		rc = -errno;
	} else if (!S_ISREG(st.st_mode)) {
		rc = -EINVAL;
	} else if (st.st_size) {
		data = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (data == MAP_FAILED) {
			rc = -errno;
		} else {
			image_parse(data, st.st_size, img);
			munmap(data, st.st_size);
		}
	}
	close(fd);
	return rc;
}
