// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/util.h"
#include "host/pci.h"

#define PCI_DEVICES "/sys/bus/pci/devices"
#define VFIO_DRIVER "/sys/bus/pci/drivers/vfio-pci"

#define CFG_COMMAND	0x04
#define CFG_STATUS	0x06
#define CFG_STATUS_CAPS	0x10
#define CFG_BAR		0x10
#define CFG_CAPS	0x34
#define CAP_MSIX	0x11

/* A number up to @max with @end behind it. Not sscanf(), for guests stand. Return: what follows, NULL: it is none. */
static const char *parse_hex(const char *p, unsigned long max, char end, unsigned long *val)
{
	char *rest;

	if (!p || !isxdigit((unsigned char)*p))
		return NULL;
	*val = strtoul(p, &rest, 16);
	return *val <= max && *rest == end ? rest + 1 : NULL;
}

int pci_parse(const char *bdf, uint16_t *segment, uint8_t *bus, uint8_t *devfn)
{
	unsigned long s, b, d, f;
	const char *p;

	p = parse_hex(bdf, 0xffff, ':', &s);
	p = parse_hex(p, 0xff, ':', &b);
	p = parse_hex(p, 0x1f, '.', &d);
	if (!parse_hex(p, 7, '\0', &f))
		return -EINVAL;
	*segment = s;
	*bus = b;
	*devfn = d << 3 | f;
	return 0;
}

/* Last part of where a link of a function points. */
static int link_name(const char *bdf, const char *link, char *buf, size_t size)
{
	char path[128], to[512], *p;
	ssize_t n;

	path_fmt(path, sizeof(path), PCI_DEVICES "/%s/%s", bdf, link);
	n = readlink(path, to, sizeof(to) - 1);
	if (n < 0)
		return -errno;
	to[n] = '\0';
	p = strrchr(to, '/');
	return copy_str(buf, size, p ? p + 1 : to);
}

int pci_unit(const char *bdf)
{
	char name[32];
	uint64_t n;

	if (link_name(bdf, "iommu", name, sizeof(name)) || !has_prefix(name, "dmar") ||
	    parse_u64(name + 4, &n) || n > 255)
		return -ENOENT;
	return n;
}

static uint16_t cfg16(const uint8_t *cfg, unsigned int off)
{
	return cfg[off] | cfg[off + 1] << 8;
}

/* A list that leads in circles ends after as many capabilities as there is room for. */
unsigned int pci_find_cap(const uint8_t *cfg, size_t len, uint8_t id)
{
	unsigned int pos, i;

	if (len < CFG_CAPS + 1 || !(cfg16(cfg, CFG_STATUS) & CFG_STATUS_CAPS))
		return 0;
	if (len > PCI_CONFIG_BYTES)
		len = PCI_CONFIG_BYTES;
	pos = cfg[CFG_CAPS] & ~3;
	for (i = 0; i < 48 && pos >= 0x40 && pos + 4 <= len; i++, pos = cfg[pos + 1] & ~3)
		if (cfg[pos] == id)
			return pos;
	return 0;
}

unsigned int pci_find_ext_cap(const uint8_t *cfg, size_t len, uint16_t id)
{
	unsigned int pos = PCI_CONFIG_BYTES, i;

	for (i = 0; i < 480 && pos >= PCI_CONFIG_BYTES && pos + 8 <= len; i++, pos = cfg16(cfg, pos + 2) >> 4 & ~3)
		if (cfg16(cfg, pos) == id)
			return pos;
	return 0;
}

static void find_msix(const uint8_t *cfg, struct kh_plan_dev *dev)
{
	unsigned int pos = pci_find_cap(cfg, PCI_CONFIG_BYTES, CAP_MSIX);

	if (!pos)
		return;
	dev->msix_pos = pos;
	dev->msix_ctrl = cfg16(cfg, pos + 2);
}

