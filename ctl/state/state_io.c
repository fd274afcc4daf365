// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <xxhash.h>
#include <zlib.h>
#include "base/tsc.h"
#include "base/util.h"
#include "state/state_io.h"

uint64_t kh_hash(const void *data, size_t len)
{
	return XXH3_64bits(data, len);
}

uint32_t kh_crc(const void *data, size_t len)
{
	return crc32(crc32(0, NULL, 0), data, len);
}

void store_barrier(void)
{
	__asm__ __volatile__("sfence" ::: "memory");
}

const char *state_name(uint32_t state)
{
	static const char * const names[KH_NR_STATES] = {
		[KH_IDLE] = "idle", [KH_PREPARED] = "prepared", [KH_SAVED] = "saved",
		[KH_RESUMED] = "resumed", [KH_FAILED] = "failed", [KH_ABORTED] = "aborted",
	};

	return state < KH_NR_STATES ? names[state] : "unknown";
}

const char *vm_state_name(uint32_t state)
{
	static const char * const names[KH_NR_VM_STATES] = {
		[KH_VM_PLANNED] = "planned", [KH_VM_SAVED] = "saved",
		[KH_VM_RUNNING] = "running", [KH_VM_FAILED] = "failed",
	};

	return state < KH_NR_VM_STATES ? names[state] : "unknown";
}

int state_format(void *base, uint64_t size, uint64_t resource)
{
	struct kh_super super = {
		.magic = KH_SUPER_MAGIC,
		.version = KH_STATE_VERSION,
		.header_size = sizeof(super),
		.size = size,
		.resource = resource,
		.created = time(NULL),
	};

	if (size < KH_AREA_MIN)
		return -EINVAL;
	super.crc = kh_crc(&super, offsetof(struct kh_super, crc));
	memset(base, 0, KH_PLAN_OFFSET(0));
	store_barrier();
	memcpy(base, &super, sizeof(super));
	store_barrier();
	return 0;
}

static bool commit_valid(const struct kh_commit *c)
{
	return c->magic == KH_COMMIT_MAGIC && c->version == KH_STATE_VERSION &&
	       c->header_size == sizeof(*c) && c->state < KH_NR_STATES && c->slot < 2 &&
	       c->plan_size <= KH_PLAN_ROOM &&
	       c->crc == kh_crc(c, offsetof(struct kh_commit, crc));
}

static bool all_zero(const void *p, size_t len)
{
	const char *c = p;

	return !c[0] && !memcmp(c, c + 1, len - 1);
}

static int find_commit(struct state *s, struct kh_err *e)
{
	struct kh_commit c[2];
	int i, best = -1, blank = 0;

	for (i = 0; i < 2; i++) {
		memcpy(&c[i], s->base + KH_COMMIT_OFFSET(i), sizeof(c[i]));
		if (commit_valid(&c[i])) {
			if (best < 0 || c[i].seq > c[best].seq)
				best = i;
		} else if (all_zero(&c[i], sizeof(c[i]))) {
			blank++;
		}
	}
	memset(&s->commit, 0, sizeof(s->commit));
	if (best >= 0)
		s->commit = c[best];
	else if (!blank)
		return err_set(e, -EBADMSG, "both commit records of the state area are damaged");
	return 0;
}

int state_attach(struct state *s, void *base, uint64_t size, struct kh_err *e)
{
	struct kh_super super;

	memset(s, 0, sizeof(*s));
	if (size < KH_AREA_MIN)
		return err_set(e, -ENOENT, "too small for a state area");
	memcpy(&super, base, sizeof(super));
	if (super.magic != KH_SUPER_MAGIC)
		return err_set(e, -ENOENT, "no state area (magic %#llx)",
			       (unsigned long long)super.magic);
	if (super.version != KH_STATE_VERSION)
		return err_set(e, -EPROTONOSUPPORT, "state area of version %u, this khctl knows %u",
			       super.version, KH_STATE_VERSION);
	if (super.header_size != sizeof(super) ||
	    super.crc != kh_crc(&super, offsetof(struct kh_super, crc)))
		return err_set(e, -EBADMSG, "header of the state area is damaged");
	if (super.size > size)
		return err_set(e, -EBADMSG, "state area of %llu bytes in a device of %llu",
			       (unsigned long long)super.size, (unsigned long long)size);
	s->base = base;
	s->size = super.size;
	return find_commit(s, e);
}

