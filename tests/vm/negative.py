#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The same upgrade with one part missing must fail, and for the reason given.

khctl refuses each of them beforehand. khctl-unchecked is khctl whose preflight
stops nothing: it shows that the checks behind it see the harm.
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from vfio import ATTACH, bind, holder  # noqa: E402
from scenario import (  # noqa: E402
    Life, Tap, check_same_life, check_traffic, jump, khctl, lab, witness)


def failed_checks(report):
    return {c["id"] for c in report["checks"] if c["verdict"] == "fail"}


def check_refused(tap, l1, arguments, wanted):
    status, data, talk = khctl(l1, "upgrade " + arguments)
    ids = [c["id"] for c in (data or {}).get("checks", []) if not c["ok"]]
    tap.check(f"khctl refuses it because of {wanted}", status == 3 and wanted in ids, f"{status} {ids}\n{talk}")


def flag_unknown(tap, l1):
    """What a program that wants to preserve a device hears from a stock kernel."""
    tap.check("vfio-pci can have the card", bind(l1))
    out = holder(l1, *ATTACH, "device", "get", "set=1")
    tap.check("VFIO_GROUP_GET_FLAGS and VFIO_GROUP_SET_FLAGS fail with ENOTTY",
              out["device"][0] == "ok" and out["get"][0] == out["set=1"][0] == "ENOTTY", out)


def harmful(tap, name, arguments, wanted, reason, seen, more=None):
    """An upgrade that gets as far as the next kernel, which does not adopt."""
    with lab(tap, "negative-" + name, kernel="a", guests=("g1",)) as l1:
        life = Life(l1)
        life.ready()
        command_line = l1.check("cat /proc/cmdline").strip()
        arguments = arguments.format(**command_lines(command_line)) + " --qmp /run/g1.qmp"
        check_refused(tap, l1, arguments, wanted)

        begin = time.time()
        jumped, status, output = jump(l1, "khctl-unchecked upgrade " + arguments)
        tap.check("unchecked, it goes to the next kernel", jumped, output)
        tap.check("khctl resume fails", status != 0, output[-2000:])
        tap.check(f"the reason: {reason[0]}", reason[1](l1), l1.check("dmesg | grep -iE 'kram|DMAR'"))

        report = witness(l1, begin, time.time())
        bad = failed_checks(report)
        tap.check("the witness says fail", report["verdict"] == "fail", report)
        for check in seen:
            tap.check(f"the witness saw it: {check}", check in bad, sorted(bad))
        tap.check("the guest is gone", life.ask("10.77.0.2") is None)
        status, _, talk = khctl(l1, "verify")
        tap.check("khctl verify fails", status != 0, talk)
        if more:
            more(tap, l1)


def command_lines(running):
    words = running.split()
    return {
        # a stock kernel takes memmap=<size>:<start> for the size of all memory
        "stock": " ".join(w for w in words if not (w.startswith("memmap=") and ":" in w)),
        "noadopt": running + " kram=noadopt",
    }


def unpatched_qemu(tap):
    """It cannot keep the device, says so, and the guest goes on."""
    with lab(tap, "negative-qemu", kernel="a", qemu="stock", guests=("g1",)) as l1:
        life = Life(l1)
        life.ready()
        arguments = "--kernel /boot/bzImage-b --qmp /run/g1.qmp"
        check_refused(tap, l1, arguments, "vm-qemu")
        before = life.both()
        jumped, status, output = jump(l1, "khctl-unchecked upgrade " + arguments)
        tap.check("unchecked, it fails before the jump", not jumped and status == 1, f"{status}\n{output}")
        tap.check("QEMU's own reason is given", "suspend" in output.lower() or "vfio" in output.lower(), output)
        after = life.caught_up(before)
        check_same_life(tap, before, after)
        check_traffic(tap, after)
        tap.check("no kernel is loaded", l1.check("cat /sys/kernel/kexec_loaded").strip() == "0")


def main():
    tap = Tap()
    tap.say("an unpatched kernel")
    harmful(tap, "kernel", "--kernel /boot/bzImage-stock --append '{stock}'", "kernel-kram",
            ("no KRAM in this kernel", lambda l1: l1.run("test -e /sys/kernel/kram")[0] != 0),
            ("iommu.translation", "iommu.root", "nic.reset"), flag_unknown)
    tap.say("adoption switched off")
    harmful(tap, "noadopt", "--kernel /boot/bzImage-b --append '{noadopt}'", "append",
            ("kram=noadopt", lambda l1: "noadopt" in l1.check("cat /sys/kernel/kram/state")),
            ("iommu.translation", "nic.bus_master", "nic.reset"))
    tap.say("an unpatched QEMU")
    unpatched_qemu(tap)
    tap.finish()


if __name__ == "__main__":
    main()
