/*
 * Devices that stay alive while the kernel of their host is replaced
 *
 * With vfio-pci's preserve=on, cpr-reboot accepts a running guest: the device
 * is neither stopped nor reset, its DMA goes on into guest RAM, and the next
 * QEMU, under the next kernel, takes it over as it is.  Three things are kept
 * together here, per container:
 *
 * - which memory is mapped for DMA: only what survives the kernel;
 * - when the kernel is told to preserve the groups, and when no longer;
 * - how kept devices come back to life, once, when the guest first runs.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include <sys/ioctl.h>
#include <linux/vfio.h>

#include "exec/address-spaces.h"
#include "exec/memory.h"
#include "hw/vfio/vfio-common.h"
#include "migration/misc.h"
#include "migration/options.h"
#include "qapi/error.h"
#include "qemu/error-report.h"
#include "qemu/main-loop.h"
#include "system/hostmem.h"
#include "system/runstate.h"
#include "trace.h"

/* As in the kernel's <linux/vfio.h>; linux-headers/ holds mainline's */
#ifndef VFIO_GROUP_SET_FLAGS
struct vfio_group_flags {
    __u32 argsz;
    __u32 flags;
};
/* Keep the group's devices over close and kexec */
#define VFIO_GROUP_FLAG_PRESERVE (1 << 0)
/* GET only: kept by an earlier holder and not set up anew since */
#define VFIO_GROUP_FLAG_KEPT (1 << 1)
#define VFIO_GROUP_GET_FLAGS _IO(VFIO_TYPE, VFIO_BASE + 30)
#define VFIO_GROUP_SET_FLAGS _IO(VFIO_TYPE, VFIO_BASE + 31)
#endif

static int vfio_group_get_flags(VFIOGroup *group, uint32_t *flags)
{
    struct vfio_group_flags arg = { .argsz = sizeof(arg) };

    if (ioctl(group->fd, VFIO_GROUP_GET_FLAGS, &arg)) {
        return -errno;
    }
    *flags = arg.flags;
    return 0;
}

static int vfio_group_set_preserve(VFIOGroup *group, bool on)
{
    struct vfio_group_flags arg = {
        .argsz = sizeof(arg),
        .flags = on ? VFIO_GROUP_FLAG_PRESERVE : 0,
    };
    int ret = 0;

    if (ioctl(group->fd, VFIO_GROUP_SET_FLAGS, &arg)) {
        ret = -errno;
    }
    trace_vfio_preserve_set(group->groupid, on, ret);
    if (!ret) {
        group->preserve_set = on;
    }
    return ret;
}

/*
 * Memory
 */

/*
 * The same blocks that x-ignore-shared leaves out of the stream: what is not
 * copied is what stays where it is, and so may be a target of DMA meanwhile.
 */
static bool vfio_preserve_survives(MemoryRegionSection *section)
{
    RAMBlock *rb = section->mr->ram_block;

    return rb && !memory_region_is_ram_device(section->mr) &&
           qemu_ram_is_shared(rb) && qemu_ram_is_named_file(rb);
}

/* RAM the user gave to the guest, and not a part of some device or firmware */
static bool vfio_preserve_is_guest_ram(MemoryRegionSection *section)
{
    return object_dynamic_cast(memory_region_owner(section->mr),
                               TYPE_MEMORY_BACKEND);
}

/*
 * Must give one answer for all of a section's life, as it decides about
 * mapping and unmapping alike.
 */
bool vfio_preserve_skips_section(VFIOContainerBase *bcontainer,
                                 MemoryRegionSection *section)
{
    return bcontainer->preserve && !vfio_preserve_survives(section) &&
           !vfio_preserve_is_guest_ram(section);
}

/*
 * The guest may do DMA to all of its RAM.  If some does not survive, say so
 * before the guest starts; if it is plugged in later, the device has to be
 * able to use it, and the kernel is going to refuse PRESERVE.
 */
bool vfio_preserve_check_section(VFIOContainerBase *bcontainer,
                                 MemoryRegionSection *section, Error **errp)
{
    if (!bcontainer->preserve || vfio_preserve_survives(section)) {
        return true;
    }

    if (bcontainer->initialized) {
        warn_report("vfio: memory %s does not survive the host's kernel, "
                    "devices with preserve=on cannot be preserved "
                    "while it is plugged in", memory_region_name(section->mr));
        return true;
    }

    error_setg(errp, "preserve=on needs guest RAM that survives the host's "
               "kernel, a memory-backend-file with share=on");
    return false;
}

