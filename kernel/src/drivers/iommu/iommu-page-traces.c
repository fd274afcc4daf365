// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tracepoints of the pages of IOMMU tables. What allocates them is inline and
 * in a header of its own, so it calls these.
 */
#define CREATE_TRACE_POINTS
#include <trace/events/iommu_page.h>

#include "iommu-pages.h"

EXPORT_TRACEPOINT_SYMBOL_GPL(iommu_page_alloc);
EXPORT_TRACEPOINT_SYMBOL_GPL(iommu_page_free);

void __iommu_trace_page_alloc(void *virt, int order, enum kram_owner owner,
			      bool kram, unsigned long ip)
{
	trace_iommu_page_alloc(virt_to_phys(virt), order, owner, kram, ip);
}
EXPORT_SYMBOL_GPL(__iommu_trace_page_alloc);

void __iommu_trace_page_free(void *virt, int order, bool kram,
			     unsigned long ip)
{
	trace_iommu_page_free(virt_to_phys(virt), order, KRAM_OWNER_FREE,
			      kram, ip);
}
EXPORT_SYMBOL_GPL(__iommu_trace_page_free);
