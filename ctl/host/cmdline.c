// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/util.h"
#include "host/cmdline.h"
#include "host/late.h"

const char *cmdline_next(const char *p, size_t *len)
{
	bool quoted = false;
	const char *q;

	while (isspace((unsigned char)*p))
		p++;
	if (!*p)
		return NULL;
	for (q = p; *q && (quoted || !isspace((unsigned char)*q)); q++)
		if (*q == '"')
			quoted = !quoted;
	*len = q - p;
	return p;
}

const char *cmdline_value(const char *p, size_t len, const char *name, size_t *vlen)
{
	size_t n = strlen(name), i;

	if (len < n || (len > n && p[n] != '='))
		return NULL;
	for (i = 0; i < n; i++)
		if (p[i] != name[i] && !(p[i] == '-' && name[i] == '_') &&
		    !(p[i] == '_' && name[i] == '-'))
			return NULL;
	*vlen = len > n ? len - n - 1 : 0;
	return len > n ? p + n + 1 : p + n;
}

bool cmdline_get(const char *cmdline, const char *name, char *val, size_t size)
{
	const char *p, *v;
	size_t len, vlen;
	bool found = false;

	for (p = cmdline; (p = cmdline_next(p, &len)); p += len) {
		if (len == 2 && !strncmp(p, "--", 2))
			break;	/* the rest is for init */
		v = cmdline_value(p, len, name, &vlen);
		if (!v)
			continue;
		found = true;
		if (vlen >= size)
			vlen = size - 1;
		memcpy(val, v, vlen);
		val[vlen] = '\0';
	}
	return found;
}

/* As memparse() of the kernel. */
static int parse_size(const char **s, uint64_t *val)
{
	char *end;
	int shift = 0;

	if (!isdigit((unsigned char)**s))
		return -EINVAL;
	errno = 0;
	*val = strtoull(*s, &end, 0);
	switch (toupper((unsigned char)*end)) {
	case 'P': shift += 10; /* fall through */
	case 'T': shift += 10; /* fall through */
	case 'G': shift += 10; /* fall through */
	case 'M': shift += 10; /* fall through */
	case 'K': shift += 10; end++;
	}
	if (errno || *val << shift >> shift != *val)
		return -EINVAL;
	*val <<= shift;
	*s = end;
	return 0;
}

int cmdline_parse_memmap(const char *s, struct mem_range *r)
{
	if (parse_size(&s, &r->size) || !*s || !strchr(":!@#$%", *s))
		return -EINVAL;
	r->type = *s++;
	if (parse_size(&s, &r->start))
		return -EINVAL;
	/* memmap=size%start-old+new */
	return *s && r->type != '%' ? -EINVAL : 0;
}

static bool overlap(const struct mem_range *a, const struct mem_range *b)
{
	return a->start < b->start + b->size && b->start < a->start + a->size;
}

/* One element of memmap= against what is reserved now. */
static int check_memmap(const char *elem, const struct cmdline_wish *wish, char *why, size_t size)
{
	const struct mem_range *have;
	struct mem_range r;
	bool same = false;
	unsigned int i;

	if (!strcmp(elem, "exactmap")) {
		path_fmt(why, size, "memmap=exactmap throws the reservations away");
		return -EINVAL;
	}
	if (cmdline_parse_memmap(elem, &r)) {
		path_fmt(why, size, "memmap=%s is not understood", elem);
		return -EINVAL;
	}
	for (i = 0; i < wish->nr_ranges; i++) {
		have = &wish->range[i];
		if (r.type == have->type && r.start == have->start && r.size == have->size) {
			same = true;
			continue;
		}
		if (!overlap(&r, have))
			continue;
		snprintf(why, size, "memmap=%s contradicts the reservation %#llx%c%#llx", elem,
			 (unsigned long long)have->size, have->type,
			 (unsigned long long)have->start);
		return -EINVAL;
	}
	/*
	 * Another region of persistent memory changes the numbers of those behind it, and the devdax devices
	 * of the guests with them. More RAM may lie over a device.
	 */
	if (!same && strchr(":!@", r.type)) {
		path_fmt(why, size, "memmap=%s asks for memory that is not there now", elem);
		return -EINVAL;
	}
	return 0;
}

