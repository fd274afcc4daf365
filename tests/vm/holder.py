#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The kernel's part alone: a program that holds a card through VFIO, and a bare kexec. No QEMU in L1, no khctl.

What VFIO_GROUP_SET_FLAGS refuses; what becomes of a device that is let go of with the flag and without; and
two jumps, one with the device open, one with it closed, after each of which it is taken up as it was left.
"""
import contextlib
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from vfio import ATTACH, CARD, DAX, KEPT, MAP, MAP_OTHER, PRESERVE, RING, bind, config, holder, holding  # noqa: E402
from life import PEER, RATE, RING as ROOM, Life  # noqa: E402
from scenario import KERNELS, Tap, check_logs, lab, save_kernel_log, witness  # noqa: E402

ON, OFF = f"set={PRESERVE}", "set=0"
ANONYMOUS = f"map={RING},-,0"
BOTH = hex(PRESERVE | KEPT)
# Its group has two functions, and a driver for one of them.
NEIGHBOUR = "0000:02:00.0"
MACHINE = ["-device", "pcie-root-port,id=port2,bus=pcie.0,chassis=2,addr=0x12",
           "-device", "pci-testdev,bus=port2,addr=0x0.0,multifunction=on", "-device", "pci-testdev,bus=port2,addr=0x0.1"]
COMMAND, MSIX_ENABLE, MASTER = 4, 0x8000, 4
MSIX_CONTROL = 0xa2     # of the e1000e (82574)
# What the witness can tell of a device that is no guest's.
WITNESSED = ("iommu.translation", "iommu.root", "iommu.remapping", "iommu.remapping_table", "iommu.faults", "nic.reset",
             "nic.power", "nic.link", "nic.bus_master", "nic.config", "bridge.bus_master", "bridge.config")


def word(text, offset):
    """16 bits of a configuration space in hex."""
    return int.from_bytes(bytes.fromhex(text[2 * offset:2 * offset + 4]), "little")


def works(text):
    return bool(word(text, COMMAND) & MASTER and word(text, MSIX_CONTROL) & MSIX_ENABLE)


def refusals(tap, l1):
    def refused(what, error, *steps, card=CARD):
        out = holder(l1, *steps, "get", card=card)
        tap.check(f"{what}: {steps[-1]} fails with {error}", out[steps[-1]][0] == error, out)
        tap.check(f"{what}: and nothing is preserved", out["get"] == ("ok", ["0"]), out)

    device = (*ATTACH, "device")
    refused("no container", "EINVAL", "group", ON)
    refused("a container without IOMMU", "EINVAL", "group", "container", ON)
    refused("argsz too small", "EINVAL", *device, f"{ON},4")
    refused("argsz too small", "EINVAL", *device, "get=4")
    refused("an unknown flag", "EINVAL", *device, "set=4")
    refused("a flag for queries only", "EINVAL", *device, f"set={KEPT}")
    refused("no CAP_SYS_ADMIN", "EPERM", *device, "unprivileged", ON)
    refused("memory that does not survive", "EXDEV", *device, ANONYMOUS, ON)
    refused("INTx in use", "EOPNOTSUPP", *device, "irqs=intx", ON)
    refused("plain MSI in use", "EOPNOTSUPP", *device, "irqs=msi", ON)
    refused("a neighbour that vfio-pci does not hold", "EBUSY", *device, ON, card=NEIGHBOUR)

    out = holder(l1, *device, MAP, ON, "get", "unmap=" + RING, ANONYMOUS, "irqs=msi", OFF)
    tap.check("without any of that it is preserved", out[ON][0] == "ok" and out["get"] == ("ok", [hex(PRESERVE)]), out)
    tap.check("while it is set, memory that does not survive cannot be mapped", out[ANONYMOUS][0] == "EXDEV", out)
    tap.check("while it is set, unmapping works", out["unmap=" + RING][0] == "ok", out)
    tap.check("while it is set, plain MSI cannot be set up", out["irqs=msi"][0] == "EBUSY", out)
    tap.check("it can be cleared", out[OFF][0] == "ok", out)


def writes(l1, mark):
    """What was written to the card's configuration space, [(offset, value)], as the outer QEMU saw it."""
    found = [re.search(r"@(0x[0-9a-f]+) <- (0x[0-9a-f]+)", text) for _, name, text in l1.trace_since(mark)
             if name == "pci_cfg_write" and text.startswith("e1000e ")]
    return [(int(m[1], 16), int(m[2], 16)) for m in found]


