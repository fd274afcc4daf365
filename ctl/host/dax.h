/* SPDX-License-Identifier: GPL-2.0 */
/* devdax devices: what is there, who uses it, mapping one. */
#ifndef KHCTL_DAX_H
#define KHCTL_DAX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"

struct dax_dev {
	char path[64];		/* /dev/daxX.Y */
	uint64_t resource;	/* physical address */
	uint64_t size;		/* bytes */
	uint64_t align;		/* of mappings, bytes */
};

/** dax_list() - every enabled devdax device; the caller frees *@devs. Return: count or -errno. */
int dax_list(struct dax_dev **devs);

/** dax_find() - the one of that path. Return: 0 or -errno. */
int dax_find(const char *path, struct dax_dev *dev, struct kh_err *e);

/** dax_at() - the one at that physical address. Return: 0 or -errno. */
int dax_at(uint64_t resource, struct dax_dev *dev);

/**
 * dax_user() - who maps a devdax device
 * @except: a process that does not count
 *
 * Return: pid, 0 for nobody; -errno when a process could not be looked at, which may be a user.
 */
pid_t dax_user(const char *path, pid_t except);

/**
 * dax_users() - the same for @n devices in one pass over the processes, this process left out
 * @user: for each path as dax_user() returns it
 */
void dax_users(const char * const *path, unsigned int n, pid_t *user);

/**
 * dax_map() - shared mapping of the first @len bytes
 * @len: rounded up to the alignment of the device; 0: all of it
 *
 * Return: 0 or -errno.
 */
int dax_map(const struct dax_dev *dev, uint64_t len, bool write, void **map, uint64_t *mapped);

#endif
