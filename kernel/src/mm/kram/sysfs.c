// SPDX-License-Identifier: GPL-2.0-only
/*
 * What userspace sees of KRAM, read-only but for the recorder: /sys/kernel/kram/
 * Documentation/ABI/testing/sysfs-kernel-kram describes each file.
 */

#include <linux/hex.h>
#include <linux/init.h>
#include <linux/kobject.h>
#include <linux/kram.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

static struct kobject *kram_kobj;

#define KRAM_ATTR(_name, _fmt, _value)					\
static ssize_t _name##_show(struct kobject *kobj,			\
			    struct kobj_attribute *attr, char *buf)	\
{									\
	return sysfs_emit(buf, _fmt "\n", _value);			\
}									\
static struct kobj_attribute _name##_attr = __ATTR_RO(_name)

KRAM_ATTR(abi_version, "%u", KRAM_ABI_VERSION);
KRAM_ATTR(generation, "%llu", kram_areas[0].hdr->generation);
KRAM_ATTR(state, "%s", kram_state_string());
KRAM_ATTR(nr_areas, "%u", kram_nr_areas);

/* 32 hex digits arm it for an upgrade of that name, "0" stops it. */
static ssize_t recorder_store(struct kobject *kobj, struct kobj_attribute *attr,
			      const char *buf, size_t count)
{
	u8 id[sizeof_field(struct kram_recorder, run_id)];
	static DEFINE_MUTEX(lock);
	bool stop = sysfs_streq(buf, "0");

	if (!stop && (count < 2 * sizeof(id) || hex2bin(id, buf, sizeof(id))))
		return -EINVAL;
	mutex_lock(&lock);
	kram_recorder_arm(stop ? NULL : id);
	mutex_unlock(&lock);
	return count;
}

static ssize_t recorder_show(struct kobject *kobj, struct kobj_attribute *attr,
			     char *buf)
{
	const struct kram_recorder *r = kram_get_fixed_page(0, KRAM_FIXED_RECORDER);

	return sysfs_emit(buf, "%s %u of %u\n",
			  READ_ONCE(kram_recording) ? "recording" : "stopped",
			  READ_ONCE(r->nr), KRAM_RECORDER_EVENTS);
}

static struct kobj_attribute recorder_attr = __ATTR_RW_MODE(recorder, 0600);

static struct attribute *kram_attrs[] = {
	&abi_version_attr.attr,
	&generation_attr.attr,
	&state_attr.attr,
	&nr_areas_attr.attr,
	&recorder_attr.attr,
	NULL
};

KRAM_ATTR(iommu_root, "%lu", kram_owner_pages(KRAM_OWNER_IOMMU_ROOT));
KRAM_ATTR(iommu_context, "%lu", kram_owner_pages(KRAM_OWNER_IOMMU_CONTEXT));
KRAM_ATTR(iommu_pgtable, "%lu", kram_owner_pages(KRAM_OWNER_IOMMU_PGTABLE));
KRAM_ATTR(iommu_irt, "%lu", kram_owner_pages(KRAM_OWNER_IOMMU_IRT));

static struct attribute *kram_owner_attrs[] = {
	&iommu_root_attr.attr,
	&iommu_context_attr.attr,
	&iommu_pgtable_attr.attr,
	&iommu_irt_attr.attr,
	NULL
};

static const struct attribute_group kram_group = { .attrs = kram_attrs };
static const struct attribute_group kram_owner_group = {
	.name = "owners",
	.attrs = kram_owner_attrs,
};

/* One directory an area; the attributes carry its number in their kobject. */
struct kram_area_kobj {
	struct kobject kobj;
	struct kram_area *area;
	struct bin_attribute raw;
};

#define to_kram_area(k) (container_of(k, struct kram_area_kobj, kobj)->area)