int state_plan(const struct state *s, struct kh_plan **plan, struct kh_err *e)
{
	const struct kh_commit *c = &s->commit;
	const char *slot = s->base + KH_PLAN_OFFSET(c->slot);
	struct kh_plan *p;

	*plan = NULL;
	if (!c->plan_size)
		return 0;
	p = calloc(1, KH_PLAN_ROOM);
	if (!p)
		return err_set(e, -ENOMEM, "out of memory");
	memcpy(p, slot, c->plan_size);
	if (kh_hash(p, c->plan_size) != c->plan_hash || plan_check(p, c->plan_size)) {
		free(p);
		return err_set(e, -EBADMSG, "the plan in the state area is damaged");
	}
	*plan = p;
	return 0;
}

int state_commit(struct state *s, enum kh_state state, const struct kh_plan *plan)
{
	struct kh_commit c = {
		.magic = KH_COMMIT_MAGIC,
		.version = KH_STATE_VERSION,
		.header_size = sizeof(c),
		.seq = s->commit.seq + 1,
		.state = state,
		.slot = s->commit.plan_size ? !s->commit.slot : 0,
	};
	char *at = s->base + KH_COMMIT_OFFSET(c.seq & 1);

	if (!s->writable)
		return -EROFS;
	if (plan) {
		if (plan->size > KH_PLAN_ROOM)
			return -ENOSPC;
		memcpy(s->base + KH_PLAN_OFFSET(c.slot), plan, plan->size);
		c.plan_size = plan->size;
		c.plan_hash = kh_hash(plan, plan->size);
	}
	c.crc = kh_crc(&c, offsetof(struct kh_commit, crc));
	store_barrier();
	/* Invalid until its last field is there. */
	memset(at + offsetof(struct kh_commit, crc), 0, sizeof(c.crc));
	store_barrier();
	memcpy(at, &c, offsetof(struct kh_commit, crc));
	store_barrier();
	memcpy(at + offsetof(struct kh_commit, crc), &c.crc, sizeof(c.crc));
	store_barrier();
	s->commit = c;
	return 0;
}

const struct kh_log_record *state_log_get(const struct state *s, uint64_t seq)
{
	const struct kh_log_record *r;

	r = (const void *)(s->base + KH_LOG_OFFSET);
	r += (seq - 1) % KH_LOG_RECORDS;
	if (!seq || r->magic != KH_LOG_MAGIC || r->seq != seq ||
	    r->crc != kh_crc(&r->seq, sizeof(*r) - offsetof(struct kh_log_record, seq)) ||
	    r->text[sizeof(r->text) - 1])
		return NULL;
	return r;
}

uint64_t state_log_last(const struct state *s)
{
	const struct kh_log_record *r = (const void *)(s->base + KH_LOG_OFFSET);
	uint64_t last = 0;
	int i;

	for (i = 0; i < KH_LOG_RECORDS; i++)
		if (r[i].magic == KH_LOG_MAGIC && r[i].seq > last &&
		    state_log_get(s, r[i].seq) == &r[i])
			last = r[i].seq;
	return last;
}

void state_log(struct state *s, const uint8_t *run_id, const char *phase, uint64_t duration,
	       const char *fmt, ...)
{
	struct kh_log_record r = { .magic = KH_LOG_MAGIC, .duration = duration };
	struct kh_log_record *at;
	va_list ap;

	if (!s->writable)
		return;
	if (!s->log_seq)
		s->log_seq = state_log_last(s);
	r.seq = ++s->log_seq;
	r.tsc = tsc_now();
	if (run_id)
		memcpy(r.run_id, run_id, sizeof(r.run_id));
	copy_str(r.phase, sizeof(r.phase), phase);
	va_start(ap, fmt);
	vsnprintf(r.text, sizeof(r.text), fmt, ap);
	va_end(ap);
	r.crc = kh_crc(&r.seq, sizeof(r) - offsetof(struct kh_log_record, seq));
	at = (struct kh_log_record *)(s->base + KH_LOG_OFFSET) + (r.seq - 1) % KH_LOG_RECORDS;
	memcpy(at, &r, sizeof(r));
	store_barrier();
}

