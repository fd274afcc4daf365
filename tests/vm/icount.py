#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""One upgrade with time as a count of instructions: the blackout, and the phases that it is made of.
And one without the instruments of verification, which tells what they cost."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from scenario import (  # noqa: E402
    Life, Tap, check_logs, check_same_life, check_traffic, check_verify, check_witness, jump, khctl, lab, save_kernel_log, upgrade)

# The machine's seconds are several of the peer's, so that fewer datagrams fit into the ring for each.
RATE = 2
BLACKOUT = ["save", "jump", "boot", "resume", "run"]
# That run has begun is seen by an instrument only, so its end is another without: nothing to compare.
COMPARED = BLACKOUT[:-1]
# Where a kernel lies at random makes a difference of a millisecond.
FIXED = "nokaslr norandmaps "
# Of the blackout, at most: 0.01, and what two runs of the same differ by.
INSTRUMENTS = 0.0125


def run_unseen(status):
    """What khctl logged when no program saw KVM run a guest, and QEMU's word had to do."""
    return [line for line in status["log"] if "nobody saw KVM run" in line["text"]]


def check_times(tap, l1, report):
    _, status, talk = khctl(l1, "status")
    tap.check("KVM's run of the guest was seen", not run_unseen(status), status["log"])
    phases = {p["name"]: p for p in status["phases"]}
    for name in BLACKOUT:
        tap.check(f"phase {name} was measured", name in phases and phases[name]["ns"] > 0, talk)
    for p in status["phases"]:
        tap.say(f"{p['name']:8} {p['ns'] / 1e6:12.3f} ms{'  guests stand' if p['in_blackout'] else ''}")
    blackout = status["blackout_ns"]
    tap.say(f"blackout {blackout / 1e6:12.3f} ms")
    total = sum(phases[name]["ns"] for name in BLACKOUT)
    tap.check("the phases add up to the blackout", total == blackout, (total, blackout))
    vm = status["vms"][0]["blackout_ns"]
    tap.check("and to what the guest itself went through", abs(vm - blackout) < 1e6, (vm, blackout))
    # times of the capture are the machine's own, and nothing of L1 wrote them
    silent = report["wire"]["pauses"][0]["silent_s"] * 1e9
    tap.check("the wire was silent for as long, and at most half a second more", blackout <= silent < blackout + 5e8,
              (blackout, silent))
    return phases


def unwatched(tap):
    """Returns the phases of an upgrade without instruments, of which the verdict is unknown."""
    with lab(tap, "icount-unwatched", kernel="a", guests=("g1",), icount=True, append=FIXED) as l1:
        life = Life(l1, RATE)
        life.ready(240)
        before = life.both()
        save_kernel_log(l1)
        jumped, status, output = jump(l1, "khctl upgrade --kernel /boot/bzImage-b --qmp /run/g1.qmp --no-instruments", 600)
        tap.check("without instruments: the guest runs, and khctl resume says that it knows too little", jumped and status == 4
                  and "the verdict is unknown" in output, f"{status} {output[-2000:]}")
        after = life.caught_up(before, 300)
        check_same_life(tap, before, after)
        check_traffic(tap, after)
        status, data, talk = khctl(l1, "verify")
        known = [c["id"] for c in data["claims"] if c["id"] in ("recorder-whole", "manifest", "instruments")
                 and c["verdict"] != "unknown" and c.get("subject") != "now"]
        tap.check("without instruments: nothing that rests on them holds", status == 5 and not known, talk)
        check_logs(tap, l1)
        status = khctl(l1, "status")[1]
        tap.check("without instruments: nobody saw KVM run the guest, and khctl says so", run_unseen(status), status["log"])
        return {p["name"]: p for p in status["phases"]}


def main():
    tap = Tap()
    with lab(tap, "icount", kernel="a", guests=("g1",), icount=True, append=FIXED) as l1:
        life = Life(l1, RATE)
        life.ready(240)
        begin = time.time()
        before = life.both()

        upgrade(tap, l1, "b", timeout=600)

        after = life.caught_up(before, 300)
        check_verify(tap, l1)
        check_same_life(tap, before, after)
        check_traffic(tap, after)
        watched = check_times(tap, l1, check_witness(tap, l1, begin, time.time()))
        check_logs(tap, l1)
    without = unwatched(tap)
    for name in COMPARED:
        tap.say(f"instruments add to {name:8} {(watched[name]['ns'] - without[name]['ns']) / 1e6:8.3f} ms")
    blackout, less = (sum(p[name]["ns"] for name in COMPARED) for p in (watched, without))
    cost = (blackout - less) / less
    tap.say(f"without instruments {less / 1e6:.3f} ms: they add {cost:.2%}")
    # less than nothing: one of the two waited for something of this machine, and neither is a figure
    tap.check("the instruments add a small part of the blackout at most", 0 < cost <= INSTRUMENTS, (blackout, less))
    tap.finish()


if __name__ == "__main__":
    main()