#define KRAM_AREA_ATTR(_name, _fmt, _value)				\
static ssize_t area_##_name##_show(struct kobject *kobj,		\
				   struct kobj_attribute *attr,		\
				   char *buf)				\
{									\
	const struct kram_area *a = to_kram_area(kobj);			\
									\
	return sysfs_emit(buf, _fmt "\n", _value);			\
}									\
static struct kobj_attribute area_##_name##_attr =			\
	__ATTR(_name, 0444, area_##_name##_show, NULL)

KRAM_AREA_ATTR(start, "0x%llx", (u64)a->start);
KRAM_AREA_ATTR(size, "%llu", a->size);
KRAM_AREA_ATTR(pool_pages, "%u", a->hdr->pool_pages);
KRAM_AREA_ATTR(used_pages, "%u", READ_ONCE(a->used));
KRAM_AREA_ATTR(free_pages, "%u", a->hdr->pool_pages - READ_ONCE(a->used));

static struct attribute *kram_area_attrs[] = {
	&area_start_attr.attr,
	&area_size_attr.attr,
	&area_pool_pages_attr.attr,
	&area_used_pages_attr.attr,
	&area_free_pages_attr.attr,
	NULL
};
ATTRIBUTE_GROUPS(kram_area);

/* Areas are never removed: nothing to release. */
static void kram_area_release(struct kobject *kobj)
{
}

static const struct kobj_type kram_area_ktype = {
	.release = kram_area_release,
	.sysfs_ops = &kobj_sysfs_ops,
	.default_groups = kram_area_groups,
};

static struct kram_area_kobj kram_area_kobjs[KRAM_MAX_AREAS];

static ssize_t kram_bin_read(struct file *file, struct kobject *kobj,
			     struct bin_attribute *attr, char *buf,
			     loff_t off, size_t count)
{
	return memory_read_from_buffer(buf, count, &off, attr->private,
				       attr->size);
}

static struct bin_attribute kram_handover_attr = {
	.attr = { .name = "handover", .mode = 0400 },
	.size = sizeof(struct kram_handover),
	.read = kram_bin_read,
};

static struct bin_attribute kram_adopted_attr = {
	.attr = { .name = "handover_adopted", .mode = 0400 },
	.size = sizeof(struct kram_handover),
	.read = kram_bin_read,
};

static int __init kram_sysfs_add_area(unsigned int n)
{
	struct kram_area_kobj *k = &kram_area_kobjs[n];
	int ret;

	k->area = &kram_areas[n];
	ret = kobject_init_and_add(&k->kobj, &kram_area_ktype, kram_kobj,
				   "area%u", n);
	if (ret)
		return ret;

	sysfs_bin_attr_init(&k->raw);
	k->raw.attr.name = "raw";
	k->raw.attr.mode = 0400;
	k->raw.size = k->area->size;
	k->raw.private = k->area->hdr;
	k->raw.read = kram_bin_read;
	return sysfs_create_bin_file(&k->kobj, &k->raw);
}

static int __init kram_sysfs_init(void)
{
	const struct kram_handover *adopted = kram_handover_adopted();
	unsigned int n;
	int ret;

	if (!kram_available())
		return 0;

	kram_kobj = kobject_create_and_add("kram", kernel_kobj);
	if (!kram_kobj)
		return -ENOMEM;
	ret = sysfs_create_group(kram_kobj, &kram_group);
	if (!ret)
		ret = sysfs_create_group(kram_kobj, &kram_owner_group);
	kram_handover_attr.private = kram_handover_current();
	if (!ret)
		ret = sysfs_create_bin_file(kram_kobj, &kram_handover_attr);
	kram_adopted_attr.private = (void *)adopted;
	if (!ret && adopted)
		ret = sysfs_create_bin_file(kram_kobj, &kram_adopted_attr);
	for (n = 0; n < kram_nr_areas && !ret; n++)
		ret = kram_sysfs_add_area(n);
	return ret;
}
late_initcall(kram_sysfs_init);
