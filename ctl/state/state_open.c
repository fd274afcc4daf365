// SPDX-License-Identifier: GPL-2.0
/* Which devdax device is the state area. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "base/util.h"
#include "host/cmdline.h"
#include "state/state_io.h"

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

/* Return: 0, -ENOENT when there is none, -errno with the reason in @e. */
static int find_by_looks(struct dax_dev *dev, struct kh_err *e)
{
	int i, n, rc, found = -ENOENT;
	struct dax_dev *devs;

	n = dax_list(&devs);
	if (n < 0)
		return err_set(e, n, "cannot list devdax devices: %s", strerror(-n));
	for (i = 0; i < n; i++) {
		rc = looks_like_state(&devs[i]);
		if (rc == -EBADMSG || rc == -EPROTONOSUPPORT || rc == -EACCES) {
			found = open_dev(&(struct state){ 0 }, &devs[i], false, e);
			break;
		}
		if (rc)
			continue;
		if (found >= 0) {
			found = err_set(e, -EEXIST, "%s and %s both hold a state area",
					devs[found].path, devs[i].path);
			break;
		}
		found = i;
	}
	if (found >= 0)
		*dev = devs[found];
	free(devs);
	return found >= 0 ? 0 : found;
}

int state_open(struct state *s, const char *path, bool write, struct kh_err *e)
{
	struct dax_dev dev;
	uint64_t resource;
	int rc;

	if (path) {
		rc = dax_find(path, &dev, e);
	} else if (!cmdline_state_address(&resource)) {
		rc = dax_at(resource, &dev);
		if (rc)
			err_set(e, rc, "the devdax device at %#" PRIx64 ", which holds the state area: %s",
				resource, rc == -ENOENT ? "not there" : strerror(-rc));
	} else {
		rc = find_by_looks(&dev, e);
		if (rc)
			err_set(e, rc, "no devdax device that nobody uses holds a state area");
	}
	if (rc)
		return rc;
	return open_dev(s, &dev, write, e);
}

void state_close(struct state *s)
{
	if (s->base)
		munmap(s->base, s->dev.size);
	s->base = NULL;
}
