// SPDX-License-Identifier: GPL-2.0
/* Evidence as a file, and the checks of what comes from one. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/util.h"
#include "evidence/evidence.h"
#include "evidence/evidence_parts.h"

static bool ends(const char *s, size_t size)
{
	return memchr(s, '\0', size);
}

static int index_host(struct evidence *ev, struct kh_err *e)
{
	const struct kh_host *h = ev->blob[KH_SEC_HOST].data;

	if (ev->blob[KH_SEC_HOST].size != sizeof(*h))
		return err_set(e, -EBADMSG, "the evidence does not say of which host it is");
	if (!ends(h->boot_id, sizeof(h->boot_id)) || !ends(h->release, sizeof(h->release)) ||
	    !ends(h->version, sizeof(h->version)) || !ends(h->kram_state, sizeof(h->kram_state)) ||
	    !ends(h->kram_error, sizeof(h->kram_error)) ||
	    !ends(h->handover_error, sizeof(h->handover_error)) || h->nr_areas > KH_HOST_AREAS)
		return err_set(e, -EBADMSG, "what the evidence says of its host is damaged");
	ev->host = h;
	return 0;
}

static int index_plan(struct evidence *ev, struct kh_err *e)
{
	struct kh_plan *p = ev->blob[KH_SEC_PLAN].data;
	int rc;

	ev->plan = p;
	if (!plan_check(p, ev->blob[KH_SEC_PLAN].size))
		return 0;
	/* Another khctl wrote it. */
	ev->plan = NULL;
	rc = plan_read(ev->blob[KH_SEC_PLAN].data, ev->blob[KH_SEC_PLAN].size, &p, e);
	if (rc)
		return rc;
	free(ev->blob[KH_SEC_PLAN].data);
	ev->blob[KH_SEC_PLAN].data = p;
	ev->blob[KH_SEC_PLAN].size = p->size;
	ev->plan = p;
	return 0;
}

static void index_handover(struct evidence *ev)
{
	const struct kram_handover *h = ev->blob[KH_SEC_HANDOVER].data;
	struct kh_err e = { 0 };

	if (ev->blob[KH_SEC_HANDOVER].size != sizeof(*h))
		copy_str(ev->handover_error, sizeof(ev->handover_error),
			 ev->host->handover_error[0] ? ev->host->handover_error :
			 "there is no handover");
	else if (kram_handover_check(h, &e))
		copy_str(ev->handover_error, sizeof(ev->handover_error), e.msg);
	else
		ev->handover = h;
}

static void index_vms(struct evidence *ev)
{
	const struct kh_vm_now *vm = ev->blob[KH_SEC_VMS].data;
	unsigned int i;

	ev->vm = NULL;
	if (!ev->plan->vms.count || ev->blob[KH_SEC_VMS].size != ev->plan->vms.count * sizeof(*vm))
		return;
	for (i = 0; i < ev->plan->vms.count; i++)
		if (!ends(vm[i].status, sizeof(vm[i].status)) ||
		    !ends(vm[i].error, sizeof(vm[i].error)))
			return;
	ev->vm = vm;
}

int evidence_index(struct evidence *ev, struct kh_err *e)
{
	unsigned int i;
	int rc;

	rc = index_host(ev, e);
	if (!rc)
		rc = index_plan(ev, e);
	if (rc)
		return rc;
	index_handover(ev);
	index_vms(ev);
	for (i = 0; i < NR_MAN; i++) {
		struct kh_err mine = { 0 };

		ev->man_rc[i] = manifest_read(&ev->man[i], ev->blob[KH_SEC_MANIFEST_OLD + i].data,
					      ev->blob[KH_SEC_MANIFEST_OLD + i].size, &mine);
		copy_str(ev->man_error[i], sizeof(ev->man_error[i]), mine.msg);
	}
	for (i = KH_SEC_EVENTS_OLD; i <= KH_SEC_EVENTS_NEW; i++)
		if (ev->blob[i].size != KH_EVENTS_ROOM)
			ev->blob[i].size = 0;
	if (recorder_read(&ev->rec, ev->blob[KH_SEC_RECORDER].data,
			  ev->blob[KH_SEC_RECORDER].size, e)) {
		copy_str(ev->rec_error, sizeof(ev->rec_error), e->msg);
		memset(e, 0, sizeof(*e));
	}
	if (ev->blob[KH_SEC_IOMEM].size && ends(ev->blob[KH_SEC_IOMEM].data, ev->blob[KH_SEC_IOMEM].size))
		ev->iomem = ev->blob[KH_SEC_IOMEM].data;
	if (ev->blob[KH_SEC_KLOG].size && ends(ev->blob[KH_SEC_KLOG].data, ev->blob[KH_SEC_KLOG].size))
		ev->klog = ev->blob[KH_SEC_KLOG].data;
	return 0;
}