static int check_memmaps(const char *cmdline, const struct cmdline_wish *wish,
			 char *why, size_t size)
{
	char buf[256], *elem, *save;
	const char *p, *v;
	size_t len, vlen;

	for (p = cmdline; (p = cmdline_next(p, &len)); p += len) {
		v = cmdline_value(p, len, "memmap", &vlen);
		if (!v)
			continue;
		if (vlen >= sizeof(buf)) {
			path_fmt(why, size, "a memmap= parameter is too long");
			return -EINVAL;
		}
		memcpy(buf, v, vlen);
		buf[vlen] = '\0';
		for (elem = strtok_r(buf, ",", &save); elem; elem = strtok_r(NULL, ",", &save))
			if (check_memmap(elem, wish, why, size))
				return -EINVAL;
	}
	return 0;
}

static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);
	const char *p;

	for (p = list; p; p = strchr(p, ','), p = p ? p + 1 : NULL)
		if (!strncmp(p, word, n) && (!p[n] || p[n] == ','))
			return true;
	return false;
}

/* What each parameter must not say. The kernel reads all of them, not only the last. */
static const struct {
	const char *name;
	const char *word;
} forbidden[] = {
	{ "kram", "noadopt" },
	{ "iommu", "off" },
	{ "intel_iommu", "off" },
	{ "intremap", "off" },
	{ "pci", "off" },
	{ "pci", "assign-busses" },
};

static const char * const forbidden_alone[] = { "noapic", "nolapic", "nointremap", "acpi=off" };

static int check_forbidden(const char *p, size_t len, char *why, size_t size)
{
	char val[512];
	size_t i, vlen;
	const char *v;

	for (i = 0; i < ARRAY_SIZE(forbidden); i++) {
		v = cmdline_value(p, len, forbidden[i].name, &vlen);
		if (!v || vlen >= sizeof(val))
			continue;
		memcpy(val, v, vlen);
		val[vlen] = '\0';
		if (!has_word(val, forbidden[i].word))
			continue;
		path_fmt(why, size, "it says %s=%s", forbidden[i].name, forbidden[i].word);
		return -EINVAL;
	}
	for (i = 0; i < ARRAY_SIZE(forbidden_alone); i++) {
		if (strlen(forbidden_alone[i]) != len || strncmp(p, forbidden_alone[i], len))
			continue;
		path_fmt(why, size, "it says %s", forbidden_alone[i]);
		return -EINVAL;
	}
	return 0;
}

int cmdline_check(const char *cmdline, const struct cmdline_wish *wish, char *why, size_t size)
{
	char val[256];
	const char *p;
	size_t len;

	if (strlen(cmdline) >= CMDLINE_MAX) {
		path_fmt(why, size, "it has %zu bytes, the kernel takes %d", strlen(cmdline),
			 CMDLINE_MAX - 1);
		return -EINVAL;
	}
	for (p = cmdline; (p = cmdline_next(p, &len)); p += len)
		if (check_forbidden(p, len, why, size))
			return -EINVAL;
	if (wish->iommu_by_option && (!cmdline_get(cmdline, "intel_iommu", val, sizeof(val)) ||
				      !has_word(val, "on"))) {
		path_fmt(why, size, "it lacks intel_iommu=on, which the running kernel has");
		return -EINVAL;
	}
	return check_memmaps(cmdline, wish, why, size);
}

static bool is_param(const char *p, size_t len, const char *param)
{
	return len == strlen(param) && !strncmp(p, param, len);
}

/* Did khctl put this parameter of @cmdline there, for this upgrade or an earlier one? */
static bool is_ours(const char *p, size_t len, const char *cmdline, uint64_t tsc_khz)
{
	char val[16];
	size_t vlen;

	if (cmdline_value(p, len, CMDLINE_STATE, &vlen) || cmdline_value(p, len, LATE_CPUS, &vlen) ||
	    cmdline_value(p, len, LATE_CONSOLE, &vlen))
		return true;
	if (tsc_khz && cmdline_value(p, len, CMDLINE_TSC, &vlen))
		return true;
	if (is_param(p, len, LATE_QUIET))
		return cmdline_get(cmdline, LATE_CONSOLE, val, sizeof(val));
	return cmdline_get(cmdline, LATE_CPUS, val, sizeof(val)) &&
	       (cmdline_value(p, len, LATE_MAXCPUS, &vlen) || cmdline_value(p, len, LATE_INITCALLS, &vlen) ||
		cmdline_value(p, len, LATE_NO_UP, &vlen) || cmdline_value(p, len, LATE_NO_CHECK, &vlen) ||
		is_param(p, len, LATE_DENTRIES) || is_param(p, len, LATE_INODES) ||
		is_param(p, len, LATE_UDP));
}

