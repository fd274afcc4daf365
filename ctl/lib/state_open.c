// SPDX-License-Identifier: GPL-2.0
/* Which devdax device is the state area. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "cmdline.h"
#include "state_io.h"
#include "util.h"

static int open_dev(struct state *s, const struct dax_dev *dev, bool write, struct kh_err *e)
{
	struct kh_super super;
	uint64_t mapped;
	void *base;
	int rc;

	rc = dax_map(dev, 0, write, &base, &mapped);
	if (rc)
		return err_set(e, rc, "cannot map %s: %s", dev->path, strerror(-rc));
	rc = state_attach(s, base, mapped, e);
	memcpy(&super, base, sizeof(super));
	if (!rc && super.resource != dev->resource)
		rc = err_set(e, -EBADMSG, "state area in %s says it lies at %#llx, not %#llx",
			     dev->path, (unsigned long long)super.resource,
			     (unsigned long long)dev->resource);
	if (rc) {
		munmap(base, mapped);
		return rc;
	}
	s->dev = *dev;
	s->writable = write;
	return 0;
}

/* A probe, of which only the outcome counts. */
static int looks_like_state(const struct dax_dev *dev)
{
	struct state s;
	int rc;

	if (dev->size < KH_AREA_MIN || dax_user(dev->path, 0))
		return -ENOENT;
	rc = open_dev(&s, dev, false, NULL);
	if (!rc)
		state_close(&s);
	return rc;
}

static int pick_by_address(const struct dax_dev *devs, int n, uint64_t resource)
{
	int i;

	for (i = 0; i < n; i++)
		if (devs[i].resource == resource)
			return i;
	return -ENOENT;
}

static int pick_by_path(const struct dax_dev *devs, int n, const char *path)
{
	int i;

	for (i = 0; i < n; i++)
		if (!strcmp(devs[i].path, path))
			return i;
	return -ENOENT;
}

static int pick_by_looks(const struct dax_dev *devs, int n, struct kh_err *e)
{
	int i, rc, found = -ENOENT;

	for (i = 0; i < n; i++) {
		rc = looks_like_state(&devs[i]);
		if (rc == -EBADMSG || rc == -EPROTONOSUPPORT || rc == -EACCES)
			return open_dev(&(struct state){ 0 }, &devs[i], false, e);
		if (rc)
			continue;
		if (found >= 0)
			return err_set(e, -EEXIST, "%s and %s both hold a state area",
				       devs[found].path, devs[i].path);
		found = i;
	}
	return found;
}

int state_open(struct state *s, const char *path, bool write, struct kh_err *e)
{
	struct dax_dev *devs;
	uint64_t resource;
	int n, i, rc;

	n = dax_list(&devs);
	if (n < 0)
		return err_set(e, n, "cannot list devdax devices: %s", strerror(-n));
	if (path)
		i = pick_by_path(devs, n, path);
	else if (!cmdline_state_address(&resource))
		i = pick_by_address(devs, n, resource);
	else
		i = pick_by_looks(devs, n, e);
	if (i >= 0)
		rc = open_dev(s, &devs[i], write, e);
	else if (i == -ENOENT && path)
		rc = err_set(e, i, "%s is no enabled devdax device", path);
	else
		rc = err_set(e, i, "no devdax device that nobody uses holds a state area");
	free(devs);
	return rc;
}

void state_close(struct state *s)
{
	if (s->base)
		munmap(s->base, s->dev.size);
	s->base = NULL;
}
