// SPDX-License-Identifier: GPL-2.0
/* Checks of the VMs and their devices. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/util.h"
#include "host/iommu.h"
#include "host/pci.h"
#include "preflight/preflight.h"

static void check_backend(struct preflight *pf, const struct vm *vm, const struct vm_ram *r)
{
	static const char want[] = "all guest RAM in devdax namespaces, share=on";
	static const char fix[] = "-object memory-backend-file,mem-path=/dev/daxX.Y,share=on,align=2M,... -numa node,memdev=...";
	struct kh_err e = { 0 };
	struct dax_dev dev;
	pid_t user;

	if (strcmp(r->type, "memory-backend-file") || !has_prefix(r->path, "/dev/dax")) {
		check_bad(pf, "vm-ram", vm->qmp_path, want, fix, "backend %s is %s %s", r->id, r->type,
			  r->path);
		return;
	}
	if (!r->share) {
		check_bad(pf, "vm-ram", vm->qmp_path, want, fix, "backend %s is not share=on", r->id);
		return;
	}
	if (dax_find(r->path, &dev, &e)) {
		check_bad(pf, "vm-ram", vm->qmp_path, want, fix, "backend %s: %s", r->id, e.msg);
		return;
	}
	if (r->size > dev.size)
		check_bad(pf, "vm-dax-size", vm->qmp_path, "a namespace that holds the whole backend",
			  "make a larger namespace", "%s has %llu bytes, backend %s wants %llu",
			  r->path, (unsigned long long)dev.size, r->id,
			  (unsigned long long)r->size);
	user = dax_user(r->path, vm->pid);
	if (user > 0)
		check_bad(pf, "vm-dax-busy", vm->qmp_path, "a namespace that only this VM uses",
			  "end that process, or give the VM a namespace of its own",
			  "process %d maps %s", user, r->path);
	else
		check_ok(pf, "vm-ram", vm->qmp_path, "backend %s: %s, %llu bytes", r->id, r->path,
			 (unsigned long long)r->size);
}

struct group_ctx {
	const struct vm *vm;
	char stranger[16];
};

static int find_stranger(void *p, const char *bdf)
{
	struct group_ctx *g = p;
	unsigned int i;

	for (i = 0; i < g->vm->nr_devs; i++)
		if (!strcmp(g->vm->dev[i].bdf, bdf) && g->vm->dev[i].preserve)
			return 0;
	copy_str(g->stranger, sizeof(g->stranger), bdf);
	return 1;
}

static void check_tables(struct preflight *pf, const char *bdf)
{
	struct page_source src = { .page = kram_page, .ctx = &pf->kram,
				   .nr_pages = kram_pool(&pf->kram) };
	struct kh_err e = { 0 };
	struct kh_plan_dev rec;
	uint8_t cfg[PCI_CONFIG_BYTES], bus, devfn;
	uint16_t seg;
	int rc;

	rc = pci_record(bdf, &rec, cfg, &e);
	if (!rc)
		rc = pci_parse(bdf, &seg, &bus, &devfn);
	if (!rc)
		rc = iommu_record(&src, kram_root(&pf->kram, rec.unit), bus, devfn, &rec.map, &e);
	if (rc) {
		check_bad(pf, "dev-tables", bdf, "its IOMMU tables in KRAM",
			  "boot with a larger KRAM area, then start the VM again", "%s", e.msg);
		return;
	}
	pf->table_pages += rec.map.nr_tables;
	check_ok(pf, "dev-tables", bdf, "%llu tables map %llu bytes in %llu runs",
		 (unsigned long long)rec.map.nr_tables, (unsigned long long)rec.map.mapped,
		 (unsigned long long)rec.map.nr_runs);
	if (!rec.msix_pos || !(rec.msix_ctrl & 0x8000))
		check_bad(pf, "dev-msix", bdf, "MSI-X enabled by the guest",
			  "wait until the guest's driver runs, or take the device out",
			  rec.msix_pos ? "MSI-X is off" : "no MSI-X capability");
	else
		check_ok(pf, "dev-msix", bdf, "MSI-X on");
}

static void check_device(struct preflight *pf, const struct vm *vm, const struct vm_dev *d)
{
	struct group_ctx g = { .vm = vm };

	if (!d->bdf[0]) {
		check_bad(pf, "dev-preserve", d->qom, "a PCI device of the host",
			  "take the device out", "no vfio-pci device");
		return;
	}
	if (!d->preserve) {
		check_bad(pf, "dev-preserve", d->bdf, "preserve=on for each vfio-pci device",
			  "start the VM with -device vfio-pci,...,preserve=on", "preserve is off");
		return;
	}
	check_ok(pf, "dev-preserve", d->bdf, "preserve=on");
	if (pci_group_foreach(d->bdf, find_stranger, &g))
		check_bad(pf, "dev-group", d->bdf, "every device of its IOMMU group preserved",
			  "give the other one to the VM with preserve=on, or move it to another slot",
			  "%s%s", g.stranger[0] ? g.stranger : "no group",
			  g.stranger[0] ? " is in its group and not preserved" : "");
	else
		check_ok(pf, "dev-group", d->bdf, "alone with preserved devices");
	if (pf->have_kram && pf->units)
		check_tables(pf, d->bdf);
}

static void check_process(struct preflight *pf, const struct vm *vm)
{
	/* Only root may tell vfio to keep a device. */
	if (vm->uid && vm->nr_devs)
		check_bad(pf, "vm-user", vm->qmp_path, "QEMU with a vfio-pci device run by root", "start it as root",
			  "process %d belongs to user %llu", vm->pid, (unsigned long long)vm->uid);
	if (strstr(vm->exe, " (deleted)"))
		check_bad(pf, "vm-exe", vm->qmp_path, "QEMU's program still where it was",
			  "install it again", "%s", vm->exe);
}

