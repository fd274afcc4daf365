#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The way back: kernel B cannot run a VM, and the guests go on in kernel A with their saved state unused.

B is the ordinary kernel B, told to leave out KVM's initcall: it has no /dev/kvm, and each QEMU ends at once.
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from scenario import (  # noqa: E402
    Life, Tap, check_logs, check_memory, check_same_life, check_second_guest, check_traffic, check_witness, jump, khctl,
    kram_pages, lab, save_kernel_log, serial_until, upgrade)

SOCKETS = "--qmp /run/g1.qmp --qmp /run/g2.qmp"
BROKEN = "initcall_blacklist=svm_init"


def to_broken(l1, more):
    running = l1.check("cat /proc/cmdline").strip()
    return f"khctl upgrade --kernel /boot/bzImage-b {SOCKETS} --append '{running} {BROKEN}' {more}"


def refused(tap, l1, arguments, says):
    status, data, talk = khctl(l1, arguments)
    tap.check(f"khctl {arguments}: refused, {says}", status == 3 and says in talk and data["result"] == "refused", talk)


class Guests:
    """Both guests before something, and whether they go on after it."""

    def __init__(self, tap, l1, life):
        self.tap, self.l1, self.life = tap, l1, life
        self.begin = time.time()
        self.before = life.both()
        self.second = serial_until(l1, "g2", lambda r: r["ready"], "load", 180)
        self.pages = kram_pages(l1)[0]

    def go_on(self, kernel):
        tap, l1 = self.tap, self.l1
        release = l1.check("uname -r").strip()
        tap.check(f"L1 runs kernel {kernel}", release.endswith("-kh" + kernel), release)
        after = self.life.caught_up(self.before)
        check_same_life(tap, self.before, after)
        check_traffic(tap, after)
        check_memory(tap, self.life)
        check_second_guest(tap, l1, self.second)
        check_witness(tap, l1, self.begin, time.time())
        tap.check("KRAM in use is what it was", kram_pages(l1)[0] == self.pages, (self.pages, kram_pages(l1)))


def check_state(tap, l1, generation, verdict="unknown"):
    _, data, talk = khctl(l1, "status")
    tap.check("every VM is resumed", data and data["state"] == "resumed", talk)
    found = l1.check("cat /sys/kernel/kram/generation /sys/kernel/kram/state").split()
    tap.check(f"KRAM is adopted, generation {generation}", found == [str(generation), "adopted"], found)
    _, data, talk = khctl(l1, "verify")
    verdicts = {c["id"]: c["verdict"] for c in (data or {}).get("claims", [])}
    tap.check("verify: no claim is violated", verdicts and "violated" not in verdicts.values(), talk)
    # nobody recorded in the kernel after the one that was left: what rests on that is unknown, and not called a pass
    tap.check(f"verify says {verdict}", data and data["verdict"] == verdict, talk)
    for claim in ("kernel-changed", "kram-adopted", "handover-intact", "vm-resumed"):
        tap.check(f"verify: {claim} holds", verdicts.get(claim) == "holds", talk)


def by_itself(tap, l1, life):
    tap.say("B cannot resume; khctl resume goes back by itself")
    guests = Guests(tap, l1, life)
    save_kernel_log(l1)
    since = len(l1.console())
    jumped, _, output = jump(l1, to_broken(l1, "--back-kernel /boot/bzImage-a --back-on-failure"))
    tap.check("the host left kernel A", jumped, output)
    console = l1.console()[since:]
    tap.check("kernel B ran, without KVM", "failed to initialize kvm" in console, console[-3000:])
    tap.check("khctl resume says why it goes back", "no VM could be resumed: going back to /boot/bzImage-a" in console,
              console[-3000:])
    guests.go_on("a")
    check_state(tap, l1, 3)


def by_hand(tap, l1, life):
    tap.say("B cannot resume; the operator takes the way back")
    refused(tap, l1, "back --kernel /boot/bzImage-a", "no guest waits for its resume")
    guests = Guests(tap, l1, life)
    save_kernel_log(l1)
    jumped, status, output = jump(l1, to_broken(l1, ""))
    tap.check("the host went to kernel B, and khctl resume failed", jumped and status == 4, output[-3000:])
    refused(tap, l1, "back", "the plan names no kernel to go back to")
    refused(tap, l1, "back --kernel /bin/busybox", "the kernel of the way back cannot adopt this host")
    save_kernel_log(l1)
    jumped, status, output = jump(l1, "khctl back --kernel /boot/bzImage-a")
    tap.check("khctl back: the guests are resumed in kernel A", jumped and status in (0, 4), output[-3000:])
    guests.go_on("a")
    check_state(tap, l1, 5)


def and_then_it_works(tap, l1, life):
    tap.say("and then an upgrade to a kernel that works")
    guests = Guests(tap, l1, life)
    upgrade(tap, l1, "b", ("/run/g1.qmp", "/run/g2.qmp"))
    guests.go_on("b")
    check_state(tap, l1, 6, "pass")


def main():
    tap = Tap()
    with lab(tap, "back", kernel="a", guests=("g1", "g2")) as l1:
        life = Life(l1)
        life.ready()
        for part in (by_itself, by_hand, and_then_it_works):
            part(tap, l1, life)
        check_logs(tap, l1, ("g1", "g2"))
    tap.finish()


if __name__ == "__main__":
    main()
