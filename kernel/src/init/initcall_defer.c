// SPDX-License-Identifier: GPL-2.0-only
/*
 * initcall_defer=NAME,NAME,...: initcalls that run after the first processes.
 *
 * Where a process waits for a kernel to boot, such as one that resumes guests
 * after a kexec, only what it needs has to come before it. What is named here
 * is left out when its level is due and runs, in the same order, when someone
 * writes to /sys/kernel/initcall_deferred, or a minute after the boot. Until
 * then init memory is kept and the kernel's text and constants are not yet
 * write-protected.
 */

#define pr_fmt(fmt) "initcall_defer: " fmt

#include <linux/async.h>
#include <linux/init.h>
#include <linux/initcall_defer.h>
#include <linux/kallsyms.h>
#include <linux/kobject.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/string.h>
#include <linux/sysfs.h>
#include <linux/workqueue.h>

#define DEFER_MAX	96
#define DEFER_TIMEOUT	(60 * HZ)

static char *defer_names __initdata;
static unsigned long defer_wanted[DEFER_MAX] __initdata;
static unsigned int defer_nr_wanted __initdata;

/* Written by one CPU during the boot, then only read, and emptied once. */
static initcall_t defer_pending[DEFER_MAX];
static unsigned int defer_nr_pending;
static DEFINE_MUTEX(defer_lock);

static int __init initcall_defer_setup(char *str)
{
	defer_names = str;
	return 0;
}
early_param("initcall_defer", initcall_defer_setup);

/**
 * initcall_defer_asked - was an initcall named on the command line
 * @name: of the function
 *
 * For what has to know before its initcall is due, after early parameters.
 */
bool __init initcall_defer_asked(const char *name)
{
	const char *p = defer_names;
	size_t len = strlen(name);

	for (; p && *p; p = strchrnul(p, ','), p += *p == ',')
		if (!strncmp(p, name, len) && (!p[len] || p[len] == ','))
			return true;
	return false;
}

static int __init initcall_defer_match(void *data, unsigned long addr)
{
	if (defer_nr_wanted == DEFER_MAX)
		return -ENOSPC;
	defer_wanted[defer_nr_wanted++] = addr;
	return 0;
}

/**
 * initcall_defer_resolve - find the functions that are named
 *
 * Before the first initcall. A name that this kernel does not have is ignored:
 * one list serves several kernels. One that it has more than once is meant
 * every time.
 */
void __init initcall_defer_resolve(void)
{
	const char *p, *end;
	char name[KSYM_NAME_LEN];

	for (p = defer_names; p && *p; p = end + (*end == ',')) {
		end = strchrnul(p, ',');
		if (end - p >= sizeof(name))
			continue;
		memcpy(name, p, end - p);
		name[end - p] = '\0';
		if (*name && kallsyms_on_each_match_symbol(initcall_defer_match,
							   name, NULL)) {
			pr_notice("more than %d functions, the rest is not deferred\n",
				  DEFER_MAX);
			return;
		}
	}
}

/**
 * initcall_deferred - is an initcall to be left out now
 * @fn: the initcall that is due
 *
 * Return: true if it was put on the list of those that run later.
 */
bool __init initcall_deferred(initcall_t fn)
{
	unsigned long addr;
	unsigned int i;

	addr = (unsigned long)dereference_function_descriptor(fn);
	for (i = 0; i < defer_nr_wanted; i++) {
		if (defer_wanted[i] != addr)
			continue;
		defer_pending[defer_nr_pending++] = fn;
		/* A second entry of the same function would be one too many. */
		defer_wanted[i] = defer_wanted[--defer_nr_wanted];
		return true;
	}
	return false;
}

/**
 * initcalls_pending - has something been left out
 */
bool initcalls_pending(void)
{
	return READ_ONCE(defer_nr_pending);
}

static void __ref initcall_defer_run(struct work_struct *work)
{
	unsigned int i;

	mutex_lock(&defer_lock);
	for (i = 0; i < defer_nr_pending; i++)
		do_one_initcall(defer_pending[i]);
	if (defer_nr_pending) {
		async_synchronize_full();
		finish_initmem();
		pr_info("%u initcalls done\n", defer_nr_pending);
		WRITE_ONCE(defer_nr_pending, 0);
	}
	mutex_unlock(&defer_lock);
}

static DECLARE_DELAYED_WORK(defer_work, initcall_defer_run);

static ssize_t initcall_deferred_show(struct kobject *kobj,
				      struct kobj_attribute *attr, char *buf)
{
	ssize_t n = 0;
	unsigned int i;

	mutex_lock(&defer_lock);
	for (i = 0; i < defer_nr_pending; i++)
		n += sysfs_emit_at(buf, n, "%ps\n", defer_pending[i]);
	mutex_unlock(&defer_lock);
	return n;
}

/* Returns when all have run. */
static ssize_t initcall_deferred_store(struct kobject *kobj,
				       struct kobj_attribute *attr,
				       const char *buf, size_t count)
{
	mod_delayed_work(system_unbound_wq, &defer_work, 0);
	flush_delayed_work(&defer_work);
	return count;
}

static struct kobj_attribute initcall_deferred_attr =
	__ATTR(initcall_deferred, 0600, initcall_deferred_show,
	       initcall_deferred_store);

/**
 * initcall_defer_arm - see to it that what was left out runs some day
 *
 * Just before the first process. Not with the last initcall: what runs here
 * gives init memory back, in which kernel_init() may yet wait for a slow root.
 */
void initcall_defer_arm(void)
{
	if (!initcalls_pending())
		return;
	pr_info("%u initcalls put off\n", defer_nr_pending);
	if (sysfs_create_file(kernel_kobj, &initcall_deferred_attr.attr))
		pr_warn("no /sys/kernel/initcall_deferred\n");
	queue_delayed_work(system_unbound_wq, &defer_work, DEFER_TIMEOUT);
}
