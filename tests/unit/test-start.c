// SPDX-License-Identifier: GPL-2.0
/* What the next kernel starts with: parameters that decide on adoption, initial RAM disk, root file system. */
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include "unit.h"
#include "host/cmdline.h"
#include "host/cmdline_adopt.h"
#include "host/initrd.h"
#include "host/rootfs.h"

static char why[400];

static int same(const char *running, const char *next)
{
	why[0] = '\0';
	return cmdline_same(running, next, why, sizeof(why));
}

static void parameters_that_decide(void **ctx)
{
	static const char run[] = "root=/dev/a intel_iommu=on pci=noaer quiet";
	static const char * const worse[] = {
		"root=/dev/a intel_iommu=on,sm_on pci=noaer", "root=/dev/a intel_iommu=on pci=noaer nox2apic",
		"root=/dev/a intel_iommu=on pci=noaer,nomsi", "root=/dev/a intel_iommu=on pci=noaer pci=realloc",
		"root=/dev/a intel_iommu=on", "intel_iommu=on pci=noaer iommu=pt", "pci=noaer",
		"intel_iommu=on pci=noaer iommu.passthrough=1", "intel_iommu=on pci=noaer intremap=no_x2apic_optout",
		"intel_iommu=on pci=noaer mem=4G", "intel_iommu=on pci=noaer pcie_ports=native",
		"intel_iommu=on pci=noaer acpi=noirq", "intel_iommu=on pci=noaer x2apic-phys",
		"intel_iommu=on -- pci=noaer",
	};
	size_t i;

	(void)ctx;
	assert_int_equal(same(run, run), 0);
	assert_int_equal(same(run, "root=/dev/b quiet debug pci=noaer console=ttyS1 intel-iommu=on"), -EINVAL);
	assert_int_equal(same(run, "root=/dev/b debug pci=noaer console=ttyS1 intel_iommu=on -- iommu=pt"), 0);
	for (i = 0; i < sizeof(worse) / sizeof(worse[0]); i++)
		if (!same(run, worse[i]))
			fail_msg("accepted: %s", worse[i]);
	assert_int_equal(same(run, "intel_iommu=on pci=noaer nox2apic"), -EINVAL);
	assert_non_null(strstr(why, "nox2apic, the running kernel has no nox2apic"));
	assert_int_equal(same("nox2apic", "quiet"), -EINVAL);
	assert_non_null(strstr(why, "no nox2apic, the running kernel has nox2apic"));
}

/* An archive with an entry of each name. */
static size_t archive(char *buf, const char * const *names)
{
	static const char head[] = "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s";
	size_t at = 0;
	const char *name;
	int ino = 1;

	do {
		name = *names ? *names : "TRAILER!!!";
		at += sprintf(buf + at, head, ino++, 0100755, 0, 0, 1, 0, *names ? 5 : 0, 0, 0, 0, 0,
			      (int)strlen(name) + 1, 0, name) + 1;
		while (at & 3)
			buf[at++] = '\0';
		if (*names) {
			memcpy(buf + at, "hello\0\0\0", 8);
			at += 8;
		}
	} while (*names++);
	return at;
}

static int look(const void *data, size_t size, struct initrd *rd)
{
	struct kh_err e = { 0 };
	int rc = initrd_check(data, size, "/init", rd, &e);

	assert_true(!rc == !e.msg[0]);
	return rc;
}

static void archives(void **ctx)
{
	static const char * const with[] = { "bin", "init", NULL }, * const without[] = { "./bin", NULL };
	char buf[8192];
	struct initrd rd;
	size_t n, i;

	(void)ctx;
	n = archive(buf, without);
	assert_int_equal(look(buf, n, &rd), 0);
	assert_int_equal(rd.entries, 1);
	assert_false(rd.has_init);
	/* Padding and a second archive behind it. */
	memset(buf + n, 0, 512);
	n += 512;
	n += archive(buf + n, with);
	assert_int_equal(look(buf, n, &rd), 0);
	assert_int_equal(rd.entries, 3);
	assert_true(rd.has_init);
	n = archive(buf, with);
	for (i = 1; i < n - 3; i++)
		if (!look(buf, i, &rd))
			fail_msg("accepted with %zu of %zu bytes", i, n);
	buf[60] = 'x';
	assert_int_equal(look(buf, n, &rd), -EBADMSG);
	assert_int_equal(look("\0\0\0\0", 4, &rd), -EBADMSG);
	assert_int_equal(look("no archive at all", 17, &rd), -EBADMSG);
}

static void packed_archives(void **ctx)
{
	static const char * const with[] = { "init", NULL };
	char plain[4096], packed[8192];
	z_stream z = { 0 };
	struct initrd rd;
	size_t n, i;

	(void)ctx;
	n = archive(plain, with);
	memcpy(packed, plain, n);	/* microcode comes first, unpacked */
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (void *)plain;
	z.avail_in = n;
	z.next_out = (void *)(packed + n);
	z.avail_out = sizeof(packed) - n;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	assert_int_equal(look(packed, n + z.total_out, &rd), 0);
	assert_int_equal(rd.entries, 2);
	assert_null(rd.packed);
	for (i = 3; i < z.total_out; i++)
		if (!look(packed, n + i, &rd))
			fail_msg("accepted with %zu of %lu packed bytes", i, z.total_out);
	packed[n + z.total_out - 7] ^= 1;	/* its CRC */
	assert_int_equal(look(packed, n + z.total_out, &rd), -EBADMSG);
}

