#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Three upgrades, A to B to A to B, in one life of two guests: one with a passed-through card, one without."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from scenario import (  # noqa: E402
    Life, Tap, check_agreement, check_all_arrived, check_host_whole, check_logs, check_memory, check_quiet, check_same_life,
    check_second_guest, check_traffic, check_verify, check_witness, host, kram_pages, lab, serial_until, upgrade)


def one_upgrade(tap, lab, life, number, to):
    tap.say(f"upgrade {number}, to {to}")
    begin = time.time()
    before = life.both()
    second = serial_until(lab, "g2", lambda r: r["ready"], "load", 180)
    pages, owners = kram_pages(lab)
    whole = host(lab)

    upgrade(tap, lab, to, ("/run/g1.qmp", "/run/g2.qmp"))

    after = life.caught_up(before)
    verify = check_verify(tap, lab)
    check_host_whole(tap, lab, whole)
    check_same_life(tap, before, after)
    check_traffic(tap, after)
    check_memory(tap, life)
    check_second_guest(tap, lab, second)
    report = check_witness(tap, lab, begin, time.time())
    check_agreement(tap, verify, report)
    check_quiet(tap, lab, "after it")
    now, owners_now = kram_pages(lab)
    tap.check("KRAM in use does not grow", now <= pages, (owners, owners_now))


def cpus_come_and_go(tap, l1):
    """As khctl resume brings CPUs online while guests run: KVM must not take that for a TSC that went backwards."""
    tap.say("a CPU comes and goes, forty times")
    offsets = "echo $(cat /sys/kernel/debug/kvm/*/vcpu*/tsc-offset)"
    before = l1.check(offsets)
    online = "/sys/devices/system/cpu/cpu1/online"
    after = l1.check(f"for i in $(seq 40); do echo 0 >{online} && echo 1 >{online} && {offsets}; done", 180)
    tap.check("there are two guests' TSCs", len(before.split()) == 2, before)
    tap.check("no guest's TSC was moved", after == before * 40, (before, after))


def main():
    tap = Tap()
    with lab(tap, "upgrade", kernel="a", guests=("g1", "g2")) as l1:
        life = Life(l1)
        first = life.ready()
        tap.say("both guests make load")
        begin = time.time()

        for number, to in enumerate("bab", 1):
            one_upgrade(tap, l1, life, number, to)

        last = life.stop_traffic()
        tap.say("the whole life")
        check_all_arrived(tap, last)
        check_same_life(tap, first, last)
        check_witness(tap, l1, begin, time.time(), upgrades=3)
        cpus_come_and_go(tap, l1)
        check_logs(tap, l1, ("g1", "g2"))
    tap.finish()


if __name__ == "__main__":
    main()
