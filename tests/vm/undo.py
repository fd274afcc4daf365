#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Before the jump everything can be taken back: by a signal at any time, when a step fails, and when khctl is killed.

The guest runs on with its device, the new kernel is unloaded, and the next upgrade works.
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from scenario import (  # noqa: E402
    Life, Tap, attached, check_logs, check_memory, check_quiet, check_same_life, check_second_guest, check_traffic,
    check_verify, check_witness, khctl, lab, serial_until, upgrade, witness)

UPGRADE = "khctl upgrade --kernel /boot/bzImage-b --qmp /run/g1.qmp --qmp /run/g2.qmp"

LOADED = "read loaded < /sys/kernel/kexec_loaded; [ $loaded = 1 ]"

# nothing can go past a VM that does not answer: the upgrade is caught in the middle of saving
AMID_SAVE = ("kill -STOP $(cat /run/g2.pid); until [ $(saves) -gt $n ] || ! kill -0 $pid; do :; done; "
             "kill -{}; kill -CONT $(cat /run/g2.pid)")

# when to act, as a shell condition in L1 (without a fork where time is short), and what to do
POINTS = [
    ("during the checks", 'grep -q "FLOCK.* $pid " /proc/locks', "kill -TERM $pid"),
    ("once the new kernel is loaded", LOADED, "kill -TERM $pid"),
    ("while guests are saved", LOADED, AMID_SAVE.format("TERM $pid")),
]


def disturbed(l1, condition, action):
    """An upgrade during which `action` is done once `condition` holds; returns exit status and output.

    SIGTERM stands for Ctrl-C, which khctl treats the same: a shell lets its background jobs ignore SIGINT.
    """
    return l1.run("saves() { khctl status --state /dev/dax2.0 --json | grep -c '\"phase\": \"save\"'; }; n=$(saves); "
                  f"{UPGRADE} >/run/out 2>&1 & pid=$!; "
                  f"until {{ {condition}; }} 2>/dev/null; do kill -0 $pid || break; done; {action}; "
                  "wait $pid; status=$?; cat /run/out; exit $status", 180)


def check_undone(tap, l1, life, before, status, output, what):
    tap.check(f"{what}: exit status 1", status == 1, f"{status}\n{output}")
    tap.check(f"{what}: says that all was undone", "undone" in output, output)
    return check_as_before(tap, l1, life, before, what)


def check_as_before(tap, l1, life, before, what):
    loaded = l1.check("cat /sys/kernel/kexec_loaded").strip()
    tap.check(f"{what}: the new kernel is unloaded", loaded == "0", loaded)
    _, data, talk = khctl(l1, "status")
    tap.check(f"{what}: no upgrade is pending", data and data["state"] in ("idle", "aborted"), talk)
    check_quiet(tap, l1, "after " + what)
    after = life.caught_up(before)
    check_same_life(tap, before, after)
    check_traffic(tap, after)
    return after


def interrupted(tap, l1, life):
    for what, condition, action in POINTS:
        tap.say("a signal " + what)
        before = life.both()
        second = serial_until(l1, "g2", lambda r: r["ready"], "load", 180)
        begin = time.time()
        boot = l1.boot
        status, output = disturbed(l1, condition, action)
        check_undone(tap, l1, life, before, status, output, "a signal " + what)
        tap.check("it was the signal that did it", "interrupted" in output, output)
        tap.check("still the old kernel", l1.boot == boot)
        check_second_guest(tap, l1, second)
        report = witness(l1, begin, time.time())
        verdicts = {c["id"]: c["verdict"] for c in report["checks"]}
        for wanted in ("iommu.faults", "nic.reset", "iommu.translation"):
            tap.check(f"the witness: {wanted}", verdicts.get(wanted) == "pass", report)


def killed(tap, l1, life):
    """A khctl that is killed undoes nothing. Its guard does, and there is nothing left to do for khctl abort."""
    tap.say("khctl upgrade is killed while guests are saved")
    before = life.both()
    second = serial_until(l1, "g2", lambda r: r["ready"], "load", 180)
    status, output = disturbed(l1, LOADED, AMID_SAVE.format("KILL $pid"))
    tap.check("killed: it was", status == 128 + 9, f"{status}\n{output}")
    # the lock is the guard's until it has done all
    l1.check("i=0; while khctl abort 2>&1 | grep -q 'another khctl is at work' && [ $i -lt 600 ]; do usleep 50000; "
             "i=$((i+1)); done")
    said = l1.check("cat /run/out")
    tap.check("killed: the guard says that the guests run on", "was killed: the new kernel is unloaded" in said, said)
    status, data, talk = khctl(l1, "abort")
    tap.check("killed: nothing is left to undo", status == 0 and data["result"] == "nothing to do", talk)
    check_after_kill(tap, l1, life, before, second, "killed")


def killed_with_its_guard(tap, l1, life):
    """As systemd ends a whole control group: khctl abort undoes it, and takes away what was left attached."""
    tap.say("khctl upgrade and its guard are killed while guests are saved")
    before = life.both()
    second = serial_until(l1, "g2", lambda r: r["ready"], "load", 180)
    status, output = disturbed(l1, LOADED, AMID_SAVE.format("KILL $(pidof khctl-guard) $pid"))
    tap.check("killed with its guard: it was", status == 128 + 9, f"{status}\n{output}")
    there = attached(l1)
    tap.check("killed with its guard: programs, pins and the recorder are left", there == ["programs", "pins", "recorder"], there)
    status, data, talk = khctl(l1, "check --kernel /boot/bzImage-b --qmp /run/g2.qmp --qmp /run/g1.qmp")
    failed = [c["id"] for c in data["checks"] if not c["ok"]]
    tap.check("killed with its guard: another upgrade is refused until then", status == 3 and "state-busy" in failed, talk)
    status, data, talk = khctl(l1, "abort")
    tap.check("killed with its guard: khctl abort undoes it", status == 0 and data["result"] == "undone", talk)
    check_after_kill(tap, l1, life, before, second, "killed with its guard")


def check_after_kill(tap, l1, life, before, second, what):
    # links that lose their pin are detached by the kernel, one after the other, when it finds the time
    l1.check('i=0; while [ -n "$(bpftool prog show)" ] && [ $i -lt 600 ]; do usleep 50000; i=$((i+1)); done')
    check_as_before(tap, l1, life, before, what)
    check_second_guest(tap, l1, second)


def a_guest_dies(tap, l1, life):
    """g2's QEMU is killed once the new kernel is loaded: saving it fails, g1 must run on."""
    tap.say("one of two VMs cannot be saved")
    before = life.both()
    status, output = disturbed(l1, LOADED, "kill -KILL $(cat /run/g2.pid)")
    check_undone(tap, l1, life, before, status, output, "a VM that dies")


def and_then_it_works(tap, l1, life):
    tap.say("and then an upgrade that is let alone")
    begin = time.time()
    before = life.both()
    upgrade(tap, l1, "b")
    after = life.caught_up(before)
    check_verify(tap, l1)
    check_same_life(tap, before, after)
    check_traffic(tap, after)
    check_memory(tap, life)
    check_witness(tap, l1, begin, time.time())


def main():
    tap = Tap()
    with lab(tap, "undo", kernel="a", guests=("g1", "g2")) as l1:
        life = Life(l1)
        life.ready()
        for part in (interrupted, killed, killed_with_its_guard, a_guest_dies, and_then_it_works):
            part(tap, l1, life)
        check_logs(tap, l1)
    tap.finish()


if __name__ == "__main__":
    main()