/*
 * Groups
 */

/*
 * A group was just opened for a device with preserve=on.  Find out whether
 * an earlier QEMU left its devices running, which has to be so if and only if
 * the guest's state is about to come in.
 */
bool vfio_preserve_open_group(VFIOGroup *group, AddressSpace *as, bool *kept,
                              Error **errp)
{
    bool incoming = runstate_check(RUN_STATE_INMIGRATE);
    uint32_t flags = 0;
    int ret;

    if (as != &address_space_memory) {
        error_setg(errp, "preserve=on does not work behind a virtual IOMMU");
        return false;
    }

    /* A kernel without the flag is good enough until it is asked to preserve */
    ret = vfio_group_get_flags(group, &flags);
    if (ret && (ret != -ENOTTY || incoming)) {
        error_setg_errno(errp, -ret, "device was not kept by the previous "
                         "kernel: cannot read the flags of group %d",
                         group->groupid);
        return false;
    }

    *kept = flags & VFIO_GROUP_FLAG_KEPT;
    trace_vfio_preserve_open_group(group->groupid, flags, incoming);

    if (incoming && !*kept) {
        error_setg(errp, "device was not kept by the previous kernel: "
                   "group %d has been set up anew", group->groupid);
        error_append_hint(errp, "The guest's state cannot be resumed with a "
                          "device that has lost its own.\n");
        return false;
    }
    if (!incoming && *kept) {
        error_setg(errp, "group %d is kept running for a guest that has not "
                   "been resumed yet", group->groupid);
        error_append_hint(errp, "Start with -incoming to take it over, or give "
                          "it up first by clearing its preserve flag.\n");
        return false;
    }

    group->preserve_set = flags & VFIO_GROUP_FLAG_PRESERVE;
    return true;
}

/*
 * Make the groups of a container ordinary, unless they wait for a guest or for
 * its memory to be mapped
 */
static void vfio_preserve_release(VFIOContainerBase *bcontainer)
{
    VFIOContainer *container = container_of(bcontainer, VFIOContainer,
                                            bcontainer);
    VFIOGroup *group;
    int ret;

    if (!bcontainer->initialized) {
        return;
    }

    QLIST_FOREACH(group, &container->group_list, container_next) {
        if (!group->preserve_set) {
            continue;
        }
        ret = vfio_group_set_preserve(group, false);
        if (ret) {
            error_report("vfio: group %d stays preserved: %s",
                         group->groupid, strerror(-ret));
        }
    }
}

static const char *vfio_preserve_hint(int ret)
{
    switch (ret) {
    case -EPERM:
        return "it takes CAP_SYS_ADMIN";
    case -ENOTTY:
        return "this kernel has no such feature";
    case -EOPNOTSUPP:
        return "no KRAM, an IOMMU that cannot be preserved, or a device "
               "without maskable MSI-X";
    case -EXDEV:
        return "memory is mapped that does not survive the kernel";
    case -EBUSY:
        return "a device of the group is not held by vfio-pci";
    case -ENOSPC:
        return "the kernel's handover table is full";
    default:
        return "see the kernel's log";
    }
}

/* Everything has to be right before the first guest is stopped */
static bool vfio_preserve_hold(VFIOContainerBase *bcontainer, Error **errp)
{
    VFIOContainer *container = container_of(bcontainer, VFIOContainer,
                                            bcontainer);
    VFIODevice *vbasedev;
    VFIOGroup *group;
    int ret;

    if (!bcontainer->initialized) {
        error_setg(errp, "vfio: the guest has not run yet since its devices "
                   "were kept, it cannot be saved again");
        return false;
    }
    if (!migrate_ignore_shared()) {
        error_setg(errp, "vfio: preserve=on needs the capability "
                   "x-ignore-shared, guest RAM must stay where it is");
        return false;
    }

    QLIST_FOREACH(vbasedev, &bcontainer->device_list, container_next) {
        if (!vbasedev->ops->vfio_preserve_check(vbasedev, errp)) {
            return false;
        }
    }

    QLIST_FOREACH(group, &container->group_list, container_next) {
        ret = vfio_group_set_preserve(group, true);
        if (ret) {
            error_setg_errno(errp, -ret, "vfio: the kernel does not preserve "
                             "group %d (%s)", group->groupid,
                             vfio_preserve_hint(ret));
            vfio_preserve_release(bcontainer);
            return false;
        }
    }
    return true;
}

