// SPDX-License-Identifier: GPL-2.0
/* Checks of the new kernel, its initial RAM disk and its command line. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/util.h"
#include "host/cmdline_adopt.h"
#include "host/initrd.h"
#include "host/late.h"
#include "host/rootfs.h"
#include "preflight/preflight.h"

static void check_kernel_kram(struct preflight *pf, const char *path)
{
	const struct kernel_image *img = &pf->image;

	if (!img->has_kram)
		check_bad(pf, "kernel-kram", path, "a kernel that can take over (KRAM)",
			  "build it with the patches of kernel/ and CONFIG_KRAM",
			  "%s does not know KRAM", img->version[0] ? img->version : "this kernel");
	else if (img->kram_abi != KRAM_ABI_VERSION)
		check_bad(pf, "kernel-kram", path, "the KRAM ABI version of the running kernel",
			  "build it from the same version of the patches",
			  "ABI version %u, running: %d", img->kram_abi, KRAM_ABI_VERSION);
	else
		check_ok(pf, "kernel-kram", path, "ABI version %u", img->kram_abi);
}

static void check_kernel_format(struct preflight *pf, const char *path)
{
	const struct kernel_image *img = &pf->image;

	if (img->protocol < 0x020f)
		check_bad(pf, "kernel-protocol", path, "boot protocol 2.15 or later",
			  "use a kernel of 5.6 or later", "boot protocol %u.%02u",
			  img->protocol >> 8, img->protocol & 0xff);
	else if (!img->complete || !img->crc_ok)
		check_bad(pf, "kernel-crc", path, "a whole and undamaged image",
			  "copy it anew", img->complete ? "its checksum is wrong" :
			  "it is shorter than its header says");
	else
		check_ok(pf, "kernel-crc", path, "checksum right");
	if (img->protocol < 0x020f)
		return;
	if (!img->relocatable || !img->above_4g)
		check_bad(pf, "kernel-reloc", path, "a relocatable 64-bit kernel",
			  "build it with CONFIG_RELOCATABLE",
			  img->relocatable ? "it cannot be loaded above 4 GiB" :
			  "it is not relocatable");
	else
		check_ok(pf, "kernel-reloc", path, "relocatable");
	if (img->crc_ok)
		check_kernel_kram(pf, path);
}

/* The kernel starts /init of an initial RAM disk, or what rdinit= names. Return: whether that is there. */
static bool check_initrd(struct preflight *pf, const struct preflight_in *in)
{
	char init[256] = "/init", *data = NULL;
	struct kh_err e = { 0 };
	struct initrd rd;
	struct stat st;
	size_t len;
	int rc;

	cmdline_get(pf->asked, "rdinit", init, sizeof(init));
	rc = stat(in->initrd, &st) ? -errno : S_ISREG(st.st_mode) ? 0 : -EINVAL;
	if (!rc)
		rc = read_all(in->initrd, &data, &len);
	if (rc) {
		check_bad(pf, "initrd", in->initrd, "a readable regular file",
			  "give the path of an initial RAM disk", "%s", strerror(-rc));
		return false;
	}
	rc = initrd_check(data, len, init, &rd, &e);
	free(data);
	if (rc)
		check_bad(pf, "initrd", in->initrd, "whole archives of cpio, packed or not",
			  "make the initial RAM disk anew", "%s", e.msg);
	else if (rd.packed)
		check_ok(pf, "initrd", in->initrd, "not looked into: no program here unpacks %s",
			 rd.packed);
	else
		check_ok(pf, "initrd", in->initrd, "%u entries, %s %s", rd.entries,
			 rd.has_init ? "with" : "without", init);
	return !rc && (rd.has_init || rd.packed);
}

void check_image(struct preflight *pf, const struct preflight_in *in)
{
	int rc = image_read(in->kernel, &pf->image);

	if (rc)
		check_bad(pf, "kernel-file", in->kernel, "a readable regular file",
			  "give the path of a bzImage", "%s", strerror(-rc));
	else if (!pf->image.bzimage)
		check_bad(pf, "kernel-file", in->kernel, "a bzImage", "give the path of a bzImage",
			  "a file of another type, or a damaged one");
	else
		check_ok(pf, "kernel-file", in->kernel, "%s", pf->image.version);
	if (!rc && pf->image.bzimage)
		check_kernel_format(pf, in->kernel);
}

