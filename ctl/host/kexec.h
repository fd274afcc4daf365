/* SPDX-License-Identifier: GPL-2.0 */
/* kexec_file_load(2) and the jump. */
#ifndef KHCTL_KEXEC_H
#define KHCTL_KEXEC_H

#include <stdbool.h>
#include "base/err.h"

/** kexec_load() - @initrd: NULL for none. Return: 0 or -errno with a message. */
int kexec_load(const char *kernel, const char *initrd, const char *cmdline, struct kh_err *e);

/** kexec_unload() - Return: 0 or -errno. */
int kexec_unload(void);

/** kexec_jump() - start the loaded kernel. Return: -errno, if at all. */
int kexec_jump(void);

bool kexec_loaded(void);

#endif
