#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Whatever an upgrade must not do is done on purpose, and who claims to notice must notice.

The kernel of the lab is bzImage-inject (kernel/config/inject.config): between the
last process of the old kernel and the first of the new one it does what it is told to.
Then khctl verify and the witness are asked, each for itself. Writes build/evidence/violations.json.
"""
import base64
import collections
import json
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from gdb import Debugger  # noqa: E402
from scenario import BUILD, Life, Tap, check_agreement, crowd, jump, khctl, lab, witness  # noqa: E402

OUT = os.path.join(os.environ.get("KHCTL_EVIDENCE_OUT", BUILD), "evidence")
KERNEL = "--kernel /boot/bzImage-inject --qmp /run/g1.qmp"
MANIFEST = 0x1b0000     # of the old kernel, in the state area: docs/state-format.md
GUEST_RAM = 0x160000000  # a page of it
FINAL = True            # the guest or its card does not outlive it: a lab of its own

# where: the kernel that does it. claim: what khctl must say is violated, or with a ? unknown.
# check: what the witness must say fails; None: cannot be seen from there.
Violation = collections.namedtuple("Violation", "name where claim check final", defaults=(False,))
VIOLATIONS = [
    Violation("translation-off", "old", "translation-on", "iommu.translation"),
    Violation("translation-off", "new", "translation-on", "iommu.translation"),
    Violation("root-replaced", "old", "root-pointer", "iommu.root"),
    Violation("root-replaced", "new", "root-pointer", "iommu.root"),
    Violation("context-dropped", "old", "context-entry", None),
    Violation("pte-dropped", "old", "mappings", None),
    Violation("mapping-added", "old", "mappings", None),
    Violation("page-from-allocator", "old", "pages-not-allocated", None),
    Violation("page-from-allocator", "new", "pages-not-allocated", None),
    Violation("page-freed", "new", "pages-not-allocated", None),
    Violation("irte-changed", "old", "interrupts", None),
    Violation("bar-rewritten", "old", "bars", "nic.config"),
    Violation("bar-rewritten", "new", "bars", "nic.config"),
    Violation("bus-master-off", "old", "bus-master", "nic.bus_master"),
    Violation("bus-master-off", "new", "bus-master", "nic.bus_master"),
    Violation("decode-off", "old", "decode", "nic.config"),
    Violation("msix-off", "old", "msix-enable", "nic.config"),
    Violation("recorder-overrun", "old", "?recorder-whole", None),
    Violation("program-not-attached", "old", "?instruments", None),
    Violation("manifest-edited", "after", "manifest", None),
    Violation("foreign-boot", "after", "?kernel-changed", None),
    Violation("d3", "new", "power-state", "nic.power"),
    # QEMU's e1000e takes no notice of the writes; a card that does is reset by them
    Violation("flr", "new", "no-reset", "nic.config"),
    Violation("pm-reset", "new", "no-reset", "nic.power"),
    Violation("guest-ram-written", "old", "guest-ram-unwritten", "memory", FINAL),
    Violation("guest-ram-written", "new", "guest-ram-unwritten", "memory", FINAL),
    Violation("mapping-removed", "old", "mappings", None, FINAL),
    Violation("bus-reset", "new", "no-reset", "nic.reset", FINAL),
    Violation("pte-elsewhere", "old", "mappings", None, FINAL),
    Violation("guest-ram-allocated", "new", "guest-ram", None, FINAL),
]


def command_line(l1, more=""):
    words = [w for w in l1.check("cat /proc/cmdline").split() if not w.startswith("kram_inject")]
    return " ".join(words + ([more] if more else []))


def do_it(l1, v):
    """One upgrade, in which it happens. Returns what khctl verify and what the witness say."""
    begin, program, more = time.time(), "khctl", ""
    if v.name == "program-not-attached":
        crowd(l1)
    elif v.where == "old":
        l1.check(f"echo {v.name} > /sys/kernel/debug/kram_inject")
    elif v.name == "guest-ram-allocated":
        # A page of the guest's RAM becomes usable RAM for the next kernel; khctl itself would not go there.
        # What is before and behind it are two regions then, and the root's number is one higher.
        root = int(re.search(r"root=/dev/pmem(\d+)", l1.check("cat /proc/cmdline"))[1])
        program, more = "khctl-unchecked", f"memmap=4K%{GUEST_RAM:#x}-12+1 root=/dev/pmem{root + 1}"
    elif v.where == "new":
        # What it did is read from the console, of which khctl leaves what the command line asks for.
        more = f"kram_inject={v.name} kram_inject_ram={GUEST_RAM:#x} ignore_loglevel"
    jumped, _, output = jump(l1, f"{program} upgrade {KERNEL} --append '{command_line(l1, more)}'")
    if not jumped:
        raise RuntimeError("no jump: " + output[-2000:])
    if v.where in ("old", "new") and v.name not in ("guest-ram-allocated", "program-not-attached"):
        done = f"inject: {v.name}: 0"
        if done not in l1.console():
            raise RuntimeError(f"it was not done: no '{done}' on the console")
    if v.name == "manifest-edited":
        edit_manifest(l1)
    elif v.name == "foreign-boot":
        l1.check("echo 00000000-1111-2222-3333-444444444444 > /tmp/id && "
                 "mount --bind /tmp/id /proc/sys/kernel/random/boot_id")
    _, verify, talk = khctl(l1, "verify")
    if v.name == "foreign-boot":
        l1.check("umount /proc/sys/kernel/random/boot_id")
    if verify is None:
        raise RuntimeError("khctl verify said nothing: " + talk)
    return verify, witness(l1, begin, time.time())


def edit_manifest(l1):
    """A bit of the manifest that was taken at the pause, behind khctl's back."""
    area = int(l1.check("cat /sys/bus/dax/devices/dax2.0/resource"), 16)
    debugger = Debugger(l1)
    debugger.physical(True)
    byte = debugger.read(area + MANIFEST + 200, 1)
    debugger.write(area + MANIFEST + 200, bytes([byte[0] ^ 1]))
    debugger.physical(False)
    debugger.detach()


