/* SPDX-License-Identifier: GPL-2.0 */
/* SIGINT and SIGTERM as something that every wait can see. */
#ifndef KHCTL_INTR_H
#define KHCTL_INTR_H

#include <stdbool.h>

/** intr_init() - from now on the signals end no process. Return: fd that becomes readable, -errno. */
int intr_init(void);

/** intr_pending() - one came */
bool intr_pending(void);

#endif
