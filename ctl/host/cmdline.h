/* SPDX-License-Identifier: GPL-2.0 */
/* The command line of a kernel, and what one for an upgrade must and must not say. */
#ifndef KHCTL_CMDLINE_H
#define KHCTL_CMDLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CMDLINE_MAX	2048	/* COMMAND_LINE_SIZE of x86, with its zero byte */

/** The parameter by which the next khctl finds the state area: no guest can forge it. */
#define CMDLINE_STATE	"khctl.state"

struct mem_range {
	uint64_t start;
	uint64_t size;
	char type;		/* ':' KRAM, '!' PRAM, as in memmap= */
};

/**
 * struct cmdline_wish - what the running kernel has and the next must keep
 * @range: its reservations
 * @nr_ranges: how many
 * @iommu_by_option: the IOMMU is on because the command line says so
 */
struct cmdline_wish {
	const struct mem_range *range;
	unsigned int nr_ranges;
	bool iommu_by_option;
};

/**
 * cmdline_next() - the next parameter, quotes as the kernel understands them
 * @len: of the parameter
 *
 * Return: NULL at the end.
 */
const char *cmdline_next(const char *p, size_t *len);

/**
 * cmdline_value() - value of the parameter at @p when its name is @name
 *
 * A dash and an underscore are the same in a name.
 *
 * Return: NULL for another name; an empty value for a parameter without one.
 */
const char *cmdline_value(const char *p, size_t len, const char *name, size_t *vlen);

/**
 * cmdline_get() - value of the last parameter of that name
 * @val: "" for a parameter without value
 *
 * Return: true when it is there.
 */
bool cmdline_get(const char *cmdline, const char *name, char *val, size_t size);

/**
 * cmdline_check() - can a kernel with this command line take over
 * @why: what speaks against it
 *
 * Return: 0 or -EINVAL.
 */
int cmdline_check(const char *cmdline, const struct cmdline_wish *wish, char *why, size_t size);

/**
 * The frequency of the TSC in kHz: the next kernel need not measure what this one
 * knows, and it would have to do so while the guests stand.
 */
#define CMDLINE_TSC	"tsc_early_khz"

/**
 * cmdline_build() - what khctl adds
 * @cmdline: what was asked for
 * @resource: physical address of the state area
 * @tsc_khz: frequency of the TSC, 0: not known
 * @late: late_params(), or ""
 *
 * What an earlier upgrade added is left out. A maxcpus= that no khctl.cpus= came
 * with is the host's own: it stays, and the CPUs are left to it. So do dhash_entries=,
 * ihash_entries=, uhash_entries= and what the command line says of the console (loglevel=,
 * quiet, debug, ignore_loglevel). Of @late, these are also left out if there is no room for them.
 *
 * Return: 0 or -E2BIG.
 */
int cmdline_build(char *out, size_t size, const char *cmdline, uint64_t resource,
		  uint64_t tsc_khz, const char *late);

/** cmdline_state_address() - khctl.state= of the running kernel. Return: 0 or -ENOENT. */
int cmdline_state_address(uint64_t *resource);

/** cmdline_parse_memmap() - one element of memmap=. Return: 0, or -EINVAL for another form. */
int cmdline_parse_memmap(const char *s, struct mem_range *r);

#endif
