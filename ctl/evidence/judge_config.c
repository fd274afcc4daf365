// SPDX-License-Identifier: GPL-2.0
/*
 * Claims about the configuration space of one device: resets, and what was
 * written. docs/config-writes.md lists what may be.
 */
#include <stdio.h>
#include <string.h>
#include "base/util.h"
#include "evidence/events.h"
#include "evidence/judge.h"
#include "host/klog.h"

#define CFG_COMMAND	0x04
#define CFG_BAR		0x10
#define CFG_BAR_END	0x28
#define CFG_ROM		0x30
#define CFG_CAPS	0x34
#define CAP_PM		0x01
#define CAP_EXP		0x10
#define CMD_DECODE	0x3		/* memory and I/O space */
#define CMD_MASTER	0x4
#define MSIX_ENABLE	0x8000
#define PM_STATE	0x3
#define EXP_FLR		0x8000

/**
 * struct reg - a register of which some bits must stay as they are
 * @bdf: of the function
 * @pos: offset
 * @len: bytes
 * @mask: the bits
 * @want: what they must be
 * @any: no write at all, whatever the value
 */
struct reg {
	uint32_t bdf;
	unsigned int pos;
	unsigned int len;
	uint32_t mask;
	uint32_t want;
	bool any;
};

static uint32_t cfg_get(const uint8_t *cfg, unsigned int pos, unsigned int len)
{
	uint32_t v = 0;

	while (pos < 256 && len--)
		v |= (uint32_t)cfg[pos + len] << 8 * len;
	return v;
}

static unsigned int find_cap(const uint8_t *cfg, uint8_t id)
{
	unsigned int pos = cfg[CFG_CAPS] & ~3, i;

	for (i = 0; i < 48 && pos >= 0x40 && pos <= 0xf8; i++, pos = cfg[pos + 1] & ~3)
		if (cfg[pos] == id)
			return pos;
	return 0;
}

/* Does this write change the bits, or touch the register if it must not be touched? */
static bool reg_written(const struct kh_event *ev, const void *arg)
{
	const struct reg *r = arg;
	unsigned int i, off;
	uint8_t val;

	if (ev->type != KH_EV_PCI_CFG_WRITE || ev->bdf != r->bdf || ev->arg[1] > 4)
		return false;
	for (i = 0; i < ev->arg[1]; i++) {
		if (ev->arg[0] + i < r->pos || ev->arg[0] + i >= r->pos + r->len)
			continue;
		if (r->any)
			return true;
		off = ev->arg[0] + i - r->pos;
		val = ev->arg[2] >> 8 * i;
		if ((val ^ r->want >> 8 * off) & r->mask >> 8 * off & 0xff)
			return true;
	}
	return false;
}

struct config {
	struct judge *j;
	const struct kh_plan_vm *vm;
	const struct kh_plan_dev *d;
	unsigned int index;
	const uint8_t *cfg[NR_MAN];	/* NULL: not known */
};

/* The register in each manifest, and each write to it until the guest ran. */
static void judge_reg(struct config *c, const char *id, struct reg r)
{
	struct grounds f = { 0 };
	uint32_t v;
	int i, len;

	r.bdf = bdf_number(c->d->bdf);
	f.event = r.len ? find_event(c->j, c->vm->run_tsc, reg_written, &r) : NULL;
	len = snprintf(f.text, sizeof(f.text), "register %#x, bits %#x:", r.pos, r.mask);
	for (i = 0; i < NR_MAN; i++) {
		if (!c->cfg[i] || !r.len) {
			f.unknown = true;
			len += snprintf(f.text + len, sizeof(f.text) - len, " ?");
			continue;
		}
		v = cfg_get(c->cfg[i], r.pos, r.len) & r.mask;
		f.bad |= v != (r.want & r.mask);
		len += snprintf(f.text + len, sizeof(f.text) - len, " %#x", v);
	}
	snprintf(f.text + len, sizeof(f.text) - len, ", must be %#x", r.want & r.mask);
	conclude(c->j, id, c->d->bdf, &f);
}

static void judge_bars(struct config *c)
{
	struct reg r = { .bdf = bdf_number(c->d->bdf), .pos = CFG_BAR,
			 .len = CFG_BAR_END - CFG_BAR, .any = true };
	struct grounds f = { .event = find_event(c->j, c->vm->run_tsc, reg_written, &r) };
	int i;

	copy_str(f.text, sizeof(f.text), "as planned, in every manifest");
	for (i = 0; i < NR_MAN; i++) {
		if (!c->cfg[i]) {
			f.unknown = true;
			copy_str(f.text, sizeof(f.text), "missing in a manifest");
		} else if (memcmp(c->cfg[i] + CFG_BAR, c->d->bar, sizeof(c->d->bar))) {
			f.bad = true;
			path_fmt(f.text, sizeof(f.text), "another one %s than planned",
				 i == MAN_OLD ? "at the pause" : i == MAN_NEW ? "before the resume" : "now");
		}
	}
	conclude(c->j, "bars", c->d->bdf, &f);
}

