/* SPDX-License-Identifier: GPL-2.0 */
/* Will a kernel with this command line find its root file system and its first process? */
#ifndef KHCTL_ROOTFS_H
#define KHCTL_ROOTFS_H

#include <stdbool.h>
#include "base/err.h"

/**
 * struct rootfs_wish - what is known about the host
 * @dev: folder of device nodes, "/dev"
 * @sys: "/sys"
 * @filesystems: path of the list that the running kernel knows, "/proc/filesystems"
 * @running: command line of the running kernel
 * @has_initrd: the next kernel gets an initial RAM disk with a program to start
 */
struct rootfs_wish {
	const char *dev;
	const char *sys;
	const char *filesystems;
	const char *running;
	bool has_initrd;
};

/**
 * rootfs_check() - as far as it can be told
 * @cmdline: of the next kernel
 * @found: what will be used, or what is wrong
 *
 * A name that only the initial RAM disk can interpret is accepted when there is one. A file of
 * init= is looked for when the root file system is that of the running kernel.
 *
 * Return: 0; -EINVAL when it cannot work.
 */
int rootfs_check(const char *cmdline, const struct rootfs_wish *wish, char *found, size_t size);

#endif
