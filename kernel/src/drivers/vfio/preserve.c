// SPDX-License-Identifier: GPL-2.0-only
/*
 * VFIO_GROUP_GET_FLAGS and VFIO_GROUP_SET_FLAGS: a group whose devices work on
 * when their holder, or the kernel, is replaced.
 *
 * Which device is preserved is known by the PCI core alone, and which mappings
 * by the container; the group has no state of its own that could contradict.
 */
#include <linux/capability.h>
#include <linux/iommu.h>
#include <linux/kram.h>
#include <linux/pci.h>
#include <linux/uaccess.h>
#include <linux/vfio.h>

#include "vfio.h"

/* Flags that hold for any of the devices, and in @all those that do for all. */
static u32 group_flags(struct vfio_group *group, u32 *all)
{
	struct vfio_device *device;
	u32 flags, any = 0;

	*all = ~0;
	mutex_lock(&group->device_lock);
	list_for_each_entry(device, &group->device_list, group_next) {
		flags = 0;
		if (device->ops->preserve_flags)
			flags = device->ops->preserve_flags(device);
		any |= flags;
		*all &= flags;
	}
	mutex_unlock(&group->device_lock);
	*all &= any;
	return any;
}

static bool held_by_vfio(struct vfio_group *group, struct device *dev)
{
	struct vfio_device *device;
	bool held = false;

	mutex_lock(&group->device_lock);
	list_for_each_entry(device, &group->device_list, group_next)
		if (device->dev == dev)
			held = device->ops->preserve;
	mutex_unlock(&group->device_lock);
	return held;
}

/* Whoever shares the group can reach the memory; bridges reach none. */
static int check_device(struct device *dev, void *data)
{
	if (dev_is_pci(dev) &&
	    to_pci_dev(dev)->class >> 16 == PCI_BASE_CLASS_BRIDGE)
		return 0;
	if (held_by_vfio(data, dev))
		return 0;
	dev_err(dev, "in one group with a device to be preserved, and not held by vfio-pci\n");
	return -EBUSY;
}

/* Calls ops->preserve for each device up to @end, NULL for all. */
static int preserve_devices(struct vfio_group *group, bool set,
			    struct vfio_device *end,
			    struct vfio_device **failed)
{
	struct vfio_device *device;
	int ret;

	lockdep_assert_held(&group->device_lock);
	list_for_each_entry(device, &group->device_list, group_next) {
		if (device == end)
			break;
		ret = device->ops->preserve(device, set);
		if (ret && set) {
			*failed = device;
			return ret;
		}
	}
	return 0;
}

/* @partly: some of it is set already, and stays so whatever becomes of it. */
static int set_preserve(struct vfio_group *group, bool partly)
{
	struct vfio_device *failed = NULL;
	int ret;

	/* The cause, before any page is named that does not survive then. */
	if (!kram_available()) {
		pr_err("vfio: no device can be preserved: there is no KRAM\n");
		return -EOPNOTSUPP;
	}
	ret = iommu_group_for_each_dev(group->iommu_group, group,
				       check_device);
	if (ret)
		return ret;
	/* First of all, so that no page that dies can be mapped any more. */
	ret = vfio_group_preserve_container(group, true);
	if (ret)
		return ret;
	mutex_lock(&group->device_lock);
	ret = preserve_devices(group, true, NULL, &failed);
	if (ret && !partly)
		preserve_devices(group, false, failed, NULL);
	mutex_unlock(&group->device_lock);
	if (ret && !partly)
		vfio_group_preserve_container(group, false);
	return ret;
}

static int clear_preserve(struct vfio_group *group)
{
	int ret;

	ret = vfio_group_preserve_container(group, false);
	if (ret)
		return ret;
	mutex_lock(&group->device_lock);
	preserve_devices(group, false, NULL, NULL);
	mutex_unlock(&group->device_lock);
	return 0;
}

static int change_flags(struct vfio_group *group, u32 flags)
{
	bool set = flags & VFIO_GROUP_FLAG_PRESERVE;
	u32 any, all;

	lockdep_assert_held(&group->group_lock);
	if (!group->iommu_group)
		return -ENODEV;
	if (!group->container)
		return -EINVAL;
	any = group_flags(group, &all) & VFIO_GROUP_FLAG_PRESERVE;
	if (set)
		return all & VFIO_GROUP_FLAG_PRESERVE ?
		       0 : set_preserve(group, any);
	return any ? clear_preserve(group) : 0;
}

static int copy_flags(struct vfio_group_flags *gf, void __user *arg)
{
	unsigned long minsz = offsetofend(struct vfio_group_flags, flags);

	if (copy_from_user(gf, arg, minsz))
		return -EFAULT;
	return gf->argsz < minsz ? -EINVAL : 0;
}

/**
 * vfio_group_ioctl_get_flags - VFIO_GROUP_GET_FLAGS
 * @group: the group
 * @arg: struct vfio_group_flags, see <uapi/linux/vfio.h>
 *
 * Return: 0 or -errno.
 */
int vfio_group_ioctl_get_flags(struct vfio_group *group, void __user *arg)
{
	struct vfio_group_flags gf;
	u32 all;
	int ret;

	ret = copy_flags(&gf, arg);
	if (ret)
		return ret;
	mutex_lock(&group->group_lock);
	gf.flags = group_flags(group, &all) & VFIO_GROUP_FLAG_KEPT;
	gf.flags |= all & VFIO_GROUP_FLAG_PRESERVE;
	mutex_unlock(&group->group_lock);
	return copy_to_user(arg, &gf, offsetofend(struct vfio_group_flags,
						  flags)) ? -EFAULT : 0;
}

/**
 * vfio_group_ioctl_set_flags - VFIO_GROUP_SET_FLAGS
 * @group: the group
 * @arg: struct vfio_group_flags, see <uapi/linux/vfio.h>
 *
 * Return: 0 or -errno; after an error, a group that was preserved still is, in
 *	   the same devices at least, and one that was not is not.
 */
int vfio_group_ioctl_set_flags(struct vfio_group *group, void __user *arg)
{
	struct vfio_group_flags gf;
	int ret;

	ret = copy_flags(&gf, arg);
	if (ret)
		return ret;
	if (gf.flags & ~VFIO_GROUP_FLAG_PRESERVE)
		return -EINVAL;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	mutex_lock(&group->group_lock);
	ret = change_flags(group, gf.flags);
	mutex_unlock(&group->group_lock);
	return ret;
}
