/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Writes to configuration space that reach the hardware.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM pci_config

#if !defined(_TRACE_PCI_CONFIG_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_PCI_CONFIG_H

#include <linux/tracepoint.h>

/* @devid: as PCI_DEVID() makes it */
DECLARE_TRACE(pci_cfg_write,
	      TP_PROTO(unsigned int segment, u16 devid, int offset, int bytes,
		       u32 value),
	      TP_ARGS(segment, devid, offset, bytes, value));

#endif /* _TRACE_PCI_CONFIG_H */

/* This part must be outside protection */
#include <trace/define_trace.h>