static size_t aligned(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

static int write_file(const char *path, const void *data, size_t size)
{
	char tmp[4096];
	int fd, rc = 0;

	if (!*path_fmt(tmp, sizeof(tmp), "%s.new", path))
		return -ENAMETOOLONG;
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	while (size && !rc) {
		ssize_t n = write(fd, data, size);

		if (n <= 0)
			rc = n ? -errno : -EIO;
		else {
			data = (const char *)data + n;
			size -= n;
		}
	}
	if (!rc && fsync(fd) && errno != EINVAL)
		rc = -errno;
	if (close(fd) && !rc)
		rc = -errno;
	if (!rc && rename(tmp, path))
		rc = -errno;
	if (rc)
		unlink(tmp);
	return rc;
}

int evidence_save(const struct evidence *ev, const char *path, struct kh_err *e)
{
	struct kh_bundle b = {
		.magic = KH_BUNDLE_MAGIC,
		.version = KH_BUNDLE_VERSION,
		.header_size = sizeof(b),
		.size = sizeof(b),
	};
	unsigned int i;
	char *out;
	int rc;

	for (i = 0; i < KH_NR_SECTIONS; i++) {
		b.section[i].offset = ev->blob[i].size ? b.size : 0;
		b.section[i].size = ev->blob[i].size;
		b.size += aligned(ev->blob[i].size);
	}
	out = calloc(1, b.size);
	if (!out)
		return err_set(e, -ENOMEM, "out of memory");
	for (i = 0; i < KH_NR_SECTIONS; i++)
		if (ev->blob[i].size)
			memcpy(out + b.section[i].offset, ev->blob[i].data, ev->blob[i].size);
	b.hash = kh_hash(out + sizeof(b), b.size - sizeof(b));
	b.crc = kh_crc(&b, offsetof(struct kh_bundle, crc));
	memcpy(out, &b, sizeof(b));
	rc = write_file(path, out, b.size);
	free(out);
	return rc ? err_set(e, rc, "cannot write %s: %s", path, strerror(-rc)) : 0;
}

static int check_bundle(const struct kh_bundle *b, const void *data, size_t size, struct kh_err *e)
{
	if (b->magic != KH_BUNDLE_MAGIC)
		return err_set(e, -EBADMSG, "this is no bundle");
	if (b->version != KH_BUNDLE_VERSION)
		return err_set(e, -EPROTONOSUPPORT, "bundle of version %u, this khctl knows %u",
			       b->version, KH_BUNDLE_VERSION);
	if (b->header_size != sizeof(*b) || b->crc != kh_crc(b, offsetof(struct kh_bundle, crc)))
		return err_set(e, -EBADMSG, "the bundle is damaged: checksum of its header");
	if (b->size != size)
		return err_set(e, -EBADMSG, "the bundle is cut: %zu bytes of %llu", size,
			       (unsigned long long)b->size);
	if (b->hash != kh_hash((const char *)data + sizeof(*b), size - sizeof(*b)))
		return err_set(e, -EBADMSG, "the bundle is damaged: checksum of its content");
	return 0;
}

int evidence_parse(struct evidence *ev, const void *data, size_t size, struct kh_err *e)
{
	struct kh_bundle b;
	uint64_t off, n;
	unsigned int i;
	void *to;
	int rc;

	memset(ev, 0, sizeof(*ev));
	if (size < sizeof(b))
		return err_set(e, -EBADMSG, "this is no bundle: %zu bytes", size);
	memcpy(&b, data, sizeof(b));
	rc = check_bundle(&b, data, size, e);
	if (rc)
		return rc;
	for (i = 0; i < KH_NR_SECTIONS; i++) {
		off = b.section[i].offset;
		n = b.section[i].size;
		if (!n)
			continue;
		if (off < sizeof(b) || off > size || n > size - off)
			return err_set(e, -EBADMSG, "the bundle is damaged: section %u lies outside", i);
		to = evidence_new(ev, i, n);
		if (!to)
			return err_set(e, -ENOMEM, "out of memory");
		memcpy(to, (const char *)data + off, n);
	}
	return evidence_index(ev, e);
}

static int read_file(const char *path, char **data, size_t *size)
{
	struct stat st;
	int fd, rc = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st))
		rc = -errno;
	else if (!S_ISREG(st.st_mode))
		rc = -EINVAL;
	else if (st.st_size > KH_BUNDLE_MAX)
		rc = -EFBIG;
	*data = rc ? NULL : malloc(st.st_size + 1);
	if (!rc && !*data)
		rc = -ENOMEM;
	if (!rc)
		rc = pread_full(fd, *data, st.st_size, 0);
	*size = st.st_size;
	close(fd);
	if (rc) {
		free(*data);
		*data = NULL;
	}
	return rc;
}

int evidence_load(struct evidence *ev, const char *path, struct kh_err *e)
{
	char *data = NULL;
	size_t size = 0;
	int rc;

	memset(ev, 0, sizeof(*ev));
	rc = read_file(path, &data, &size);
	if (rc)
		return err_set(e, rc, "cannot read %s: %s", path, strerror(-rc));
	rc = evidence_parse(ev, data, size, e);
	free(data);
	return rc;
}
