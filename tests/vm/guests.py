#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""No guest is lost after the jump: its saved state is kept until it runs, and is used once.

One VM that fails, one that hangs while it is resumed, and a khctl resume that is killed while one guest
runs already. The other guest, with its card, goes on each time.
"""
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from scenario import (  # noqa: E402
    Life, Tap, check_logs, check_memory, check_same_life, check_second_guest, check_traffic, host, jump, khctl, lab,
    save_kernel_log, serial_report, serial_until)

# The first khctl resume of a boot gets a signal, if /root/mode says which, once the condition there holds.
WRAPPER = r"""#!/bin/sh
if [ "$1" = resume ] && [ -s /root/mode ] && ! [ -e /run/once ]; then
	: > /run/once
	read signal condition < /root/mode
	/usr/bin/khctl.real "$@" > /run/first.out 2>&1 & pid=$!
	i=0
	until /usr/bin/khctl.real status --json | grep -q "$condition" || [ $i -gt 600 ]; do usleep 20000; i=$((i+1)); done
	kill -$signal $pid
	wait $pid
	status=$?
	cat /run/first.out
	exit $status
fi
exec /usr/bin/khctl.real "$@"
"""
ONE_RUNS = '"resume": *"running"'

# A FIFO that nobody reads: QEMU waits when it opens it, before it answers to anybody.
HANG = "/root/hang"
RELEASE = f"setsid cat {HANG} >/dev/null 2>&1 </dev/null &"


def prepare(l1):
    l1.check("mount -o remount,rw / && mv /usr/bin/khctl /usr/bin/khctl.real && cat >/usr/bin/khctl <<'EOF'\n" + WRAPPER +
             f"EOF\nchmod +x /usr/bin/khctl; mkfifo {HANG}; : >/root/mode; sync")


def arm(l1, signal, condition):
    """For the next boot. Each kernel mounts its root read-only."""
    l1.check(f"mount -o remount,rw / && echo '{signal} {condition}' >/root/mode && sync")


def vms(l1):
    """{name: (state, how far its resume came, process)}, as khctl status has them."""
    _, data, talk = khctl(l1, "status")
    if not data:
        raise RuntimeError("khctl status: " + talk)
    return {v["name"]: (v["state"], v["resume"], v.get("pid")) for v in data["vms"]}


def qemus(l1, name):
    """Processes of this VM."""
    out = l1.check("for p in /proc/[0-9]*; do e=$(readlink $p/exe) && case $e in */qemu-kh) "
                   f"tr '\\0' ' ' <$p/cmdline | grep -q -- '-name {name} ' && echo ${{p##*/}};; esac; done 2>/dev/null; true")
    return [int(p) for p in out.split()]


def qmp_answers(tap, l1, name, what):
    """At its own socket, as khctl check asks it."""
    _, data, talk = khctl(l1, f"check --qmp /run/{name}.qmp")
    ok = [c["ok"] for c in (data or {}).get("checks", []) if c["id"] == "vm-status"]
    tap.check(f"{what}: {name} answers at its QMP socket, and runs", ok == [True], talk)


def start_g2(l1, options):
    # its console tells of earlier lives as well
    last = serial_report(l1, "g2")
    l1.check("l1-guest start g2 " + options)
    return serial_until(l1, "g2", lambda r: r["ready"] and (not last or r["boot_id"] != last["boot_id"]), "load", 180)


def go_on(tap, l1, life, before, what):
    after = life.caught_up(before)
    tap.say(what)
    check_same_life(tap, before, after)
    check_traffic(tap, after)


def upgrade(tap, l1, to, wanted):
    save_kernel_log(l1)
    jumped, status, output = jump(l1, f"khctl upgrade --kernel /boot/bzImage-{to}")
    if not tap.check(f"L1 went to the next kernel ({to}), without --qmp", jumped, f"exit status {status}\n{output}"):
        raise RuntimeError("no jump")
    tap.check(f"khctl resume ended with {wanted}", status == wanted, output[-3000:])
    return output


def refused(tap, l1, what, arguments, says):
    status, data, talk = khctl(l1, arguments)
    tap.check(f"{what}: refused, naming what is kept", status == 3 and says in json.dumps(data or {}) + talk,
              f"exit status {status}\n{talk}")


def one_fails(tap, l1, life):
    """g2 needs a file that only the old kernel had."""
    tap.say("one VM cannot be resumed")
    l1.check("echo something >/run/only-here")
    second = start_g2(l1, "-fw_cfg name=opt/org.khctl/x,file=/run/only-here")
    before = life.both()
    output = upgrade(tap, l1, "b", 4)
    tap.check("it says which VM, and why", "g2:" in output and "only-here" in output, output[-2000:])
    states = vms(l1)
    tap.check("g1 runs, g2 failed", [states[n][0] for n in ("g1", "g2")] == ["running", "failed"], states)
    go_on(tap, l1, life, before, "g1 goes on")

    refused(tap, l1, "an upgrade without g2", "upgrade --kernel /boot/bzImage-a --qmp /run/g1.qmp", "g2")
    refused(tap, l1, "khctl init --force", "init --state /dev/dax2.0 --force", "g2")
    refused(tap, l1, "khctl forget of the VM that runs", "forget g1", "g1")
    process = qemus(l1, "g1")
    status, _, talk = khctl(l1, "resume")
    tap.check("a second khctl resume fails for g2 alone, and leaves g1 alone",
              status == 4 and "only-here" in talk and qemus(l1, "g1") == process and len(process) == 1, f"{status} {talk}")

    tap.say("the command line is edited, and the VM resumed")
    l1.check("khctl status --argv-of g2 >/run/argv && grep -q only-here /run/argv && "
             "echo something >/run/there && sed -i s,/run/only-here,/run/there, /run/argv")
    status, data, talk = khctl(l1, "resume g2 --argv-from /run/argv")
    tap.check("khctl resume g2 --argv-from: it runs", status == 0, f"{status} {talk}")
    tap.check("and the verdict is pass", (data or {}).get("verdict") == "pass",
              [c for c in (data or {}).get("claims", []) if c["verdict"] != "holds"])
    check_second_guest(tap, l1, second)
    go_on(tap, l1, life, before, "g1 still goes on")
    status, _, talk = khctl(l1, "verify")
    tap.check("khctl verify passes", status == 0, talk)
    l1.check("pid=$(cat /run/g2.pid); l1-guest stop g2; while [ -e /proc/$pid ]; do usleep 20000; done")


def killed_amid(tap, l1, life, whole):
    """SIGKILL of khctl resume while g1 runs and g2's QEMU has not answered yet."""
    tap.say("khctl resume is killed while one guest runs already")
    arm(l1, "KILL", ONE_RUNS)
    l1.check(RELEASE)
    second = start_g2(l1, f"-chardev file,id=hang,path={HANG}")
    before = life.both()
    output = upgrade(tap, l1, "a", 137)
    states = vms(l1)
    tap.check("g1 runs, and g2 has not got its state", [states[n][1] for n in ("g1", "g2")] == ["running", "started"],
              (states, output[-1500:]))
    running, waiting = qemus(l1, "g1"), qemus(l1, "g2")
    tap.check("each has one QEMU", (running, waiting) == ([states["g1"][2]], [states["g2"][2]]), (running, waiting, states))
    go_on(tap, l1, life, before, "g1 goes on")
    qmp_answers(tap, l1, "g1", "before the second khctl resume")

    since = life.both()
    job = l1.spawn("khctl resume --json >/run/second.out 2>/run/second.err")
    l1.check(f"i=0; until grep -q 'go on without' /run/second.err || [ $i -gt 600 ]; do usleep 50000; i=$((i+1)); done; "
             "cat /run/second.err")
    tap.check("a VM that hangs holds up nobody: the second khctl resume is still at work", not job.done())
    now = host(l1)
    tap.check("the CPUs are online, and nothing is put off any more", now["cpus"] == whole["cpus"] and not now["pending"],
              (whole, now))
    states = vms(l1)
    tap.check("the other VM's report is there", states["g1"][0] == "running", states)
    tap.check("g1 was left alone, g2's QEMU was started anew",
              qemus(l1, "g1") == running and len(qemus(l1, "g2")) == 1 and qemus(l1, "g2") != waiting,
              (running, waiting, qemus(l1, "g1"), qemus(l1, "g2")))
    l1.check(RELEASE)
    status, _ = job.wait(120)
    said = l1.check("cat /run/second.err")
    states = vms(l1)
    tap.check("both run", [states[n][0] for n in ("g1", "g2")] == ["running", "running"], (states, said))
    _, data, _ = khctl(l1, "verify")
    doubts = {c["id"] for c in (data or {}).get("claims", []) if c["verdict"] != "holds"}
    tap.check("what was not seen is not claimed: no pass without all instruments, and no violation",
              (status == 0) == (not doubts) and (data or {}).get("verdict") in ("pass", "unknown")
              and doubts <= {"instruments", "untouched", "iommu-untouched"}, (status, doubts, said))
    check_second_guest(tap, l1, second)
    go_on(tap, l1, life, since, "g1 goes on")
    check_memory(tap, life)
    qmp_answers(tap, l1, "g1", "after the second khctl resume")