static int run(const char *command)
{
	return system(command);
}

/* xz is needed to build a kernel, so it is there wherever this test runs. */
static void packed_by_a_program(void **ctx)
{
	static const char * const with[] = { "init", NULL };
	char dir[] = "/tmp/khctl-start.XXXXXX", path[64], command[256], plain[4096], packed[4096];
	struct initrd rd;
	size_t n;
	FILE *f;

	(void)ctx;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a", dir);
	f = fopen(path, "wb");
	fwrite(plain, 1, archive(plain, with), f);
	fclose(f);
	snprintf(command, sizeof(command), "xz --check=crc32 %s", path);
	assert_int_equal(run(command), 0);
	strcat(path, ".xz");
	f = fopen(path, "rb");
	n = fread(packed, 1, sizeof(packed), f);
	fclose(f);
	assert_int_equal(look(packed, n, &rd), 0);
	assert_true(rd.has_init);
	assert_null(rd.packed);
	assert_int_equal(look(packed, n / 2, &rd), -EBADMSG);
	/* Without the program it is said that nobody looked. */
	setenv("PATH", dir, 1);
	assert_int_equal(look(packed, n, &rd), 0);
	assert_string_equal(rd.packed, "xz");
	setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
	unlink(path);
	rmdir(dir);
}

static char top[] = "/tmp/khctl-start.XXXXXX";

static void put(const char *name, const char *text)
{
	char path[256], *slash;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", top, name);
	for (slash = path + strlen(top) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(path, 0755);
		*slash = '/';
	}
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static int root(const char *cmdline, bool has_initrd)
{
	static char dev[64], sys[64], list[64];
	const struct rootfs_wish w = { dev, sys, list, "root=PARTUUID=ABCD-01 init=/sbin/init rootfstype=ext4",
				       has_initrd };

	snprintf(dev, sizeof(dev), "%s/dev", top);
	snprintf(sys, sizeof(sys), "%s/sys", top);
	snprintf(list, sizeof(list), "%s/filesystems", top);
	return rootfs_check(cmdline, &w, why, sizeof(why));
}

static void root_file_systems(void **ctx)
{
	char command[64];

	(void)ctx;
	assert_non_null(mkdtemp(top));
	put("sys/class/block/sda1/uevent", "DEVNAME=sda1\nPARTN=1\nPARTUUID=abcd-01\nPARTNAME=root\n");
	put("sys/dev/block/8:1", "");
	put("dev/disk/by-uuid/1111", "");
	put("dev/regular", "");
	put("filesystems", "nodev\tproc\n\text4\n");

	assert_int_equal(root("root=PARTUUID=ABCD-01", false), 0);
	assert_int_equal(root("root=PARTUUID=ABCD-01/PARTNROFF=1", false), 0);
	assert_int_equal(root("root=PARTUUID=ABCD-0", false), -EINVAL);
	assert_int_equal(root("root=PARTLABEL=root", false), 0);
	assert_int_equal(root("root=PARTLABEL=boot", true), -EINVAL);
	assert_int_equal(root("root=8:1", false), 0);
	assert_int_equal(root("root=8:2", false), -EINVAL);
	assert_int_equal(root("root=/dev/regular", true), -EINVAL);
	assert_int_equal(root("root=/dev/sda9", true), -EINVAL);
	assert_non_null(strstr(why, "/dev/sda9"));
	assert_int_equal(root("root=/dev/nfs", false), 0);
	/* The kernel itself knows no UUID and no LABEL. */
	assert_int_equal(root("root=UUID=1111", true), 0);
	assert_int_equal(root("root=UUID=1111", false), -EINVAL);
	assert_int_equal(root("root=UUID=2222", true), -EINVAL);
	assert_int_equal(root("root=LABEL=x", true), 0);	/* no folder says otherwise */
	assert_int_equal(root("root=ZFS=pool/root", true), 0);
	assert_int_equal(root("root=ZFS=pool/root", false), -EINVAL);
	/* The last one counts, and none at all needs an initial RAM disk. */
	assert_int_equal(root("root=PARTUUID=ABCD-01 root=8:2", false), -EINVAL);
	assert_int_equal(root("quiet", true), 0);
	assert_int_equal(root("quiet", false), -EINVAL);
	assert_int_equal(root("root=8:1 rootfstype=btrfs", false), -EINVAL);
	assert_int_equal(root("root=8:1 rootfstype=btrfs,ext4", false), 0);
	assert_int_equal(root("root=8:1 rootfstype=btrfs", true), 0);
	assert_int_equal(root("root=PARTUUID=ABCD-01 init=/no/such/init", false), -EINVAL);
	assert_int_equal(root("root=PARTUUID=ABCD-01 init=/bin/sh", false), 0);
	/* In another root file system nobody can tell. */
	assert_int_equal(root("root=8:1 init=/no/such/init", false), 0);
	snprintf(command, sizeof(command), "rm -r %s", top);
	assert_int_equal(run(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters_that_decide),
		cmocka_unit_test(archives),
		cmocka_unit_test(packed_archives),
		cmocka_unit_test(packed_by_a_program),
		cmocka_unit_test(root_file_systems),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
