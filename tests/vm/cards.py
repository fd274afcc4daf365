#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Two guests with a card each, and one without: all go through an upgrade. In the next one a card is gone.

The outer QEMU stops the machine when the old kernel is about to leave it (machine_kexec), and the slot of the second
card loses its power: the card does nothing more, and whoever reads its configuration space reads ones. The new kernel
must not mind, khctl must say which guest cannot go on and why, and keep its RAM; the two others go on.
"""
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from gdb import Debugger, at_symbol, different_pages, dump  # noqa: E402
from scenario import (  # noqa: E402
    Life, Tap, check_agreement, check_host_whole, check_logs, check_memory, check_same_life, check_second_guest, check_traffic,
    check_verify, check_witness, host, khctl, kram_pages, lab, save_kernel_log, serial_until, upgrade)

SOCKETS = ("/run/g1.qmp", "/run/v2.qmp", "/run/g2.qmp")
CARD = "0000:02:00.0"
# Behind all that MEMMAP has, and last of all: there is no RAM of the host's own above it
V2, V2_MIB = 0x200000000, 528
RAM = f"{(6 << 10) + V2_MIB}M"
PORT, SLOT_CONTROL = 0x12, 0x54 + 0x18      # of the root port above the second card
POWER_OFF = 0x0400 | 0x0300                 # power controller and its indicator


def go_on(tap, lives, before):
    """Each guest with a card goes on, its traffic as well."""
    for name, life in lives.items():
        tap.say(f"{name} after it")
        after = life.caught_up(before[name])
        check_same_life(tap, before[name], after)
        check_traffic(tap, after)
        check_memory(tap, life)


def mem_total(l1):
    """In KiB."""
    return int(l1.check("awk '/^MemTotal/ {print $2}' /proc/meminfo"))


def both_kept(tap, l1, lives):
    tap.say("an upgrade of three guests, two of them with a card")
    begin = time.time()
    before = {name: life.both() for name, life in lives.items()}
    second = serial_until(l1, "g2", lambda r: r["ready"], "load", 180)
    memory = mem_total(l1)

    upgrade(tap, l1, "b", SOCKETS)

    now = mem_total(l1)
    tap.check("the host has as much memory as before", abs(now - memory) < 8 << 10, (memory, now))
    go_on(tap, lives, before)
    verify = check_verify(tap, l1)
    told = {c.get("subject") for c in (verify or {}).get("claims", []) if c["id"] == "no-reset" and c["verdict"] == "holds"}
    tap.check("khctl verify speaks of both cards", {"0000:01:00.0", CARD} <= told, verify)
    check_second_guest(tap, l1, second)
    check_agreement(tap, verify, check_witness(tap, l1, begin, time.time(), nics=2))


def config_access(l1, bdf, offset, value=None):
    """Configuration space by the ports of the host bridge, which work while L1 stands: 32 bits read, 16 bits written."""
    def monitor(line):
        return l1.qmp("human-monitor-command", **{"command-line": line})

    monitor(f"o/w 0xcf8 {1 << 31 | bdf << 8 | offset:#x}")
    if value is None:
        return int(monitor("i/w 0xcfc").split("=")[1], 16)
    return monitor(f"o/h 0xcfc {value:#x}")


def one_gone(tap, l1, lives):
    tap.say("an upgrade over which the second card is gone")
    before = {"g1": lives["g1"].both()}
    second = serial_until(l1, "g2", lambda r: r["ready"], "load", 180)
    pages, _ = kram_pages(l1)
    save_kernel_log(l1)
    address = at_symbol(l1, "machine_kexec")
    debugger = Debugger(l1)
    debugger.break_at(address)
    debugger.resume()
    boot, since = l1.boot, len(l1.console())
    l1.spawn("khctl upgrade --kernel /boot/bzImage-a " + " ".join("--qmp " + s for s in SOCKETS))
    debugger.wait_stop(120)
    was = config_access(l1, 2 << 8, 0)
    config_access(l1, PORT << 3, SLOT_CONTROL, POWER_OFF)
    now = config_access(l1, 2 << 8, 0)
    tap.check("the card goes while no kernel runs", (was, now) == (0x10d38086, 0xffffffff), f"{was:#x} {now:#x}")
    left = dump(l1, "ram-left", V2, V2_MIB << 20)
    debugger.clear(address)
    debugger.detach()

    l1.wait_jump(boot, 180)
    status = l1.wait_console(r"init: khctl resume ended with (\d+)", 180, since)[1]
    console = l1.console()[since:]
    tap.check("khctl resume ends with 4", status == "4", console[-3000:])
    tap.check("it says which guest does not run, and why", f"v2: {CARD} is not there" in console, console[-3000:])
    log = l1.check("dmesg")
    tap.check("the kernel's log says so as well", f"{CARD} [8086:10d3] was left working by the previous kernel and is not there"
              in log, [x for x in log.splitlines() if "02:00.0" in x])
    _, data, talk = khctl(l1, "status")
    states = {v["name"]: v["state"] for v in (data or {}).get("vms", [])}
    tap.check("khctl status says the same", states == {"g1": "running", "v2": "failed", "g2": "running"}, talk)
    go_on(tap, {"g1": lives["g1"]}, before)
    check_second_guest(tap, l1, second)

    status, _, talk = khctl(l1, "verify")
    tap.check("khctl verify does not pass", status != 0, talk)
    status, _, talk = khctl(l1, "resume")
    tap.check("another khctl resume says the same", status == 4 and f"v2: {CARD} is not there" in talk, f"{status} {talk}")
    found = dump(l1, "ram-found", V2, V2_MIB << 20)
    changed = different_pages(left, found)
    tap.check("RAM of the guest that does not run is kept, bit for bit", not changed, changed[:50])
    now, owners = kram_pages(l1)
    tap.check("KRAM of its card is free again", now < pages, (pages, now, owners))
    for path in (left, found):
        os.unlink(path)


def none_at_all(tap):
    """No device is kept: the new kernel sets its IOMMU up as it likes. On a host that is so large that
    some of its tables are bounded."""
    tables = r"(?:Dentry cache|Inode-cache|UDP) hash table entries: (\d+)"
    with lab(tap, "cards-none", kernel="a", guests=("g2",), ram="16G") as l1:
        second = serial_until(l1, "g2", lambda r: r["ready"], "load", 180)
        before, whole = [int(n) for n in re.findall(tables, l1.check("dmesg"))], host(l1)
        upgrade(tap, l1, "b", ("/run/g2.qmp",))
        check_host_whole(tap, l1, whole)
        after = [int(n) for n in re.findall(tables, l1.check("dmesg"))]
        tap.check("tables that would be larger are as large as in a host of 4 GiB",
                  before == [2097152, 1048576, 8192] and after == [524288, 262144, 2048], (before, after))
        verify = check_verify(tap, l1)
        tap.check("khctl verify claims nothing of what was not to be kept", not {"translation-on", "remapping-on"} & {
            c["id"] for c in (verify or {}).get("claims", [])}, verify)
        check_second_guest(tap, l1, second)
        check_logs(tap, l1, ("g2",))


def main():
    tap = Tap()
    with lab(tap, "cards", kernel="a", guests=("g1", "v2", "g2"), nics=2, wires=2, append=f"kh.nics={CARD} kh.mem=25",
             memmap={"v2": f"{V2_MIB}M!{V2:#x}"}, ram=RAM) as l1:
        lives = {"g1": Life(l1), "v2": Life(l1, wire=2)}
        for life in lives.values():
            life.ready()
        both_kept(tap, l1, lives)
        one_gone(tap, l1, lives)
        check_logs(tap, l1, ("g1", "v2", "g2"))
    none_at_all(tap)
    tap.finish()


if __name__ == "__main__":
    main()
