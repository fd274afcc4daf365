// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/reboot.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/util.h"
#include "host/kexec.h"

/* Not in the headers of a distribution: the next kernel is entered without a digest of it. */
#ifndef KEXEC_FILE_NO_DIGEST
#define KEXEC_FILE_NO_DIGEST 0x00001000
#endif
/* And is loaded where it will run, if there is memory for it. */
#ifndef KEXEC_FILE_IN_PLACE
#define KEXEC_FILE_IN_PLACE 0x00002000
#endif

static const char *load_hint(int err)
{
	switch (err) {
	case ENOEXEC:
		return " (no kernel that kexec can load)";
	case EKEYREJECTED:
	case ENOKEY:
	case EBADMSG:
		return " (its signature is not accepted)";
	case EPERM:
		return " (not root, or the kernel is locked down)";
	case EADDRNOTAVAIL:
		return " (no room in memory)";
	}
	return "";
}

/* A kernel that does not know one of the flags is slower, and takes the others. */
static int load(int kfd, int ifd, const char *cmdline, unsigned long flags)
{
	static const unsigned long optional[] = { 0, KEXEC_FILE_IN_PLACE,
						  KEXEC_FILE_IN_PLACE | KEXEC_FILE_NO_DIGEST };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(optional); i++)
		if (!syscall(SYS_kexec_file_load, kfd, ifd, strlen(cmdline) + 1, cmdline,
			     flags & ~optional[i]))
			return 0;
		else if (errno != EINVAL)
			break;
	return -1;
}

int kexec_load(const char *kernel, const char *initrd, const char *cmdline, struct kh_err *e)
{
	unsigned long flags = KEXEC_FILE_NO_DIGEST | KEXEC_FILE_IN_PLACE |
			      (initrd ? 0 : KEXEC_FILE_NO_INITRAMFS);
	int kfd, ifd = -1, rc = 0;

	kfd = open(kernel, O_RDONLY | O_CLOEXEC);
	if (kfd < 0)
		return err_set(e, -errno, "%s: %s", kernel, strerror(errno));
	if (initrd) {
		ifd = open(initrd, O_RDONLY | O_CLOEXEC);
		if (ifd < 0)
			rc = err_set(e, -errno, "%s: %s", initrd, strerror(errno));
	}
	if (!rc && load(kfd, ifd, cmdline, flags))
		rc = err_set(e, -errno, "kexec_file_load of %s: %s%s", kernel, strerror(errno),
			     load_hint(errno));
	close(kfd);
	if (ifd >= 0)
		close(ifd);
	return rc;
}

int kexec_unload(void)
{
	if (syscall(SYS_kexec_file_load, -1, -1, 0, NULL, KEXEC_FILE_UNLOAD))
		return -errno;
	return 0;
}

int kexec_jump(void)
{
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_KEXEC, NULL);
	return -errno;
}

bool kexec_loaded(void)
{
	uint64_t loaded;

	return !read_u64("/sys/kernel/kexec_loaded", &loaded) && loaded;
}