struct kh_plan *plan_new(void)
{
	struct kh_plan *p = calloc(1, KH_PLAN_ROOM);

	if (!p)
		return NULL;
	p->magic = KH_PLAN_MAGIC;
	p->version = KH_STATE_VERSION;
	p->header_size = sizeof(*p);
	p->size = sizeof(*p);
	if (getrandom(p->run_id, sizeof(p->run_id), 0) != sizeof(p->run_id)) {
		free(p);
		return NULL;
	}
	return p;
}

static bool vm_good(const struct kh_plan_vm *vm)
{
	unsigned int i;

	if (vm->nr_ram > KH_MAX_RAM || vm->nr_devs > KH_MAX_DEVS || vm->state >= KH_NR_VM_STATES ||
	    !text_ends(vm->error, sizeof(vm->error)))
		return false;
	for (i = 0; i < vm->nr_ram; i++)
		if (!text_ends(vm->ram[i].id, sizeof(vm->ram[i].id)) ||
		    !text_ends(vm->ram[i].path, sizeof(vm->ram[i].path)))
			return false;
	for (i = 0; i < vm->nr_devs; i++)
		if (!text_ends(vm->dev[i].bdf, sizeof(vm->dev[i].bdf)))
			return false;
	return true;
}

/* Strings are read up to their zero byte. */
static bool str_good(const struct kh_plan *plan, struct kh_str s)
{
	const char *text = plan_str(plan, s);

	return !*text || text[s.len] == '\0';
}

int plan_check(const struct kh_plan *p, size_t size)
{
	unsigned int i;

	if (!p || size < sizeof(*p) || p->magic != KH_PLAN_MAGIC ||
	    p->version != KH_STATE_VERSION || p->header_size != sizeof(*p) || p->size != size ||
	    p->nr_vms > KH_MAX_VMS || !text_ends(p->old_boot_id, sizeof(p->old_boot_id)) ||
	    !text_ends(p->new_boot_id, sizeof(p->new_boot_id)) ||
	    !text_ends(p->old_kernel, sizeof(p->old_kernel)) ||
	    !text_ends(p->new_kernel, sizeof(p->new_kernel)) ||
	    !text_ends(p->image_kernel, sizeof(p->image_kernel)) || !str_good(p, p->image) ||
	    !str_good(p, p->initrd) || !str_good(p, p->cmdline))
		return -EBADMSG;
	for (i = 0; i < p->nr_vms; i++)
		if (!vm_good(&p->vm[i]) || !str_good(p, p->vm[i].name) || !str_good(p, p->vm[i].qmp))
			return -EBADMSG;
	return 0;
}

int plan_put(struct kh_plan *plan, struct kh_str *s, const void *data, size_t len)
{
	if (len + 1 > KH_PLAN_ROOM - plan->size)
		return -ENOSPC;
	s->off = plan->size;
	s->len = len;
	memcpy((char *)plan + s->off, data, len);
	((char *)plan)[s->off + len] = '\0';
	plan->size += len + 1;
	return 0;
}

const char *plan_str(const struct kh_plan *plan, struct kh_str s)
{
	if (!s.len || s.off < sizeof(*plan) || s.off >= plan->size ||
	    s.len >= plan->size - s.off)
		return "";
	return (const char *)plan + s.off;
}

uint64_t plan_first_stop(const struct kh_plan *plan)
{
	uint64_t t = 0;
	unsigned int i;

	for (i = 0; i < plan->nr_vms; i++)
		if (plan->vm[i].stop_tsc && (!t || plan->vm[i].stop_tsc < t))
			t = plan->vm[i].stop_tsc;
	return t;
}

const char *run_id_text(const uint8_t *run_id, char *buf)
{
	unsigned int i;

	for (i = 0; i < 16; i++)
		snprintf(buf + 2 * i, 3, "%02x", run_id[i]);
	return buf;
}
