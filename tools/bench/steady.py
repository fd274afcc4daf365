# SPDX-License-Identifier: GPL-2.0
"""What the feature costs while nothing happens: VFIO's mapping, and KRAM's memory."""
import os
import re

from lab import NIC, Lab
from runs import START, BenchError

TOTAL_GIB = 2
PAGES = (("4 KiB", 4096), ("2 MiB", 2 << 20))


def measure(kernel, folder):
    """{page size: (map, unmap)} in virtual ns."""
    memmap = {"g1": None, "g2": None, "state": None, "kram": f"64M:{START:#x}" if kernel != "stock" else None}
    with Lab(os.path.join(folder, "runs", "steady-" + kernel), kernel=kernel, guests=(), icount=True, memmap=memmap) as lab:
        try:
            lab.start()
            lab.wait_boot(600)
            dev = f"/sys/bus/pci/devices/{NIC}"
            lab.check(f"cd {dev}; echo vfio-pci > driver_override; [ -e driver ] && echo {NIC} > driver/unbind; "
                      f"echo {NIC} > /sys/bus/pci/drivers_probe; [ -e driver ]", 120)
            group = os.path.basename(lab.check(f"readlink {dev}/iommu_group").strip())
            out = lab.check(f"vfio-map /dev/vfio/{group}", 1800)
        except (RuntimeError, TimeoutError, OSError) as error:
            raise BenchError(f"steady state, kernel {kernel}: {error}") from error
    found = {int(p): (int(m), int(u)) for p, m, u in re.findall(r"^(\d+) (\d+) (\d+)$", out, re.M)}
    if set(found) != {size for _, size in PAGES}:
        raise BenchError(f"steady state, kernel {kernel}: {out}")
    return found


def kram(growth):
    """KRAM in use after an upgrade, as a line over the guest's memory; what the host itself has is the fixed part."""
    points = sorted((g["value"], g["kram_pages"]) for g in growth if g["what"] == "guest_ram")
    if len(points) < 2:
        return None
    (small, few), (large, many) = points[0], points[-1]
    each = (many - few) * 4096 / (large - small)
    return {"bytes_per_gib": round(each), "bytes_fixed": round(few * 4096 - each * small), "points": points}


def steady_state(folder, say):
    figures = {}
    for kernel in ("stock", "a"):
        say(f"steady state, kernel {kernel}")
        figures[kernel] = measure(kernel, folder)
    out = []
    for name, size in PAGES:
        for i, what in enumerate(("map", "unmap")):
            stock, patched = figures["stock"][size][i], figures["a"][size][i]
            out.append({"name": f"{what} {TOTAL_GIB} GiB, {name} pages", "stock_ns": stock, "patched_ns": patched,
                        "ratio": patched / stock})
    return out