/* Is @p of late_params() something that the host can do without, and has @base its own idea of it? */
static bool can_be_left_out(const char *p, size_t len, const char *base, bool *own)
{
	static const char * const console[] = { "loglevel", "quiet", "debug", "ignore_loglevel" };
	static const char * const table[] = { "dhash_entries", "ihash_entries", "uhash_entries" };
	char val[8];
	size_t i, vlen;

	*own = false;
	if (is_param(p, len, LATE_QUIET) || cmdline_value(p, len, LATE_CONSOLE, &vlen)) {
		for (i = 0; i < ARRAY_SIZE(console); i++)
			*own |= cmdline_get(base, console[i], val, sizeof(val));
		return true;
	}
	for (i = 0; i < ARRAY_SIZE(table); i++)
		if (cmdline_value(p, len, table[i], &vlen)) {
			*own = cmdline_get(base, table[i], val, sizeof(val));
			return true;
		}
	return false;
}

/* @late, but for what the host decides for itself and for what would not fit. Return: 0 or -E2BIG. */
static int add_late(char *out, size_t size, const char *late, const char *base)
{
	size_t len, used = 0;
	const char *p;
	bool own;

	for (p = late; (p = cmdline_next(p, &len)); p += len) {
		if (can_be_left_out(p, len, base, &own) && (own || used + len + 2 > size))
			continue;
		if (used + len + 2 > size)
			return -E2BIG;
		out[used++] = ' ';
		memcpy(out + used, p, len);
		used += len;
	}
	out[used] = '\0';
	return 0;
}

int cmdline_build(char *out, size_t size, const char *cmdline, uint64_t resource,
		  uint64_t tsc_khz, const char *late)
{
	char base[CMDLINE_MAX], tsc[48] = "", own[8];
	const char *p, *init = NULL;
	size_t len, tail, used = 0;
	int n;

	if (!cmdline_get(cmdline, LATE_CPUS, own, sizeof(own)) &&
	    cmdline_get(cmdline, LATE_MAXCPUS, own, sizeof(own)))
		late = "";

	for (p = cmdline; (p = cmdline_next(p, &len)); p += len) {
		if (len == 2 && !strncmp(p, "--", 2)) {
			init = p;
			break;
		}
		if (is_ours(p, len, cmdline, tsc_khz))
			continue;
		if (used + len + 2 > sizeof(base))
			return -E2BIG;
		memcpy(base + used, p, len);
		used += len;
		base[used++] = ' ';
	}
	base[used] = '\0';
	if (tsc_khz)
		path_fmt(tsc, sizeof(tsc), " " CMDLINE_TSC "=%llu", (unsigned long long)tsc_khz);
	if (size > CMDLINE_MAX)
		size = CMDLINE_MAX;
	tail = init ? strlen(init) + 1 : 0;
	n = snprintf(out, size, "%s" CMDLINE_STATE "=%#llx%s", base, (unsigned long long)resource, tsc);
	if (n < 0 || n + tail >= size || add_late(out + n, size - n - tail, late, base))
		return -E2BIG;
	if (init) {
		used = strlen(out);
		out[used++] = ' ';
		memcpy(out + used, init, tail);
	}
	return 0;
}

int cmdline_state_address(uint64_t *resource)
{
	char buf[CMDLINE_MAX + 1], val[32];
	ssize_t n;

	n = read_text("/proc/cmdline", buf, sizeof(buf));
	if (n < 0 || !cmdline_get(buf, CMDLINE_STATE, val, sizeof(val)) ||
	    parse_u64(val, resource))
		return -ENOENT;
	return 0;
}
