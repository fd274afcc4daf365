/* SPDX-License-Identifier: GPL-2.0 */
/* The QMP socket of a QEMU of which only the process is known. */
#ifndef KHCTL_VM_FIND_H
#define KHCTL_VM_FIND_H

#include <stddef.h>
#include <sys/types.h>

/**
 * vm_listening() - paths of the UNIX sockets that a process listens on
 * @unix_table: as /proc/PID/net/unix
 * @inodes: of the process's sockets, ends with 0
 * @path: filled with pointers into *@text
 * @text: freed by the caller
 *
 * Return: how many, at most @max; -errno.
 */
int vm_listening(const char *unix_table, const unsigned long *inodes, char **path, int max,
		 char **text);

/**
 * vm_find_qmp() - a socket on which process @pid, and no other, speaks QMP
 * @cancel_fd: ends the search
 * @path: absolute
 *
 * The sockets that the command line names for QMP are tried first. Return: 0, -ENOENT, -errno.
 */
int vm_find_qmp(pid_t pid, int cancel_fd, char *path, size_t size);

#endif
