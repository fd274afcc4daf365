/* SPDX-License-Identifier: GPL-2.0 */
/* Names of addresses in the running kernel. */
#ifndef KHCTL_SYMBOL_H
#define KHCTL_SYMBOL_H

#include <stddef.h>
#include <stdint.h>

/** symbol_load() - read /proc/kallsyms, which takes its time. Return: 0 or -errno. */
int symbol_load(void);

/** symbol_text() - "name+0x1c" after symbol_load(), else the number. Return: @buf. */
const char *symbol_text(uint64_t addr, char *buf, size_t size);

#endif