def stopped(l1, mark):
    """Bus master went off, and MSI-X is off."""
    return any(offset == COMMAND and not value & MASTER for offset, value in writes(l1, mark)) and not works(config(l1))


# A holder whose card does all that is looked at here.
WORK = ("ring=" + DAX, *ATTACH, MAP, "device", "master", "irqs=msix", "start", "fire")


def let_go(tap, l1):
    """Closed without the flag, after it was cleared again, and with it."""
    for what, steps in (("never set", ()), ("set and cleared", (ON, OFF))):
        with holding(l1, *WORK, *steps) as out:
            tap.check(f"flag {what}: the card sends each vector", out["fire"] == ("ok", ["0", "1", "2"]), out)
            mark = l1.trace_mark()
        tap.check(f"flag {what}: a close stops the card", stopped(l1, mark), writes(l1, mark))
        out = holder(l1, "group", "get")
        tap.check(f"flag {what}: it is not kept", out["get"] == ("ok", ["0"]), out)

    with holding(l1, *WORK, ON, "config") as out:
        before, mark = config(l1), l1.trace_mark()
        shown = out["config"][1]
    now = config(l1)
    tap.check("flag set: the card works", works(before), before)
    tap.check("flag set: a close changes nothing in its configuration space", now == before, f"{before}\n{now}")
    tap.check("flag set: nor writes to it", not writes(l1, mark), writes(l1, mark))
    out = holder(l1, "group", "get", "container", "iommu", "unprivileged", "device")
    tap.check("kept: its group has both flags", out["get"] == ("ok", [BOTH]), out)
    tap.check("kept: who has no CAP_SYS_ADMIN cannot open it", out["device"][0] == "EPERM", out)
    tap.check("kept: no driver but vfio-pci can have it", not bind(l1, driver="e1000e"))
    tap.check("kept: vfio-pci can", bind(l1))
    return shown


@contextlib.contextmanager
def adopted(tap, l1, what, shown, *more):
    """The next holder takes it up, with more steps at the end. shown: configuration space as the last one saw it."""
    with holding(l1, *ATTACH, "get", MAP_OTHER, OFF, MAP, "device", "config", "pending", "irqs=msix", "came", "pending",
                 "fire", *more) as out:
        tap.check(f"{what}: its group has both flags", out["get"] == ("ok", [BOTH]), out)
        tap.check(f"{what}: another page is refused", out[MAP_OTHER][0] == "EEXIST", out)
        tap.check(f"{what}: it cannot be released before all is mapped again", out[OFF][0] == "EXDEV", out)
        tap.check(f"{what}: the same page is accepted", out[MAP][0] == "ok", out)
        tap.check(f"{what}: it opens, and its configuration space is what it was", out["config"] == ("ok", shown),
                  f"{shown}\n{out['config']}")
        tap.check(f"{what}: its interrupts can be set up, and each vector comes",
                  out["irqs=msix"][0] == "ok" and out["fire"] == ("ok", ["0", "1", "2"]), out)
        yield out


def jump(tap, l1, to, forget=None):
    """A kexec that nobody prepares. forget: words of the command line to leave out, a regular expression."""
    save_kernel_log(l1)
    words = [w for w in l1.check("cat /proc/cmdline").split() if not (forget and re.match(forget, w))]
    l1.check(f"l1-jump load /boot/bzImage-{to} - '{' '.join(words)}'")
    before, boot, since = config(l1), l1.boot, len(l1.console())
    l1.spawn("l1-jump go")
    l1.wait_jump(boot, 120)
    l1.wait_console("init: ready", 60, since)
    release, now = l1.check("uname -r").strip(), config(l1)
    tap.check(f"the new kernel is {to}", release.endswith(KERNELS[to]), release)
    tap.check("before anybody has bound it, the card works, its configuration space as it was",
              works(now) and now == before, f"{before}\n{now}")
    tap.check("vfio-pci can have it", bind(l1))