def terminated(tap, l1, life):
    """SIGTERM while g2 hangs: khctl resume ends in an orderly way, and the operator gives g2 up."""
    tap.say("khctl resume is ended by SIGTERM, and a VM given up")
    arm(l1, "TERM", ONE_RUNS)
    before = life.both()
    output = upgrade(tap, l1, "b", 4)
    tap.check("it says that it was interrupted", "g2: interrupted" in output, output[-2000:])
    states = vms(l1)
    tap.check("g1 runs, g2 is kept, and no QEMU of it is left",
              [states[n][0] for n in ("g1", "g2")] == ["running", "failed"] and not qemus(l1, "g2"), states)
    go_on(tap, l1, life, before, "g1 goes on")
    status, data, talk = khctl(l1, "forget g2")
    tap.check("khctl forget g2", status == 0, talk)
    _, data, talk = khctl(l1, "status")
    tap.check("no VM waits any more", (data or {}).get("state") == "resumed", talk)
    status, data, talk = khctl(l1, "verify")
    tap.check("the verdict is not pass", status != 0, talk)
    status, data, talk = khctl(l1, "check --kernel /boot/bzImage-a")
    tap.check("the next upgrade may come", status == 0, talk)


def main():
    tap = Tap()
    begin = time.time()
    with lab(tap, "guests", kernel="a", guests=("g1",)) as l1:
        prepare(l1)
        life = Life(l1)
        life.ready()
        whole = host(l1)
        one_fails(tap, l1, life)
        killed_amid(tap, l1, life, whole)
        terminated(tap, l1, life)
        check_logs(tap, l1)
    tap.say(f"{time.time() - begin:.0f} s")
    tap.finish()


if __name__ == "__main__":
    main()
