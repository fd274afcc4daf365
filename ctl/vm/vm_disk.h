/* SPDX-License-Identifier: GPL-2.0 */
/* Which disk is it? Names such as /dev/vda go by the order in which a kernel finds the disks. */
#ifndef KHCTL_VM_DISK_H
#define KHCTL_VM_DISK_H

#include <stddef.h>
#include "base/err.h"

struct json_object;

#define DISK_ID_SIZE 512

/**
 * disk_block_id() - what tells a block device from all others
 * @sys: where sysfs is mounted
 * @buf: DISK_ID_SIZE bytes: "wwid=...", "serial=..." and the like
 *
 * Return: 0; -ENODATA when it has nothing that names it; -errno.
 */
int disk_block_id(const char *sys, unsigned int major, unsigned int minor, char *buf);

/**
 * disk_find() - the block device with this identity
 * @name: its kernel name, 64 bytes
 *
 * Return: 0; -ENOENT; -EEXIST when there are several.
 */
int disk_find(const char *sys, const char *id, char *name);

/**
 * disk_id() - what tells an image, a block device or a file, from all others
 * @buf: DISK_ID_SIZE bytes. A file: file system and inode.
 *
 * Return: 0; -ENODATA; -EXDEV for a file in memory, which the next kernel has not; -errno.
 */
int disk_id(const char *path, char *buf);

/**
 * disks_of() - the images of a machine
 * @now: of machine_learn()
 * @cwd: what relative paths begin at
 * @bad: called for each image that has no identity, with the reason
 *
 * Return: an object {PATH: IDENTITY}, which the caller puts.
 */
struct json_object *disks_of(struct json_object *now, const char *cwd,
			     void (*bad)(void *ctx, const char *path, int rc), void *ctx);

/**
 * disks_moved() - where the images are in this kernel
 * @disks: of disks_of()
 *
 * Return: an object {PATH: NEW PATH} of those that moved; NULL with a message in @e when one is
 * missing, or is another disk now, and the right one is not there.
 */
struct json_object *disks_moved(struct json_object *disks, const char *cwd, struct kh_err *e);

/** disk_rename() - an argument with the new paths. Return: allocated, NULL: none of them is in it. */
char *disk_rename(const char *arg, struct json_object *moved);

#endif