static void check_vm(struct preflight *pf, const struct vm *vm)
{
	unsigned int i;

	if (strcmp(vm->status, "running"))
		check_bad(pf, "vm-status", vm->qmp_path, "running", "cont, or leave this VM out",
			  "%s", vm->status);
	else
		check_ok(pf, "vm-status", vm->qmp_path, "running");
	if (vm->nr_devs && !vm->patched)
		check_bad(pf, "vm-qemu", vm->qmp_path, "a QEMU whose vfio-pci has preserve=",
			  "start the VM with a QEMU that has the patches of qemu-patches/",
			  "%s does not know it", vm->exe);
	else
		check_ok(pf, "vm-qemu", vm->qmp_path, "%s",
			 vm->patched ? "has preserve=" : "no vfio-pci device");
	check_process(pf, vm);
	check_machine(pf, vm);
	if (!vm->nr_ram)
		check_bad(pf, "vm-ram", vm->qmp_path, "guest RAM in devdax namespaces",
			  "give the VM -object memory-backend-file", "no memory backend");
	for (i = 0; i < vm->nr_ram; i++)
		check_backend(pf, vm, &vm->ram[i]);
	for (i = 0; i < vm->nr_devs; i++)
		check_device(pf, vm, &vm->dev[i]);
}

static bool seen_before(const struct preflight *pf, const struct vm *vm)
{
	const struct vm *other;

	for (other = pf->vm; other < vm; other++)
		if (other->pid == vm->pid)
			return true;
	return false;
}

/* Room for one more. */
static struct vm *add_vm(struct preflight *pf)
{
	struct vm *vm = realloc(pf->vm, (pf->nr_vms + 1) * sizeof(*vm));
	bool *ok = realloc(pf->vm_ok, (pf->nr_vms + 1) * sizeof(*ok));

	if (!vm || !ok)
		abort();	/* nothing has been changed yet */
	pf->vm = vm;
	pf->vm_ok = ok;
	ok[pf->nr_vms] = false;
	return &vm[pf->nr_vms++];
}

void check_socket(struct preflight *pf, const struct preflight_in *in, const char *path)
{
	struct kh_err e = { 0 };
	struct vm *vm = add_vm(pf);

	if (vm_learn(vm, path, in->cancel_fd, &e)) {
		check_bad(pf, "vm-qmp", path, "the QMP socket of a running QEMU",
			  "check the path, and that no other client is connected", "%s", e.msg);
		return;
	}
	if (seen_before(pf, vm)) {
		check_bad(pf, "vm-qmp", path, "each VM once", "name it once", "process %d again",
			  vm->pid);
		return;
	}
	check_ok(pf, "vm-qmp", vm->qmp_path, "process %d", vm->pid);
	pf->vm_ok[pf->nr_vms - 1] = true;
	check_vm(pf, vm);
	check_migrate(pf, vm);
}

void check_vms(struct preflight *pf, const struct preflight_in *in)
{
	unsigned int i;

	for (i = 0; i < in->qmp->n; i++)
		check_socket(pf, in, in->qmp->v[i]);
	check_found(pf, in);
}
