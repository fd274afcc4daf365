// SPDX-License-Identifier: GPL-2.0
/*
 * What a stock host needs for a kexec, without the rest of kexec-tools, and a clock that goes on over it:
 *
 *	l1-jump load KERNEL INITRD|- COMMAND-LINE [FLAGS [TIMES]]
 *					FLAGS of kexec_file_load(2); TIMES: as often, unloaded in between
 *	l1-jump go
 *	l1-jump mark FILE NAME		put "NAME TSC" behind what FILE holds
 *
 * The file is a page of zeroes at first, in memory that outlasts the kernel: its blocks are there, so that
 * what is written needs no sync.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <x86intrin.h>

#define MARKS_SIZE	4096

static int load(const char *kernel, const char *initrd, const char *command_line, unsigned long flags,
		unsigned long times)
{
	int k, i = -1;

	k = open(kernel, O_RDONLY | O_CLOEXEC);
	if (k < 0)
		return -errno;
	if (strcmp(initrd, "-")) {
		i = open(initrd, O_RDONLY | O_CLOEXEC);
		if (i < 0)
			return -errno;
	} else {
		flags |= KEXEC_FILE_NO_INITRAMFS;
	}
	for (; times; times--)
		if (syscall(SYS_kexec_file_load, k, i, strlen(command_line) + 1, command_line, flags) ||
		    (times > 1 && syscall(SYS_kexec_file_load, -1, -1, 0UL, NULL, KEXEC_FILE_UNLOAD)))
			return -errno;
	return 0;
}

static int go(void)
{
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, NULL);
	return -errno;
}

static int mark(const char *path, const char *name)
{
	unsigned long long tsc = __rdtsc();
	char page[MARKS_SIZE], line[128];
	int fd = open(path, O_RDWR | O_CLOEXEC), len;
	size_t used;

	if (fd < 0 || pread(fd, page, sizeof(page), 0) != (ssize_t)sizeof(page))
		return -errno;
	used = strnlen(page, sizeof(page));
	len = snprintf(line, sizeof(line), "%s %llu\n", name, tsc);
	if (used + len >= sizeof(page))
		return -ENOSPC;
	return pwrite(fd, line, len, used) == len ? 0 : -errno;
}

int main(int argc, char **argv)
{
	int ret = -EINVAL;

	if (argc >= 5 && argc <= 7 && !strcmp(argv[1], "load"))
		ret = load(argv[2], argv[3], argv[4], argc > 5 ? strtoul(argv[5], NULL, 0) : 0,
			   argc > 6 ? strtoul(argv[6], NULL, 0) : 1);
	else if (argc == 2 && !strcmp(argv[1], "go"))
		ret = go();
	else if (argc == 4 && !strcmp(argv[1], "mark"))
		ret = mark(argv[2], argv[3]);
	if (ret)
		fprintf(stderr, "l1-jump: %s\n", strerror(-ret));
	return ret ? 1 : 0;
}