def check_frames(tap, l1, life, before):
    """What the peer sent, the card wrote, whoever listened."""
    life.ask(PEER, "stop")
    sent = life.ask(PEER)["udp"]["sent"]
    wanted, deadline = [str(n) for n in range(sent)], time.monotonic() + 10
    while (found := holder(l1, "frames=" + DAX)["frames=" + DAX][1]) != wanted and time.monotonic() < deadline:
        pass
    tap.check(f"{sent - before} datagrams came during the jump, all of them are in memory, in order",
              found == wanted and before + RATE < sent < ROOM, f"{before} {sent}\n{found}")


def check_witness(tap, l1, begin):
    report = witness(l1, begin, time.time())
    found = {c["id"]: c for c in report["checks"]}
    for name in WITNESSED:
        tap.check(f"witness: {name}", found.get(name, {}).get("verdict") == "pass", found.get(name))


def jumps(tap, l1, shown):
    tap.say("a jump with the device open")
    life, begin = Life(l1, connect=False), time.time()
    with adopted(tap, l1, "the next holder", shown):
        before = life.until_peer(lambda r: r["udp"]["sent"], "the first datagram", 30)["udp"]["sent"]
        jump(tap, l1, "b")
    check_frames(tap, l1, life, before)
    with adopted(tap, l1, "the next kernel", shown) as out:
        tap.check("the next kernel: what came meanwhile was latched, and is told",
                  int(out["pending"][1][0], 16) & 1 and "0" in out["came"][1] and out["pending#2"][1] == ["0"], out)
    check_witness(tap, l1, begin)

    tap.say("a jump with the device closed and a command line without any memmap=, and the release")
    begin = time.time()
    jump(tap, l1, "a", "memmap=")
    with adopted(tap, l1, "the kernel after that", shown, OFF, "get", "fire") as out:
        tap.check("released: it is an ordinary one, and goes on", out["set=0#2"][0] == "ok" and out["get#2"] == ("ok", ["0"])
                  and out["fire#2"] == ("ok", ["0", "1", "2"]), out)
        check_witness(tap, l1, begin)
        mark = l1.trace_mark()
    tap.check("released: a close stops it", stopped(l1, mark), writes(l1, mark))

    holder(l1, *WORK, ON)
    with holding(l1, *ATTACH, MAP, "device", OFF) as out:
        now = config(l1)
        tap.check("released with no interrupts set up: it goes on, MSI-X off", out[OFF][0] == "ok"
                  and word(now, COMMAND) & MASTER and not word(now, MSIX_CONTROL) & MSIX_ENABLE, f"{out} {now}")


def registers(tap, l1):
    """Of the IOMMU, as the file of its own and debugfs have them."""
    def read(at, size, times=1):
        return l1.run(f"dd if=/sys/class/iommu/dmar0/intel-iommu/registers bs={size} skip={at // size} count={times} 2>/run/why | "
                      "od -An -v -tx1; cat /run/why")[1].split()

    shown = l1.check("cat /sys/kernel/debug/iommu/intel/iommu_regset")
    for name, at, size in (("GSTS", 0x1c, 4), ("RTADDR", 0x20, 8), ("FSTS", 0x34, 4), ("IRTA", 0xb8, 8)):
        wanted = int(re.search(rf"^{name} .*(0x[0-9a-f]+)$", shown, re.M)[1], 16)
        for width in {size, 4}:
            found = int.from_bytes(bytes.fromhex("".join(read(at, width, size // width)[:size])), "little")
            tap.check(f"register {name} by {width} bytes is that of debugfs", found == wanted and (wanted or name == "FSTS"),
                      f"{found:#x} {wanted:#x}")
    for what, at, size in (("3 bytes", 0, 3), ("2 bytes at offset 2", 2, 2)):
        out = " ".join(read(at, size))
        tap.check(f"{what} of them cannot be read", "Invalid argument" in out, out)
    tap.check("there is nothing behind them", read(0x100, 4)[0] == "0+0", read(0x100, 4))
    tap.check("nobody but root reads them", l1.check("stat -c %a /sys/class/iommu/dmar0/intel-iommu/registers").strip() == "400")


def main():
    tap = Tap()
    with lab(tap, "holder", kernel="a", guests=(), machine=MACHINE) as l1:
        bind(l1, NEIGHBOUR)
        refusals(tap, l1)
        jumps(tap, l1, let_go(tap, l1))
        registers(tap, l1)
        check_logs(tap, l1, ())
    tap.finish()


if __name__ == "__main__":
    main()