void check_back(struct preflight *pf, const char *kernel, const char *initrd)
{
	static const char want[] = "a whole bzImage that adopts what this kernel leaves";
	static const char fix[] = "name the image of a kernel with KRAM, for example that of the running one";
	struct kernel_image img;
	int rc = image_read(kernel, &img);

	if (rc)
		check_bad(pf, "back-kernel", kernel, want, fix, "%s", strerror(-rc));
	else if (!img.bzimage || !img.complete || !img.crc_ok)
		check_bad(pf, "back-kernel", kernel, want, fix, "no bzImage, or a damaged one");
	else if (!img.has_kram || img.kram_abi != KRAM_ABI_VERSION)
		check_bad(pf, "back-kernel", kernel, want, fix, "%s", img.has_kram ?
			  "its KRAM ABI version is another one" : "it does not know KRAM");
	else
		check_ok(pf, "back-kernel", kernel, "%s", img.version);
	if (initrd && *initrd && access(initrd, R_OK))
		check_bad(pf, "back-initrd", initrd, "a readable file",
			  "give the path of an initial RAM disk", "%s", strerror(errno));
}

/* The ranges that memmap=<size>!<start> made, which hold guests and the state area. */
static unsigned int pram_ranges(struct mem_range *r, unsigned int max)
{
	unsigned long long start, end;
	const char *p, *nl;
	unsigned int n = 0;
	char *iomem, name[64];
	size_t len;

	if (read_all("/proc/iomem", &iomem, &len))
		return 0;
	for (p = iomem; n < max && p && *p; p = nl ? nl + 1 : NULL) {
		nl = strchr(p, '\n');
		if (*p == ' ' || sscanf(p, "%llx-%llx : %63[^\n]", &start, &end, name) != 3 ||
		    !has_prefix(name, "Persistent Memory"))
			continue;
		r[n++] = (struct mem_range){ .start = start, .size = end + 1 - start, .type = '!' };
	}
	free(iomem);
	return n;
}

void check_cmdline(struct preflight *pf, const struct preflight_in *in)
{
	struct mem_range range[KRAM_MAX_AREAS + 64];
	struct cmdline_wish wish = { .range = range };
	char running[CMDLINE_MAX + 1], on[64], why[320];
	const char *want = in->append ? in->append : running;
	ssize_t n;
	unsigned int i;

	n = read_text("/proc/cmdline", running, sizeof(running));
	if (n < 0) {
		check_bad(pf, "append", "", "a readable /proc/cmdline", "mount /proc", "%s",
			  strerror(-n));
		return;
	}
	for (i = 0; i < pf->kram.nr_areas; i++)
		range[wish.nr_ranges++] = (struct mem_range){
			.start = pf->kram.area[i].start, .size = pf->kram.area[i].size, .type = ':'
		};
	wish.nr_ranges += pram_ranges(range + wish.nr_ranges, 64);
	wish.iommu_by_option = cmdline_get(running, "intel_iommu", on, sizeof(on)) &&
			       has_prefix(on, "on");
	/* Whatever it says: a build that goes on in spite of the checks has to have one. */
	n = late_params(pf->late, sizeof(pf->late), pf->nr_vms);
	if (n)
		pf->late[0] = '\0';
	copy_str(pf->asked, sizeof(pf->asked), want);
	n = cmdline_build(pf->cmdline, sizeof(pf->cmdline), want,
			  pf->have_state ? pf->state.dev.resource : 0, 0, pf->late);
	if (cmdline_check(want, &wish, why, sizeof(why)) ||
	    cmdline_same(running, want, why, sizeof(why)))
		check_bad(pf, "append", "", "a command line that keeps what the upgrade stands on",
			  "correct --append, or leave it out to use that of the running kernel",
			  "%s", why);
	else if (n || (pf->image.bzimage && strlen(pf->cmdline) > pf->image.cmdline_size))
		check_bad(pf, "append", "", "a command line that the new kernel takes whole",
			  "shorten --append", "%zu bytes", strlen(want));
	else
		check_ok(pf, "append", "", "%s", pf->cmdline);
}

void check_start(struct preflight *pf, const struct preflight_in *in)
{
	char running[CMDLINE_MAX + 1] = "", found[320];
	const struct rootfs_wish wish = {
		.dev = "/dev", .sys = "/sys", .filesystems = "/proc/filesystems", .running = running,
		.has_initrd = in->initrd && check_initrd(pf, in),
	};

	read_text("/proc/cmdline", running, sizeof(running));
	if (rootfs_check(pf->asked, &wish, found, sizeof(found)))
		check_bad(pf, "root-fs", "", "a root file system that the new kernel finds",
			  "correct root= or init= of --append, or give an initial RAM disk", "%s", found);
	else
		check_ok(pf, "root-fs", "", "%s", found[0] ? found : "the initial RAM disk decides");
}
