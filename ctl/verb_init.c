// SPDX-License-Identifier: GPL-2.0
/* khctl init: format a state area. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "base/lock.h"
#include "base/out.h"
#include "base/util.h"
#include "state/state_io.h"
#include "verbs.h"

static int refuse(const struct khctl_opts *o, const char *why, const char *remedy)
{
	struct json_object *j;

	talk("%s: %s", o->state, why);
	talk("    remedy: %s", remedy);
	if (o->json) {
		j = out_new("init");
		out_str(j, "result", "refused");
		out_str(j, "error", why);
		out_str(j, "remedy", remedy);
		out_json(j);
	}
	return out_done(EXIT_REFUSED);
}

static int done(const struct khctl_opts *o, const struct dax_dev *dev)
{
	struct json_object *j;
	char size[32];

	if (o->json) {
		j = out_new("init");
		out_str(j, "result", "done");
		out_str(j, "state_area", dev->path);
		out_u64(j, "bytes", dev->size);
		out_hex(j, "resource", dev->resource);
		out_json(j);
	} else {
		printf("state area\t%s\t%s\n", dev->path,
		       out_bytes(size, sizeof(size), dev->size, o->human));
	}
	return out_done(EXIT_DONE);
}

/* Not even --force drops a guest. A plan that cannot be read keeps nobody's state. */
static bool keeps_guests(const struct state *s, char *why, size_t size)
{
	struct kh_plan *plan = NULL;
	char names[200];
	bool keeps;

	if (s->commit.state != KH_PREPARED && s->commit.state != KH_SAVED &&
	    s->commit.state != KH_FAILED)
		return false;
	keeps = !state_plan(s, &plan, NULL) && plan && plan_kept(plan);
	if (keeps)
		path_fmt(why, size, "it keeps what brings back these VMs: %s",
			 plan_kept_names(plan, names, sizeof(names)));
	free(plan);
	return keeps;
}

static int format(const struct khctl_opts *o, const struct dax_dev *dev)
{
	struct kh_err e = { 0 };
	struct state s;
	char why[260];
	uint64_t mapped;
	void *base;
	int rc;

	rc = dax_map(dev, 0, true, &base, &mapped);
	if (rc)
		return refuse(o, strerror(-rc), "make it a devdax namespace: ndctl create-namespace -m devdax");
	rc = state_attach(&s, base, mapped, &e);
	if (rc != -ENOENT && !o->force) {
		munmap(base, mapped);
		return refuse(o, rc ? e.msg : "it holds a state area already", "khctl init --force");
	}
	if (!rc && keeps_guests(&s, why, sizeof(why))) {
		munmap(base, mapped);
		return refuse(o, why, "khctl resume, or khctl forget VM for each that is given up; before the jump khctl abort");
	}
	rc = state_format(base, mapped, dev->resource);
	munmap(base, mapped);
	if (rc)
		return refuse(o, "too small for a state area", "use a namespace of at least 8 MiB");
	return done(o, dev);
}

int verb_init(const void *opts)
{
	const struct khctl_opts *o = opts;
	struct kh_err e = { 0 };
	struct dax_dev dev;
	char why[160];
	pid_t user;
	int rc = lock_take();

	if (rc < 0)
		return refuse(o, lock_error(rc), "wait until it has ended, or run khctl as root");
	if (dax_find(o->state, &dev, &e))
		return refuse(o, e.msg, "ndctl create-namespace -m devdax");
	user = dax_user(dev.path, 0);
	if (user) {
		if (user > 0)
			snprintf(why, sizeof(why), "process %d uses it", user);
		else
			snprintf(why, sizeof(why), "it cannot be told who uses it: %s", strerror(-user));
		return refuse(o, why, "name a device that nobody uses");
	}
	return format(o, &dev);
}
