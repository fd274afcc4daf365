# SPDX-License-Identifier: GPL-2.0
"""tests/vm/holder in L1: one device through VFIO, step by step, without a VMM."""
import contextlib

CARD = "0000:01:00.0"
DAX = "/dev/dax1.0"        # of g2: in pages of 2 MiB
RING, PAGE = "0x10000000", "0x200000"       # RING_IOVA and PAGE_2M of holder.h
MAP, MAP_OTHER = f"map={RING},{DAX},0", f"map={RING},{DAX},{PAGE}"
ATTACH = ("group", "container", "iommu")
PRESERVE, KEPT = 1, 2


def parse(text):
    """{step: (result, [what it found])}; a step that is done again is step#2 and so on."""
    out = {}
    for line in text.splitlines():
        name, colon, rest = line.partition(": ")
        if colon:
            number = sum(name == known.partition("#")[0] for known in out)
            *found, result = rest.split()
            out[name if not number else f"{name}#{number + 1}"] = (result, found)
    return out


def holder(lab, *steps, card=CARD):
    """Runs it to its end."""
    status, text = lab.run(f"holder {card} " + " ".join(steps))
    if status:
        raise RuntimeError(f"holder: {text}")
    return parse(text)


@contextlib.contextmanager
def holding(lab, *steps, card=CARD):
    """It stands at the end of its steps while the block runs, and is killed then, if its kernel is still there."""
    boot = lab.boot
    lab.check(f"rm -f /run/holder.log; holder {card} {' '.join(steps)} pause >/run/holder.log 2>&1 </dev/null & "
              "echo $! >/run/holder.pid; until grep -q ^pause /run/holder.log; do kill -0 $(cat /run/holder.pid) || break; "
              "usleep 20000; done 2>/dev/null; grep -q ^pause /run/holder.log || { cat /run/holder.log; false; }")
    yield parse(lab.check("cat /run/holder.log"))
    if lab.boot == boot:
        lab.check("kill -KILL $(cat /run/holder.pid); while kill -0 $(cat /run/holder.pid) 2>/dev/null; do usleep 20000; done")


def bind(lab, card=CARD, driver="vfio-pci"):
    """Returns whether the driver has it now."""
    lab.run(f"cd /sys/bus/pci/devices/{card} && echo {driver} >driver_override; [ ! -e driver ] || echo {card} >driver/unbind; "
            f"echo {card} >/sys/bus/pci/drivers/{driver}/bind")
    return lab.run(f"[ $(basename $(readlink /sys/bus/pci/devices/{card}/driver)) = {driver} ]")[0] == 0


def config(lab, card=CARD):
    """Configuration space, as hex."""
    return lab.check(f"xxd -p /sys/bus/pci/devices/{card}/config | tr -d '\\n'").strip()[:512]
