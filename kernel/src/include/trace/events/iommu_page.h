/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages of IOMMU tables: where they come from, and when they go back.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM iommu_page

#if !defined(_TRACE_IOMMU_PAGE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_IOMMU_PAGE_H

#include <linux/tracepoint.h>

DECLARE_TRACE(iommu_page_alloc,
	      TP_PROTO(phys_addr_t phys, unsigned int order, unsigned int owner,
		       bool kram, unsigned long ip),
	      TP_ARGS(phys, order, owner, kram, ip));

DECLARE_TRACE(iommu_page_free,
	      TP_PROTO(phys_addr_t phys, unsigned int order, unsigned int owner,
		       bool kram, unsigned long ip),
	      TP_ARGS(phys, order, owner, kram, ip));

#endif /* _TRACE_IOMMU_PAGE_H */

/* This part must be outside protection */
#include <trace/define_trace.h>