int vfio_preserve_reboot_notifier(NotifierWithReturn *notifier,
                                  MigrationEvent *e, Error **errp)
{
    VFIOContainerBase *bcontainer = container_of(notifier, VFIOContainerBase,
                                                 cpr_reboot_notifier);

    switch (e->type) {
    case MIG_EVENT_PRECOPY_SETUP:
        return vfio_preserve_hold(bcontainer, errp) ? 0 : -1;
    case MIG_EVENT_PRECOPY_FAILED:
        vfio_preserve_release(bcontainer);
        return 0;
    default:
        /* Saved: the groups stay as they are, over exec, exit and kexec */
        return 0;
    }
}

/*
 * Coming back to life
 */

/*
 * What a device may be heard by.  Memory has time: the page tables that the
 * kernel kept serve the device until every mapping has been made again.
 */
static bool vfio_preserve_resume(VFIOContainerBase *bcontainer, Error **errp)
{
    VFIODevice *vbasedev;

    QLIST_FOREACH(vbasedev, &bcontainer->device_list, container_next) {
        if (!vbasedev->ops->vfio_preserve_resume(vbasedev, errp)) {
            return false;
        }
        trace_vfio_preserve_resume(vbasedev->name);
    }
    bcontainer->kept = false;
    return true;
}

static void vfio_preserve_cpu_runs(CPUState *cpu, run_on_cpu_data unused)
{
}

/*
 * Pinning all of a guest's RAM takes long, with the BQL held.  Let the vCPUs
 * be on their way first: each has taken note, and has the BQL before us.
 */
static bool vfio_preserve_map(VFIOContainerBase *bcontainer)
{
    Error *err = NULL;
    CPUState *cpu;

    CPU_FOREACH(cpu) {
        run_on_cpu(cpu, vfio_preserve_cpu_runs, RUN_ON_CPU_NULL);
    }
    if (!vfio_container_listen(bcontainer, &err)) {
        error_prepend(&err, "vfio: kept device, memory as it was before: ");
        error_report_err(err);
        return false;
    }
    return true;
}

/*
 * A mapping that fails leaves the devices to what the kernel kept, which is
 * this guest's RAM and nothing else.  New RAM would be missing there, so the
 * guest must not go on.
 */
static void vfio_preserve_running_bh(void *opaque)
{
    VFIOContainerBase *bcontainer = opaque;

    if (!bcontainer->initialized && !vfio_preserve_map(bcontainer)) {
        vm_stop(RUN_STATE_INTERNAL_ERROR);
    }
    /* Saved once more already?  Then the flags are to stay. */
    if (runstate_is_live(runstate_get())) {
        vfio_preserve_release(bcontainer);
    }
    object_unref(bcontainer);
}

/*
 * The guest is about to run: for the first time after its state came in, or
 * again after it was saved and no new kernel came.  PRESERVE goes only after
 * it runs: until then a failure, of any of its containers, ends this QEMU and
 * leaves all its devices kept for another attempt.
 */
static void vfio_preserve_vm_state(void *opaque, bool running, RunState state)
{
    VFIOContainerBase *bcontainer = opaque;
    Error *err = NULL;

    if (!running) {
        return;
    }

    if (bcontainer->kept && !vfio_preserve_resume(bcontainer, &err)) {
        error_prepend(&err, "vfio: cannot take over a kept device: ");
        error_report_err(err);
        exit(EXIT_FAILURE);
    }

    object_ref(bcontainer);
    aio_bh_schedule_oneshot(qemu_get_aio_context(), vfio_preserve_running_bh,
                            bcontainer);
}

/*
 * Before all others: taking the device over takes time, and the guest's clocks
 * are started by a handler as well.
 */
void vfio_preserve_register(VFIOContainerBase *bcontainer)
{
    bcontainer->preserve_vm_state =
        qemu_add_vm_change_state_handler_prio(vfio_preserve_vm_state,
                                              bcontainer, -1);
}

void vfio_preserve_unregister(VFIOContainerBase *bcontainer)
{
    if (bcontainer->preserve_vm_state) {
        qemu_del_vm_change_state_handler(bcontainer->preserve_vm_state);
        bcontainer->preserve_vm_state = NULL;
    }
}
