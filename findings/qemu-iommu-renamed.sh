#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# QEMU 11.1 does not know properties of intel-iommu that 10.0 has, whatever the machine type.
#
# Versions: QEMU 10.0.13 (Debian trixie) and 11.1.3 (sid).
# A versioned machine type keeps the guest's view of a machine over QEMU versions. It does not keep names of
# properties: with -machine pc-q35-10.0 QEMU 11.1 refuses x-scalable-mode, which is scalable-mode now.
# Why it matters: an upgrade that also replaces QEMU starts the VM with the old arguments.
. "$(dirname "$0")/lib.sh"

look() {
	python3 - <<'END'
from qemu import starts
for name in ("x-scalable-mode", "scalable-mode"):
    print(starts("-machine", "pc-q35-10.0", "-device", f"intel-iommu,{name}=on"))
END
}
names() { run qemu-system-x86_64 -device intel-iommu,help | sed -n 's/^ *\([a-z-]*\)=.*/\1/p' | sort; }

suites trixie
get_all qemu-system-x86=1:10.0.13+ds-0+deb13u1
mapfile -t found < <(look)
same "10.0, x-scalable-mode" "${found[0]}" "None"
same "10.0, scalable-mode" "${found[1]##*: }" "Property 'intel-iommu.scalable-mode' not found"
names > "$tmp/old"

fresh
suites sid
get_all qemu-system-x86=1:11.1.3+ds-1
mapfile -t found < <(look)
same "11.1, x-scalable-mode" "${found[0]##*: }" "Property 'intel-iommu.x-scalable-mode' not found"
same "11.1, scalable-mode" "${found[1]}" "None"
names > "$tmp/new"
same "only in 10.0" "$(comm -23 "$tmp/old" "$tmp/new" | paste -sd ' ')" \
	"dma-drain pt x-buggy-eim x-flts x-pasid-mode x-scalable-mode"
same "only in 11.1" "$(comm -13 "$tmp/old" "$tmp/new" | paste -sd ' ')" "fsts pasid-bits scalable-mode svm"
verdict
