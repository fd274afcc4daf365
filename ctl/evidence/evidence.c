// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "base/tsc.h"
#include "base/util.h"
#include "evidence/evidence.h"
#include "evidence/evidence_parts.h"
#include "evidence/state_events.h"
#include "host/klog.h"
#include "vm/vm_left.h"

#define KLOG_BYTES	0x10000
/* include/uapi/linux/kernel-page-flags.h */
#define KPF_BUDDY	10
#define KPF_NOPAGE	20
#define KPF_RESERVED	32

void *evidence_new(struct evidence *ev, enum kh_section sec, size_t size)
{
	ev->blob[sec].data = calloc(1, size ? size : 1);
	ev->blob[sec].size = ev->blob[sec].data ? size : 0;
	return ev->blob[sec].data;
}

static int copy_blob(struct evidence *ev, enum kh_section sec, const void *data, size_t size)
{
	void *to = evidence_new(ev, sec, size);

	if (!to)
		return -ENOMEM;
	memcpy(to, data, size);
	return 0;
}

#define PFN_CHUNK	512

/* A page of KRAM is reserved, or has no struct page; nobody else may have it. */
static void look_at_flags(struct kh_host *h, const uint64_t *flags, uint64_t pfn, unsigned int n)
{
	unsigned int i;

	h->pages_seen += n;
	for (i = 0; i < n; i++) {
		if (!(flags[i] & 1ULL << KPF_BUDDY) &&
		    flags[i] & (1ULL << KPF_RESERVED | 1ULL << KPF_NOPAGE))
			continue;
		if (!h->pages_bad++)
			h->first_bad = pfn + i;
	}
}

static void look_at_pages(struct kh_host *h, const struct kram *k)
{
	uint64_t flags[PFN_CHUNK], pfn, end;
	unsigned int i, n;
	int fd, rc;

	fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		h->pages_error = errno;
		return;
	}
	for (i = 0; i < k->nr_areas && !h->pages_error; i++) {
		pfn = k->area[i].start / KRAM_PAGE_SIZE;
		for (end = pfn + k->area[i].size / KRAM_PAGE_SIZE; pfn < end; pfn += n) {
			n = end - pfn < PFN_CHUNK ? end - pfn : PFN_CHUNK;
			rc = pread_full(fd, flags, n * sizeof(*flags), pfn * sizeof(*flags));
			if (rc) {
				h->pages_error = -rc;
				break;
			}
			look_at_flags(h, flags, pfn, n);
		}
	}
	close(fd);
}

static void gather_host(struct kh_host *h, struct kram *k)
{
	struct kh_err e = { 0 };
	struct utsname u;
	unsigned int i;

	h->tsc = tsc_now();
	boot_id(h->boot_id, sizeof(h->boot_id));
	if (!uname(&u)) {
		copy_str(h->release, sizeof(h->release), u.release);
		copy_str(h->version, sizeof(h->version), u.version);
	}
	if (kram_read(k, &e)) {
		copy_str(h->kram_error, sizeof(h->kram_error), e.msg);
		return;
	}
	copy_str(h->kram_state, sizeof(h->kram_state), k->state);
	h->kram_generation = k->generation;
	h->kram_used = kram_used(k);
	h->nr_areas = k->nr_areas;
	for (i = 0; i < k->nr_areas && i < KH_HOST_AREAS; i++) {
		h->area[i].start = k->area[i].start;
		h->area[i].size = k->area[i].size;
	}
	look_at_pages(h, k);
}

