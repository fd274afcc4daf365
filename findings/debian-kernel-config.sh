#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Debian's kernels: scalable mode is the default of the Intel IOMMU, and kexec handover is switched off.
#
# Versions: linux-config-6.12 6.12.117 (Debian trixie), linux-config-7.2 7.2.13 (sid), all amd64 flavours.
# With these kernels intel_iommu=on alone gives scalable mode on hardware that has it; legacy mode needs
# intel_iommu=on,sm_off. IOMMUFD is off, and so is KEXEC_HANDOVER in 7.2: neither KHO nor the live update orchestrator
# is there, although mainline has both.
# Why it matters: an adopted table needs legacy mode, and a host that runs a Debian kernel has no other handover.
. "$(dirname "$0")/lib.sh"

option() {
	for config in "$root"/usr/src/linux-config-*/config.amd64_*.xz; do
		xz -dc "$config" | grep -E "^(# )?CONFIG_$1[= ]" || echo "no CONFIG_$1"
	done | sort -u | paste -sd '|'
}

suites trixie
get linux-config-6.12=6.12.117-1
same "6.12" "$(option INTEL_IOMMU_SCALABLE_MODE_DEFAULT_ON)" "CONFIG_INTEL_IOMMU_SCALABLE_MODE_DEFAULT_ON=y"
same "6.12" "$(option IOMMUFD)" "# CONFIG_IOMMUFD is not set"

fresh
suites sid
get linux-config-7.2=7.2.13-1
same "7.2" "$(option INTEL_IOMMU_SCALABLE_MODE_DEFAULT_ON)" "CONFIG_INTEL_IOMMU_SCALABLE_MODE_DEFAULT_ON=y"
same "7.2" "$(option KEXEC_HANDOVER)" "# CONFIG_KEXEC_HANDOVER is not set"
verdict
