#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What keeps khctl from seeing: no BPF, no permission to use it, no BTF, a kernel that is locked down.

Each is told, and no claim that rests on what could not be seen holds. With the kernel
of evidence.py, which alone has lockdown and a filter of system calls.
"""
import contextlib
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from scenario import (  # noqa: E402
    BUILD, Life, Tap, check_logs, check_quiet, check_same_life, check_traffic, jump, khctl, lab, save_kernel_log, send)

UPGRADE = "upgrade --kernel /boot/bzImage-inject --qmp /run/g1.qmp"
NIC = "0000:01:00.0"
# What rests on the programs in the old kernel.
SEEN_BY_BPF = {("instruments", "old kernel"), ("untouched", NIC), ("iommu-untouched", None)}
# what is taken away: how to run a program without it, and what khctl says
AWAY = {
    "BPF": ("/run/without bpf", "the kernel has no BPF:"),
    "permission": ("/run/without permission", "BPF is not permitted:"),
    "BTF": ("mount -t tmpfs none /sys/kernel/btf &&", "the kernel has no BTF "),
}
# A serial port of L1 that is a file out here: what is written to it outlasts the kernel.
PORT = ["-chardev", "file,id=text,path={dir}/text", "-device", "virtserialport,chardev=text,name=kh.text"]


@contextlib.contextmanager
def same_life(tap, life):
    before = life.both()
    yield
    after = life.caught_up(before)
    check_same_life(tap, before, after)
    check_traffic(tap, after)


def not_held(data):
    return {(c["id"], c.get("subject")): c for c in data["claims"] if c["verdict"] != "holds"}


def blind_upgrade(tap, l1, what):
    """The upgrade goes through; what the programs would have seen in the old kernel is unknown, all else holds."""
    prefix, why = AWAY[what]
    send(l1, os.path.join(BUILD, "tests/vm/without"), "/run/without")
    l1.check("chmod +x /run/without")
    status, out = l1.run(f"{prefix} khctl trace")
    tap.check(f"without {what}: khctl trace says so and fails", status == 1 and why in out, f"{status}: {out}")
    save_kernel_log(l1)
    jumped, status, output = jump(l1, f"{prefix} khctl {UPGRADE} 2>/dev/virtio-ports/kh.text")
    said = l1.read("text")
    if not tap.check(f"without {what}: the upgrade is not held up", jumped, f"{status}\n{output}{said}"):
        raise RuntimeError("no further")
    tap.check(f"without {what}: khctl upgrade says so", "instruments: " + why in said, said[-500:])
    tap.check(f"without {what}: khctl resume says that not all holds", status == 4, f"{status}\n{output[-2000:]}")
    status, data, talk = khctl(l1, "verify")
    tap.check(f"without {what}: khctl verify does not pass", status == 5 and data["verdict"] == "unknown", talk)
    found = not_held(data)
    tap.check(f"without {what}: unknown is what rests on programs in the old kernel", set(found) == SEEN_BY_BPF
              and all(c["verdict"] == "unknown" for c in found.values()), found)
    tap.check(f"without {what}: the claim says why", why in found[("instruments", "old kernel")]["evidence"], found)
    check_quiet(tap, l1, f"after an upgrade without {what}")


def level(l1):
    return re.search(r"\[(\w+)\]", l1.check("cat /sys/kernel/security/lockdown"))[1]


def refused_by_lockdown(tap, l1, life, wanted, programs):
    """The kernel wants a signed kernel, and ours is not. programs: does BPF work?"""
    tap.check(f"the kernel is locked down: {wanted}", level(l1) == wanted, level(l1))
    status, data, talk = khctl(l1, f"check --kernel /boot/bzImage-inject --qmp /run/g1.qmp")
    kexec = next(c for c in data["checks"] if c["id"] == "kexec")
    tap.check(f"{wanted}: khctl check names it", wanted in kexec["found"], kexec)
    with same_life(tap, life):
        status, out = l1.run("khctl " + UPGRADE, 180)
    tap.check(f"{wanted}: the upgrade fails when the kernel is loaded, is undone, and khctl says why",
              status == 1 and "load: kexec_file_load" in out and "locked down" in out and "all undone" in out, f"{status}: {out}")
    tap.check(f"{wanted}: khctl upgrade says which programs could not be attached, if any",
              bool(re.search(r"instruments: could not be attached: \w", out)) != programs, out)
    check_quiet(tap, l1, f"after an upgrade that lockdown={wanted} stopped")
    status, out = l1.run("timeout -s INT 4 khctl trace")
    refused = re.search(r"trace: could not be attached: (.*)", out)
    tap.check(f"{wanted}: khctl trace attaches its programs, or says which not, and that the kernel is locked down",
              "attached" in out and (not refused if programs else
                                     refused and f"trace: the kernel is locked down ({wanted})" in out), f"{status}: {out[-2000:]}")


def locked_down(tap, l1, life):
    save_kernel_log(l1)
    cmdline = l1.check("cat /proc/cmdline").strip()
    jumped, status, output = jump(l1, f"khctl {UPGRADE} --append '{cmdline} lockdown=integrity'")
    l1.check("mount -t securityfs none /sys/kernel/security")
    tap.check("into a kernel that is locked down", jumped and level(l1) == "integrity", output[-2000:])
    # Reading is what this level allows, and all that the verdict rests on can be read.
    tap.check("khctl resume has all that it needs there", status == 0, output[-2000:])
    refused_by_lockdown(tap, l1, life, "integrity", programs=True)
    l1.check("echo confidentiality >/sys/kernel/security/lockdown")
    refused_by_lockdown(tap, l1, life, "confidentiality", programs=False)
    status, data, talk = khctl(l1, "verify")
    tap.check("confidentiality: khctl verify still reads the state area, and an upgrade that was undone is no pass",
              status in (1, 5) and data is not None and data["state"] == "aborted" and data["verdict"] != "pass", talk)


def main():
    tap = Tap()
    folder = os.path.join(BUILD, "vm", "blind")
    with lab(tap, "blind", kernel="inject", guests=("g1",), machine=[x.format(dir=folder) for x in PORT]) as l1:
        life = Life(l1)
        life.ready()
        for what in AWAY:
            tap.say("without " + what)
            with same_life(tap, life):
                blind_upgrade(tap, l1, what)
        tap.say("locked down")
        locked_down(tap, l1, life)
        check_logs(tap, l1)
    tap.finish()


if __name__ == "__main__":
    main()
