// SPDX-License-Identifier: GPL-2.0
/* The host as a whole for the survey: CPU, command line, the DMAR table, interrupt remapping. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/util.h"
#include "preflight/survey_parts.h"

#define TABLES		"sys/firmware/acpi/tables"
#define TABLE_MAX	(1 << 20)

/* Parameters that the survey looks at. The others stay out of a copy: a command line may hold names and secrets. */
static const char * const params[] = { "intel_iommu", "iommu", "intremap", "nointremap", "memmap" };

static size_t word_len(const char *p)
{
	return strcspn(p, " \t\n");
}

/* Is @p the parameter @name, dash and underscore being the same? Return: its value, "" without one, or NULL. */
static const char *value_of(const char *p, size_t len, const char *name)
{
	size_t n = strlen(name), i;

	if (len < n || (len > n && p[n] != '='))
		return NULL;
	for (i = 0; i < n; i++)
		if (p[i] != name[i] && !(p[i] == '-' && name[i] == '_'))
			return NULL;
	return len > n ? p + n + 1 : p + n;
}

static void read_cmdline(struct survey *s)
{
	char text[CMDLINE_MAX * 2], *out = s->cmdline, *end = s->cmdline + sizeof(s->cmdline);
	const char *p;
	unsigned int i;
	size_t len;

	if (survey_read(&s->src, "proc/cmdline", text, sizeof(text)) < 0)
		return;
	for (p = text; *p; p += len) {
		p += strspn(p, " \t\n");
		len = word_len(p);
		if (len == 2 && !strncmp(p, "--", 2))
			break;	/* the rest is for init */
		for (i = 0; i < ARRAY_SIZE(params) && !value_of(p, len, params[i]); i++)
			;
		if (len && i < ARRAY_SIZE(params) && out + len + 2 < end)
			out += snprintf(out, end - out, "%s%.*s", out == s->cmdline ? "" : " ", (int)len, p);
	}
	archive_file(s->src.archive, "proc/cmdline", s->cmdline, strlen(s->cmdline));
}

bool survey_cmdline_has(const struct survey *s, const char *name, const char *word)
{
	const char *p, *v;
	size_t len, n = strlen(word);

	for (p = s->cmdline; *p; p += len, p += strspn(p, " ")) {
		len = word_len(p);
		for (v = value_of(p, len, name); v && v < p + len; v += strcspn(v, ",") + 1)
			if (!strncmp(v, word, n) && strchr(", ", v[n]))
				return true;
	}
	return false;
}

/* Value of a line of /proc/cpuinfo, without blanks in front. */
static const char *cpu_field(const char *text, const char *name)
{
	const char *p;

	for (p = text; p; p = strchr(p, '\n'), p = p ? p + 1 : NULL)
		if (has_prefix(p, name) && strchr("\t :", p[strlen(name)])) {
			p += strcspn(p, ":\n");
			return *p == ':' ? p + 1 + strspn(p + 1, " ") : NULL;
		}
	return NULL;
}

static bool has_flag(const char *flags, const char *flag)
{
	size_t n = strlen(flag), len;

	for (; flags && *flags && *flags != '\n'; flags += len, flags += strspn(flags, " ")) {
		len = strcspn(flags, " \n");
		if (len == n && !strncmp(flags, flag, n))
			return true;
	}
	return false;
}

/* The first CPU is enough; its part of the file is far below what is read. */
static void read_cpu(struct survey *s)
{
	char text[16384], copy[128];
	const char *vendor, *flags;

	if (survey_read(&s->src, "proc/cpuinfo", text, sizeof(text)) < 0)
		return;
	vendor = cpu_field(text, "vendor_id");
	flags = cpu_field(text, "flags");
	if (vendor)
		path_fmt(s->vendor, sizeof(s->vendor), "%.*s", (int)word_len(vendor), vendor);
	s->virtual = has_flag(flags, "hypervisor");
	s->kvm = has_flag(flags, "vmx") || has_flag(flags, "svm");
	path_fmt(copy, sizeof(copy), "vendor_id\t: %s\nflags\t\t: %s%s\n", s->vendor, s->virtual ? "hypervisor " : "",
		 s->kvm ? has_flag(flags, "vmx") ? "vmx" : "svm" : "");
	archive_file(s->src.archive, "proc/cpuinfo", copy, strlen(copy));
}

/* Chips of interrupts that are remapped are named IR-... */
static void read_interrupts(struct survey *s)
{
	static const char yes[] = "0: 0 IR-\n", no[] = "0: 0\n";
	char *text = malloc(TABLE_MAX);

	s->remapping = SURVEY_NOT_KNOWN;
	if (text && survey_read(&s->src, "proc/interrupts", text, TABLE_MAX) >= 0) {
		s->remapping = strstr(text, " IR-") ? SURVEY_TRUE : SURVEY_FALSE;
		archive_file(s->src.archive, "proc/interrupts", s->remapping == SURVEY_TRUE ? yes : no,
			     strlen(s->remapping == SURVEY_TRUE ? yes : no));
	}
	free(text);
}

static int read_dmar(struct survey *s)
{
	char *table = malloc(TABLE_MAX);
	struct kh_err e = { 0 };
	ssize_t n;
	int rc = 0;

	if (!table)
		return -ENOMEM;
	n = survey_read(&s->src, TABLES "/DMAR", table, TABLE_MAX);
	if (n >= 0) {
		archive_file(s->src.archive, TABLES "/DMAR", table, n);
		rc = dmar_parse(table, n, &s->dmar, &e);
		s->have_dmar = !rc;
		copy_str(s->dmar_error, sizeof(s->dmar_error), e.msg);
	} else if (n != -ENOENT && n != -ENOTDIR) {
		path_fmt(s->dmar_error, sizeof(s->dmar_error), "/" TABLES "/DMAR: %s", strerror(-n));
	}
	free(table);
	/* Of the AMD table only its presence counts. */
	s->ivrs = survey_has(&s->src, TABLES "/IVRS");
	if (s->ivrs)
		archive_file(s->src.archive, TABLES "/IVRS", "", 0);
	return rc == -ENOMEM ? rc : 0;
}

int survey_host(struct survey *s)
{
	ssize_t n;

	n = survey_read(&s->src, "proc/sys/kernel/osrelease", s->kernel, sizeof(s->kernel));
	if (n >= 0)
		archive_file(s->src.archive, "proc/sys/kernel/osrelease", s->kernel, n);
	s->kernel[strcspn(s->kernel, "\n")] = '\0';
	s->kram = survey_has(&s->src, "sys/kernel/kram");
	if (s->kram)
		archive_folder(s->src.archive, "sys/kernel/kram");
	read_cmdline(s);
	read_cpu(s);
	read_interrupts(s);
	return read_dmar(s);
}
