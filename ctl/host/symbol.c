// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/util.h"
#include "host/symbol.h"

struct symbol {
	uint64_t addr;
	char name[56];
};

static struct symbol *symbols;
static size_t nr_symbols;

static int by_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

int symbol_load(void)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	unsigned long long addr;
	struct symbol *more;
	char type, name[256];
	size_t room = 0;

	if (!f)
		return -errno;
	while (fscanf(f, "%llx %c %255s%*[^\n]", &addr, &type, name) == 3) {
		if ((type | 0x20) != 't' || !addr)
			continue;
		if (nr_symbols == room) {
			room = room ? room * 2 : 65536;
			more = realloc(symbols, room * sizeof(*symbols));
			if (!more)
				break;
			symbols = more;
		}
		symbols[nr_symbols].addr = addr;
		copy_str(symbols[nr_symbols++].name, sizeof(symbols->name), name);
	}
	fclose(f);
	if (nr_symbols)
		qsort(symbols, nr_symbols, sizeof(*symbols), by_address);
	return nr_symbols ? 0 : -EPERM;
}

const char *symbol_text(uint64_t addr, char *buf, size_t size)
{
	size_t lo = 0, hi = nr_symbols, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (symbols[mid].addr <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!lo)
		snprintf(buf, size, "%#llx", (unsigned long long)addr);
	else
		snprintf(buf, size, "%s+%#llx", symbols[lo - 1].name,
			 (unsigned long long)(addr - symbols[lo - 1].addr));
	return buf;
}