static int read_config(const char *bdf, uint8_t *cfg, struct kh_err *e)
{
	char path[128];
	int fd, rc;

	fd = open(path_fmt(path, sizeof(path), PCI_DEVICES "/%s/config", bdf),
		  O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, -errno, "%s: %s", path, strerror(errno));
	rc = pread_full(fd, cfg, PCI_CONFIG_BYTES, 0);
	close(fd);
	return rc ? err_set(e, rc, "%s: %s", path, strerror(-rc)) : 0;
}

int pci_record(const char *bdf, struct kh_plan_dev *dev, uint8_t *cfg, struct kh_err *e)
{
	int rc, i;

	memset(dev, 0, sizeof(*dev));
	copy_str(dev->bdf, sizeof(dev->bdf), bdf);
	rc = read_config(bdf, cfg, e);
	if (rc)
		return rc;
	rc = pci_unit(bdf);
	if (rc < 0)
		return err_set(e, rc, "%s is behind no Intel IOMMU", bdf);
	dev->unit = rc;
	dev->vendor = cfg16(cfg, 0);
	dev->device = cfg16(cfg, 2);
	dev->command = cfg16(cfg, CFG_COMMAND);
	for (i = 0; i < 6; i++)
		dev->bar[i] = cfg16(cfg, CFG_BAR + 4 * i) |
			      (uint32_t)cfg16(cfg, CFG_BAR + 4 * i + 2) << 16;
	find_msix(cfg, dev);
	return 0;
}

static bool is_bridge(const char *bdf)
{
	char path[128];
	uint64_t class;

	return !read_u64(path_fmt(path, sizeof(path), PCI_DEVICES "/%s/class", bdf), &class) &&
	       class >> 16 == 0x06;
}

int pci_group_foreach(const char *bdf, int (*fn)(void *ctx, const char *bdf), void *ctx)
{
	struct dirent *de;
	char path[128];
	int rc = 0;
	DIR *dir;

	dir = opendir(path_fmt(path, sizeof(path), PCI_DEVICES "/%s/iommu_group/devices", bdf));
	if (!dir)
		return -ENOENT;
	while (!rc && (de = readdir(dir)))
		if (de->d_name[0] != '.' && strcmp(de->d_name, bdf) && !is_bridge(de->d_name))
			rc = fn(ctx, de->d_name);
	closedir(dir);
	return rc;
}

void pci_driver(const char *bdf, char *buf, size_t size)
{
	if (link_name(bdf, "driver", buf, size))
		buf[0] = '\0';
}

static void load_vfio(void)
{
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		execlp("modprobe", "modprobe", "vfio-pci", (char *)NULL);
		_exit(127);
	}
	if (pid > 0)
		waitpid(pid, &status, 0);
}

int pci_bind_vfio(const char *bdf, struct kh_err *e)
{
	char path[128], driver[64];
	int rc;

	if (access(VFIO_DRIVER, F_OK))
		load_vfio();
	if (access(VFIO_DRIVER, F_OK))
		return err_set(e, -ENODEV, "this kernel has no vfio-pci driver");
	if (access(path_fmt(path, sizeof(path), PCI_DEVICES "/%s", bdf), F_OK))
		return err_set(e, -ENODEV, "%s is not there: the old kernel left it working, and the new one has not found it",
			       bdf);
	pci_driver(bdf, driver, sizeof(driver));
	if (!strcmp(driver, "vfio-pci"))
		return 0;
	if (driver[0])
		return err_set(e, -EBUSY, "%s is bound to %s, which has set it up anew", bdf, driver);
	rc = write_text(path_fmt(path, sizeof(path), PCI_DEVICES "/%s/driver_override", bdf),
			"vfio-pci");
	if (!rc)
		rc = write_text(VFIO_DRIVER "/bind", bdf);
	if (rc)
		return err_set(e, rc, "cannot bind %s to vfio-pci: %s", bdf, strerror(-rc));
	return 0;
}

unsigned int pci_buses(void)
{
	struct dirent *de;
	unsigned int n = 0;
	DIR *dir;

	dir = opendir("/sys/class/pci_bus");
	if (!dir)
		return 256;
	while ((de = readdir(dir)))
		n += de->d_name[0] != '.';
	closedir(dir);
	return n;
}