static int gather_tables(struct evidence *ev, struct kram *k, struct kh_host *h)
{
	struct kram_handover *handover;
	struct kh_err e = { 0 };
	void *rec;

	handover = evidence_new(ev, KH_SEC_HANDOVER, sizeof(*handover));
	rec = evidence_new(ev, KH_SEC_RECORDER, RECORDER_BYTES);
	if (!handover || !rec)
		return -ENOMEM;
	if (kram_handover("handover_adopted", handover, &e)) {
		copy_str(h->handover_error, sizeof(h->handover_error), e.msg);
		ev->blob[KH_SEC_HANDOVER].size = 0;
	}
	if (!recorder_there() || recorder_bytes(k, rec))
		ev->blob[KH_SEC_RECORDER].size = 0;
	ev->blob[KH_SEC_MANIFEST_NOW].data =
		manifest_take(ev->blob[KH_SEC_PLAN].data, h->boot_id, k, IRT_READ, NULL,
			      &ev->blob[KH_SEC_MANIFEST_NOW].size);
	return ev->blob[KH_SEC_MANIFEST_NOW].data ? 0 : -ENOMEM;
}

static int gather_texts(struct evidence *ev, struct kh_host *h)
{
	char *klog = evidence_new(ev, KH_SEC_KLOG, KLOG_BYTES), *iomem;
	size_t len;
	int rc;

	if (!klog)
		return -ENOMEM;
	h->klog_error = -klog_copy(klog, KLOG_BYTES);
	ev->blob[KH_SEC_KLOG].size = strlen(klog) + 1;
	if (read_all("/proc/iomem", &iomem, &len))
		return 0;
	rc = copy_blob(ev, KH_SEC_IOMEM, iomem, strlen(iomem) + 1);
	free(iomem);
	return rc;
}

static int gather_state(struct evidence *ev, const struct state *s, const struct kh_plan *plan)
{
	const void *data;
	size_t size;
	int rc, side;

	rc = copy_blob(ev, KH_SEC_PLAN, plan, plan->size);
	for (side = 0; !rc && side < KH_NR_SIDES; side++) {
		data = manifest_bytes(s, side, &size);
		rc = copy_blob(ev, KH_SEC_MANIFEST_OLD + side, data, size);
		if (!rc)
			rc = copy_blob(ev, KH_SEC_EVENTS_OLD + side, events_section(s, side),
				       KH_EVENTS_ROOM);
	}
	return rc;
}

static int gather_vms(struct evidence *ev, const struct kh_plan *plan, const bool *running)
{
	struct kh_vm_now *now = evidence_new(ev, KH_SEC_VMS, plan->vms.count * sizeof(*now));
	const struct kh_plan_vm *vm;
	struct kh_err e;
	unsigned int i;

	if (!now)
		return -ENOMEM;
	for (i = 0; i < plan->vms.count; i++) {
		vm = plan_vm(plan, i);
		memset(&e, 0, sizeof(e));
		if (running && running[i])
			copy_str(now[i].status, sizeof(now[i].status), "running");
		else if (vm->state == KH_VM_RUNNING)
			vm_ask(plan_str(plan, vm->qmp), vm->new_pid, vm->new_start, now[i].status,
			       sizeof(now[i].status), NULL, &e);
		copy_str(now[i].error, sizeof(now[i].error), e.msg);
	}
	return 0;
}

int evidence_gather(struct evidence *ev, const struct state *s, const struct kh_plan *plan,
		    const bool *running, struct kh_err *e)
{
	struct kh_host *h;
	struct kram k;
	int rc;

	memset(ev, 0, sizeof(*ev));
	memset(&k, 0, sizeof(k));
	h = evidence_new(ev, KH_SEC_HOST, sizeof(*h));
	rc = h ? gather_state(ev, s, plan) : -ENOMEM;
	if (!rc) {
		gather_host(h, &k);
		rc = gather_tables(ev, &k, h);
		kram_close(&k);
	}
	if (!rc)
		rc = gather_texts(ev, h);
	if (!rc)
		rc = gather_vms(ev, plan, running);
	if (rc)
		return err_set(e, rc, "cannot gather the evidence: %s", strerror(-rc));
	return evidence_index(ev, e);
}

void evidence_free(struct evidence *ev)
{
	unsigned int i;

	for (i = 0; i < KH_NR_SECTIONS; i++)
		free(ev->blob[i].data);
	memset(ev, 0, sizeof(*ev));
}
