/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _LINUX_INITCALL_DEFER_H
#define _LINUX_INITCALL_DEFER_H

#include <linux/init.h>
#include <linux/types.h>

/*
 * What runs initcalls: when the kernel runs already its static calls and jump
 * labels are kept up to date only if it does not lie in init memory.
 */
#ifdef CONFIG_INITCALL_DEFER
#define __init_or_deferred	__ref
#else
#define __init_or_deferred	__init_or_module
#endif

/* init/initcall_defer.c tells what each of them is for. */
#ifdef CONFIG_INITCALL_DEFER
bool initcall_defer_asked(const char *name);
void initcall_defer_resolve(void);
bool initcall_deferred(initcall_t fn);
bool initcalls_pending(void);
void initcall_defer_arm(void);
#else
static inline bool initcall_defer_asked(const char *name) { return false; }
static inline void initcall_defer_resolve(void) { }
static inline bool initcall_deferred(initcall_t fn) { return false; }
static inline bool initcalls_pending(void) { return false; }
static inline void initcall_defer_arm(void) { }
#endif

/* init/main.c: give init memory back and write-protect the rest. */
void finish_initmem(void);

#endif /* _LINUX_INITCALL_DEFER_H */