def bad_claims(verify, verdict="violated"):
    return sorted({c["id"] for c in verify.get("claims", []) if c["verdict"] == verdict})


def told(verify, v):
    """Did khctl say that very thing, and in which kernel it was?"""
    if not v.claim:
        return False
    if v.claim.startswith("?"):
        return v.claim[1:] in bad_claims(verify, "unknown") and verify["verdict"] != "pass"
    return v.claim in bad_claims(verify)


def look(tap, l1, life, v, rows):
    verify, report = do_it(l1, v)
    label = f"{v.name} ({v.where})"
    failed = {c["id"]: c["evidence"] for c in report["checks"] if c["verdict"] == "fail"}
    caught = told(verify, v)
    seen = v.check in failed
    if v.check == "memory":
        seen = life.check_memory()["mem"]["errors"] > 0
    if v.claim:
        tap.check(f"{label}: khctl says {v.claim.strip('?')}", caught, json.dumps(
            [c for c in verify["claims"] if c["verdict"] != "holds"])[:3000])
        tap.check(f"{label}: the verdict is no pass", verify["verdict"] != "pass")
    if v.check:
        tap.check(f"{label}: the witness says {v.check}", seen, sorted(failed))
    kernels = sorted({c.get("kernel", "") for c in verify["claims"]
                      if c["id"] == v.claim and c["verdict"] == "violated"})
    if kernels and kernels != [""]:
        tap.check(f"{label}: khctl knows in which kernel", kernels == [v.where], kernels)
    rows.append({"violation": v.name, "where": v.where, "khctl": caught, "witness": seen if v.check else None,
                 "claim": (v.claim or "").strip("?"), "check": v.check or "",
                 "violated": bad_claims(verify), "unknown": bad_claims(verify, "unknown") if caught else [],
                 "witness_failed": sorted(failed)})


