/* SPDX-License-Identifier: GPL-2.0 */
/* Small files of /sys and /proc, numbers, strings. */
#ifndef KHCTL_UTIL_H
#define KHCTL_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/**
 * read_text() - a small text file, without the newline at its end
 * @buf: zero terminated on success
 * @size: of @buf; a longer file is -EFBIG
 *
 * Return: length or -errno.
 */
ssize_t read_text(const char *path, char *buf, size_t size);

/** read_all() - a file of unknown size; the caller frees *@buf. Return: 0 or -errno. */
int read_all(const char *path, char **buf, size_t *len);

/** read_u64() - a number in decimal, or in hex with 0x. Return: 0 or -errno. */
int read_u64(const char *path, uint64_t *val);

/** write_text() - one write(2) to an existing file, as sysfs wants it. Return: 0 or -errno. */
int write_text(const char *path, const char *text);

/** parse_u64() - all of @s is a number. Return: 0 or -EINVAL. */
int parse_u64(const char *s, uint64_t *val);

/** text_ends() - is there a zero byte within @size bytes */
bool text_ends(const char *s, size_t size);

/** copy_str() - always terminated. Return: 0, or -ENAMETOOLONG when cut. */
int copy_str(char *dst, size_t size, const char *src);

/** path_fmt() - as snprintf(). Return: @buf, empty if it does not fit. */
char *path_fmt(char *buf, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** make_parents() - the folders above @path. Return: 0 or -errno. */
int make_parents(const char *path);

bool has_prefix(const char *s, const char *prefix);

/** pread_full() - exactly @len bytes. Return: 0, -EIO when there are less, or -errno. */
int pread_full(int fd, void *buf, size_t len, off_t off);

/** kernel_name() - "release version" of the running kernel. */
void kernel_name(char *buf, size_t size);

/** boot_id() - of the running kernel. Return: 0 or -errno. */
int boot_id(char *buf, size_t size);

/**
 * small_pages() - let the kernel hand out @p page by page
 *
 * A large allocation of which little is used would otherwise begin with a huge page, which the kernel
 * empties first; guests may stand meanwhile.
 */
void small_pages(void *p, size_t size);

/**
 * lockdown() - how far the running kernel is locked down
 * @buf: "integrity" or "confidentiality"; empty: not at all, or nobody tells
 */
const char *lockdown(char *buf, size_t size);

#endif