/* A write that docs/config-writes.md lists. */
static bool is_listed(const struct config *c, const struct kh_event *ev)
{
	const uint16_t command = c->d->command;

	if (ev->arg[0] == CFG_COMMAND && ev->arg[1] == 2 && (ev->arg[2] & ~0x400ULL) == (command & ~0x400U))
		return true;
	return c->d->msix_pos && ev->arg[0] == c->d->msix_pos + 2U && ev->arg[1] == 2 &&
	       !(c->d->msix_ctrl & MSIX_ENABLE);
}

static bool not_listed(const struct kh_event *ev, const void *arg)
{
	const struct config *c = arg;

	return ev->type == KH_EV_PCI_CFG_WRITE && ev->bdf == bdf_number(c->d->bdf) &&
	       !is_listed(c, ev);
}

static void judge_writes(struct config *c)
{
	struct grounds f = { .event = find_event(c->j, c->vm->run_tsc, not_listed, c) };

	copy_str(f.text, sizeof(f.text), "only those of docs/config-writes.md");
	conclude(c->j, "config-writes", c->d->bdf, &f);
}

static bool is_reset(const struct kh_event *ev, const void *arg)
{
	uint32_t bdf = *(const uint32_t *)arg, bus = bdf >> 8 & 0xff;

	if (ev->type != KH_EV_PCI_RESET)
		return false;
	if (ev->arg[0] == KH_RESET_BUS)
		return ev->bdf >> 16 == bdf >> 16 && bus >= ev->arg[1] && bus <= ev->arg[2];
	return ev->bdf == bdf;
}

/* A reset of any kind clears bus master, decode, BARs and MSI-X enable. */
static void judge_reset(struct config *c)
{
	const uint32_t bdf = bdf_number(c->d->bdf);
	struct grounds f = { .event = find_event(c->j, 0, is_reset, &bdf) };
	const struct evidence *ev = c->j->ev;
	const struct kram_device *k = ev->handover ? kram_handover_find(ev->handover, c->d->bdf) : NULL;
	const uint16_t cmd = CMD_MASTER | 2;
	unsigned int exp = c->cfg[MAN_OLD] ? find_cap(c->cfg[MAN_OLD], CAP_EXP) : 0;
	struct reg flr = { .bdf = bdf, .pos = exp + 8, .len = 2, .mask = EXP_FLR };
	char line[160] = "";
	int resets;

	if (!f.event && exp)
		f.event = find_event(c->j, 0, reg_written, &flr);
	resets = ev->klog ? klog_find(ev->klog, klog_reset, c->d->bdf, line, sizeof(line)) : 0;
	if (resets) {
		f.bad = true;
		path_fmt(f.text, sizeof(f.text), "in the log: %s", line);
	} else if (ev->handover && (!k || (k->command & cmd) != (c->d->command & cmd) ||
				    !(k->msix_ctrl & MSIX_ENABLE) != !(c->d->msix_ctrl & MSIX_ENABLE))) {
		f.bad = true;
		path_fmt(f.text, sizeof(f.text), k ? "sealed with command %#x, MSI-X control %#x" :
			 "it is not in the handover", k ? k->command : 0, k ? k->msix_ctrl : 0);
	} else if (!ev->handover || !ev->klog || ev->host->klog_error) {
		f.unknown = true;
		copy_str(f.text, sizeof(f.text), ev->handover ? "the kernel log is not whole" :
			 ev->handover_error);
	} else {
		copy_str(f.text, sizeof(f.text), "none in the log, sealed as it was");
	}
	conclude(c->j, "no-reset", c->d->bdf, &f);
}

void judge_config(struct judge *j, const struct kh_plan_vm *vm, unsigned int index,
		  const struct kh_plan_dev *d)
{
	struct config c = { .j = j, .vm = vm, .d = d, .index = index };
	struct reg msix = { .pos = d->msix_pos + 2U, .len = d->msix_pos ? 2 : 0,
			    .mask = MSIX_ENABLE, .want = d->msix_ctrl };
	struct reg power = { .mask = PM_STATE };
	int i;

	for (i = 0; i < NR_MAN; i++) {
		const struct man *m = &j->ev->man[i];

		if (m->h && index < m->h->nr_devs && !strcmp(m->dev[index].rec.bdf, d->bdf))
			c.cfg[i] = m->dev[index].cfg;
	}
	if (c.cfg[MAN_OLD] && find_cap(c.cfg[MAN_OLD], CAP_PM)) {
		power.pos = find_cap(c.cfg[MAN_OLD], CAP_PM) + 4;
		power.len = 2;
	}
	judge_reset(&c);
	judge_reg(&c, "bus-master", (struct reg){ .pos = CFG_COMMAND, .len = 2,
						  .mask = CMD_MASTER, .want = CMD_MASTER });
	judge_reg(&c, "decode", (struct reg){ .pos = CFG_COMMAND, .len = 2, .mask = CMD_DECODE,
					      .want = d->command });
	judge_reg(&c, "msix-enable", msix);
	judge_reg(&c, "power-state", power);
	judge_bars(&c);
	judge_writes(&c);
}