def control(tap, l1):
    """Without a violation nobody says a word."""
    begin = time.time()
    jumped, status, output = jump(l1, f"khctl upgrade {KERNEL} --append '{command_line(l1)}'")
    tap.check("control: an upgrade without violation succeeds", jumped and status == 0, output[-3000:])
    status, verify, talk = khctl(l1, "verify --save /run/good.khb")
    tap.check("control: khctl says pass, exit status 0", status == 0 and verify["verdict"] == "pass", talk)
    report = witness(l1, begin, time.time())
    check_agreement(tap, verify, report)
    check_bundle(tap, l1, verify or {})
    _, status, _ = khctl(l1, "status")
    for line in (status or {}).get("log", []):
        if line.get("phase") == "manifest":
            tap.say("manifest " + line["text"])
    tap.say("recorder: " + l1.check("cat /sys/kernel/kram/recorder").strip())


def check_bundle(tap, l1, live):
    """The bundle gives the same claims; cut or altered it gives none."""
    def claims(v):
        return [(c["id"], c.get("subject"), c["verdict"]) for c in (v or {}).get("claims", [])]

    status, again, talk = khctl(l1, "verify --bundle /run/good.khb")
    tap.check("bundle: the same claims", status == 0 and claims(again) == claims(live), talk)
    path = l1.path("good.khb")
    with open(path, "wb") as f:
        f.write(base64.b64decode(l1.check("base64 /run/good.khb")))
    done = subprocess.run([os.path.join(BUILD, "ctl/khctl"), "verify", "--bundle", path, "--json"], capture_output=True,
                          text=True, check=False)
    tap.check("bundle: the same claims on another machine", done.returncode == 0
              and claims(json.loads(done.stdout)) == claims(live), done.stdout + done.stderr)
    l1.check("head -c 100000 /run/good.khb > /run/cut.khb; cp /run/good.khb /run/bad.khb; cp /run/good.khb /run/version.khb; "
             "printf x | dd of=/run/bad.khb bs=1 seek=5000 conv=notrunc 2>/dev/null; echo hello > /run/no.khb; "
             "printf '\\007' | dd of=/run/version.khb bs=1 seek=8 conv=notrunc 2>/dev/null")
    for name, why in (("cut", "cut"), ("bad", "damaged"), ("no", "no bundle"), ("version", "of version 7")):
        status, data, talk = khctl(l1, f"verify --bundle /run/{name}.khb")
        tap.check(f"bundle: {why}: exit status 5 and the reason",
                  status == 5 and data["verdict"] == "unknown" and why in data["error"], talk)


def chain(tap, some, rows, first):
    """As many as go in one life of a guest, one upgrade each. Returns those that are left."""
    name = "evidence-" + some[0].name
    with lab(tap, name, kernel="inject", guests=("g1",)) as l1:
        life = Life(l1)
        life.ready()
        if first:
            control(tap, l1)
        while some:
            v = some.pop(0)
            begin = time.monotonic()
            tap.say(f"{v.name}, in the {v.where} kernel")
            look(tap, l1, life, v, rows)
            tap.say(f"took {time.monotonic() - begin:.0f} s")
            if v.final:
                break
    return some


def save(rows):
    os.makedirs(OUT, exist_ok=True)
    with open(os.path.join(OUT, "violations.json"), "w", encoding="utf-8") as f:
        json.dump(rows, f, indent=1)


def table(rows):
    def word(x):
        return "cannot see" if x is None else "caught" if x else "MISSED"
    lines = [f"{r['violation']:22} {r['where']:6} {word(r['khctl'] if r['claim'] else None):11} "
             f"{word(r['witness']):11} {r['claim']}" for r in rows]
    return "\n".join([f"{'violation':22} {'kernel':6} {'khctl':11} {'witness':11} claim", *lines])


def main():
    tap, rows = Tap(), []
    wanted = sys.argv[1:]
    some = [v for v in VIOLATIONS if not wanted or v.name in wanted or f"{v.name}@{v.where}" in wanted]
    if not some:
        sys.exit("evidence: none of that name; there are " + " ".join(f"{v.name}@{v.where}" for v in VIOLATIONS))
    first = True
    while some:
        before = len(some)
        some = chain(tap, some, rows, first)
        if len(some) == before:
            some.pop(0)
        first = False
        save(rows)
    for line in table(rows).splitlines():
        tap.say(line)
    tap.check("every violation was done and asked about", len(rows) >= (len(wanted) or len(VIOLATIONS)), len(rows))
    tap.finish()


if __name__ == "__main__":
    main()
