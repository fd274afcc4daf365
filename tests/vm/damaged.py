#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What KRAM holds is damaged on the way from one kernel to the next.

The outer QEMU stops the machine when KRAM is sealed and the old kernel is about
to leave it (machine_kexec), and its memory is changed as bad hardware would. The
new kernel must silence the card before it hands out a page, keep the guest's RAM, and say why.
"""
import os
import re
import struct
import sys
import time
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from gdb import Debugger, at_symbol, different_pages, dump  # noqa: E402
from life import PEER, RATE  # noqa: E402
from scenario import MEMMAP, Life, Tap, lab  # noqa: E402
from logs import bad_lines  # noqa: E402

KRAM = int(MEMMAP["kram"].split(":")[1], 16)
# behind the GiB that libnvdimm has
G1, G1_SIZE = int(MEMMAP["g1"].split("!")[1], 16) + (1 << 30), 2 << 30
HEADER = 256            # sizeof(struct kram_area_header)
FIXED_OFFSET = 56       # offsetof(fixed_offset)
STATE, SEALED = 48, 2
ABI = 8

CASES = [
    ("handover", "a damaged handover", r"refused: handover damaged"),
    ("header", "a damaged area header", r"refused: area header damaged"),
    ("map", "a damaged allocation map", r"refused: allocation map damaged"),
    ("version", "another ABI version, checksums right", r"refused: area of another ABI version"),
]


def flip(debugger, address):
    byte = debugger.read(address, 1)[0]
    debugger.write(address, bytes([byte ^ 0x10]))


def damage(debugger, what):
    header = bytearray(debugger.read(KRAM, HEADER))
    if struct.unpack_from("<I", header, STATE)[0] != SEALED:
        raise RuntimeError("KRAM is not sealed here: the test looks at the wrong instant")
    map_offset, fixed_offset = struct.unpack_from("<II", header, STATE + 4)
    if what == "handover":
        flip(debugger, KRAM + fixed_offset + 64 + 100)
    elif what == "header":
        flip(debugger, KRAM + 120)
    elif what == "map":
        flip(debugger, KRAM + map_offset + 402)
    else:
        struct.pack_into("<I", header, ABI, 77)
        header[HEADER - 4:] = bytes(4)
        struct.pack_into("<I", header, HEADER - 4, zlib.crc32(header))
        debugger.write(KRAM, bytes(header))


def check_silenced(tap, l1, mark, begin):
    """In the outer QEMU's words: bus master went off before anything else happened to the IOMMU or the card."""
    events = [(t, name, text) for t, name, text in l1.trace_since(mark) if t >= begin]
    order = [(name, text) for _, name, text in events
             if name in ("vtd_dmar_enable", "vtd_reg_dmar_root", "vtd_ir_enable", "vtd_dmar_fault")
             or name == "pci_cfg_write" and text.startswith("e1000e ")]
    first = order[0] if order else ("nothing", "")
    tap.check("first of all, bus master of the card is cleared",
              first[0] == "pci_cfg_write" and " @0x4 <- " in first[1] and not int(first[1].split("<- ")[1], 16) & 4,
              order[:5])


def check_memory_kept(tap, l1, life, left):
    """left: the guest's RAM as the old kernel left it. Compared outside of L1."""
    found = dump(l1, "ram-found", G1, G1_SIZE)
    # what the card received between the jump and its silence lies in buffers of its driver
    changed = different_pages(left, found)
    tap.check(f"the guest's RAM is kept ({len(changed)} pages changed, the card's own)", len(changed) <= 64,
              changed[:50])
    sent = life.ask(PEER)["udp"]["sent"]
    life.until_peer(lambda r: r["udp"]["sent"] > sent + 2 * RATE, "more datagrams", 30)
    again = dump(l1, "ram-again", G1, G1_SIZE)
    tap.check("the card writes to it no more, whatever arrives", not different_pages(found, again))
    for path in (left, found, again):
        os.unlink(path)


def one(tap, what, title, reason):
    tap.say(title)
    with lab(tap, "damaged-" + what, kernel="a", guests=("g1",)) as l1:
        life = Life(l1)
        life.ready()
        address = at_symbol(l1, "machine_kexec")
        debugger = Debugger(l1)
        debugger.break_at(address)
        debugger.resume()
        boot, since, mark = l1.boot, len(l1.console()), l1.trace_mark()
        l1.spawn("khctl upgrade --kernel /boot/bzImage-b --qmp /run/g1.qmp")
        debugger.wait_stop(120)

        debugger.physical(True)
        damage(debugger, what)
        left = dump(l1, "ram-left", G1, G1_SIZE) if what == "handover" else None
        debugger.physical(False)
        debugger.clear(address)
        begin = time.time()
        debugger.detach()

        l1.wait_jump(boot, 180)
        match = l1.wait_console(r"init: khctl resume ended with (\d+)", 180, since)
        console = l1.console()[since:]
        log = l1.check("dmesg")

        tap.check("the new kernel says why", l1.check("cat /sys/kernel/kram/state").strip().startswith("refused:")
                  and re.search(reason, log), [x for x in log.splitlines() if "kram" in x])
        check_silenced(tap, l1, mark, begin)
        tap.check("khctl resume ends with 4, and says why as well",
                  match[1] == "4" and re.search("g1: KRAM is " + reason, console), console[-2000:])
        # the card is an ordinary one now: when a driver switches it on again, its old rings are stopped by the IOMMU
        bad = [line for line in bad_lines(log) if "DMAR:" not in line]
        tap.check("nothing else is bad in the new kernel's log", not bad, bad)
        if left:
            check_memory_kept(tap, l1, life, left)


def main():
    tap = Tap()
    for what, title, reason in CASES:
        one(tap, what, title, reason)
    tap.finish()


if __name__ == "__main__":
    main()
