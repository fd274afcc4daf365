#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The instruments: khctl trace while an upgrade runs, the bpftool lines of docs/tracing.md, a program that cannot be
attached, a stock kernel, and hosts where BPF does not work. On the way the commands of the guides are run as they are."""
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
import documented  # noqa: E402
from scenario import (  # noqa: E402
    BUILD, TOP, Life, Tap, attached, check_logs, check_quiet, check_verify, crowd, jump, khctl, lab, save_kernel_log)

NIC = "0000:01:00.0"
ONLY_PATCHED = ["iommu_page_end", "iommu_page_new", "kexec_keep", "preserve_clear", "preserve_set"]
CLAIMS = [("instruments", "old kernel"), ("instruments", "new kernel"), ("untouched", NIC), ("iommu-untouched", None)]
# A serial port of L1 that is a file out here: what is written to it outlasts the kernel.
PORTS = [x for name in ("trace", "text") for x in (
    "-chardev", "file,id=%s,path={dir}/%s" % (name, name), "-device",
    "virtserialport,chardev=%s,name=kh.%s" % (name, name))]


def objects(text):
    """Lines of JSON; the last may have been cut by the jump."""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("}\n")]


def claims(data):
    return {(c["id"], c.get("subject")): c for c in data["claims"]}


def check_claims(tap, data, wanted, what):
    found = claims(data)
    for key, verdict in wanted.items():
        tap.check(f"{what}: {key[0]} {key[1] or ''}: {verdict}", key in found and found[key]["verdict"] == verdict,
                  found.get(key))


def in_background(l1, command):
    return l1.check(f"setsid sh -c '{command}' </dev/null >/dev/null 2>&1 & echo $!").strip()


def documented_lines():
    with open(os.path.join(TOP, "docs/tracing.md"), encoding="utf-8") as f:
        return [m[1] for m in re.finditer(r"^    (bpftool .*)$", f.read(), re.M)]


def bpftool(tap, l1, line):
    """One line of the documentation, in the middle of an upgrade."""
    name = "bpftool: " + line
    if "event_pipe" not in line:
        status, out = l1.run(line)
        tap.check(name, status == 0 and out.strip(), f"{status}: {out}")
        return out
    # It runs until it is interrupted; a configuration write that changes nothing gives it something to show.
    job = l1.spawn(f"timeout -s INT 5 {line}")
    l1.check("sleep 2; setpci -s 01:00.0 0c.b=$(setpci -s 01:00.0 0c.b)")
    _, out = job.wait(30)
    tap.check(name, '"data"' in out, out)
    return out


def during_upgrade(tap, l1):
    """khctl is halted as soon as its programs are there; the guest runs. All lines work, then it goes on."""
    l1.check("i=0; while [ ! -e /sys/fs/bpf/khctl/link/vfio_open ] && [ $i -lt 1500 ]; do usleep 20000; i=$((i+1)); done; "
             "kill -STOP $(cat /run/upgrade.pid); [ -e /sys/fs/bpf/khctl/link/vfio_open ]", 60)
    try:
        tap.check("what is checked when no upgrade is on sees what is there during one", attached(l1) == ["programs", "pins"],
                  attached(l1))
        lines = documented_lines()
        tap.check("the documentation has lines for bpftool", len(lines) >= 5, lines)
        out = [bpftool(tap, l1, line) for line in lines]
        tap.check("bpftool shows the program", "pci_cfg_write" in out[0] and "tracing" in out[0], out[0])
        tap.check("bpftool dumps the counters by name", any('"seen"' in x and '"lost"' in x for x in out), out)
    finally:
        l1.check("kill -CONT $(cat /run/upgrade.pid)")


def traced_upgrade(tap, l1):
    check_quiet(tap, l1, "while no upgrade is on")
    l1.check(f"echo {'12' * 16} >/sys/kernel/kram/recorder")
    tap.check("a recorder that runs is told by that check", attached(l1) == ["recorder"], attached(l1))
    l1.check("echo 0 >/sys/kernel/kram/recorder")
    for name, options in (("trace", "--json --device " + NIC), ("text", "--device " + NIC)):
        in_background(l1, f"exec khctl trace {options} >/dev/virtio-ports/kh.{name} 2>/run/{name}.err")
    l1.wait_for(lambda: '"attached"' in l1.read("trace") and "attached" in l1.read("text"), 60, "khctl trace")
    tap.check("khctl trace has nothing to complain of", not l1.check("cat /run/trace.err /run/text.err").strip(),
              l1.check("cat /run/trace.err"))

    save_kernel_log(l1)
    boot = l1.boot
    job = l1.spawn("khctl upgrade --kernel /boot/bzImage-b --qmp /run/g1.qmp & echo $! >/run/upgrade.pid; wait $!")
    during_upgrade(tap, l1)
    l1.wait_for(lambda: job.done() or l1.boot > boot, 240, "the jump")
    tap.check("the upgrade went on to the next kernel", job.result is None, job.result)
    match = l1.wait_console(r"init: khctl resume ended with (\d+)", 240)
    tap.check("khctl resume succeeded", match[1] == "0", l1.console()[-3000:])
    check_stream(tap, l1)
    check_saved(tap, l1)
    check_quiet(tap, l1, "after an upgrade")
    check_claims(tap, check_verify(tap, l1), dict.fromkeys(CLAIMS, "holds"), "a good upgrade")


def check_stream(tap, l1):
    events = objects(l1.read("trace"))
    types = {e["type"] for e in events}
    wanted = {"attached", "kexec-load", "vfio-flags", "pci-config-write"}
    tap.check("the stream of JSON has what happened", wanted <= types, sorted(types))
    tap.check("each has a time, a CPU and arguments", all(e["tsc"] and "cpu" in e and "args" in e for e in events), events)
    tap.check("none was lost", "gap" not in types, sorted(types))
    text = {line.split("\t")[3] for line in l1.read("text").splitlines() if line.count("\t") >= 3}
    tap.check("the text has the same", wanted <= text, sorted(text))


def check_saved(tap, l1):
    status, out = l1.run("khctl trace --saved --json 2>/run/saved.err")
    events = objects(out)
    old = [e for e in events if e["kernel"] == "old"]
    new = [e for e in events if e["kernel"] == "new"]
    tap.check("khctl trace --saved", status == 0 and old and new, f"{status}: {l1.check('cat /run/saved.err')}{out[:2000]}")
    kernels = [e["kernel"] for e in events]
    tap.check("no event of the new kernel before one of the old", kernels == ["old"] * len(old) + ["new"] * len(new), events)
    steps = ["kexec-begin", "machine-shutdown", "kram-seal", "machine-kexec", "kram-adopt", "kvm-run"]
    types = [e["type"] for e in events]
    first = [types.index(step) if step in types else -1 for step in steps]
    tap.check("in order: " + " ".join(steps), -1 not in first and first == sorted(first), list(zip(steps, first)))
    tap.say(f"{len(old)} events in the old kernel, {len(new)} in the new one")
    # Those of programs that are read in any case, and those that the kernels recorded themselves: from kexec-begin on
    # the thread that reads what programs tell may be stopped before it has its turn.
    for where, what, source, wanted in (
            (old, "old kernel", "bpf", {"kexec-load", "vfio-flags"}),
            (old, "old kernel", "recorder", {"kexec-begin", "pci-keep", "machine-shutdown", "kram-seal", "machine-kexec"}),
            (new, "new kernel", "recorder", {"kram-adopt"}), (new, "new kernel", "bpf", {"kvm-run"})):
        types = {e["type"] for e in where if e["source"] == source}
        tap.check(f"{what}, {source}: {' '.join(sorted(wanted))}", wanted <= types, sorted(types))
    # of one guest with one vCPU
    runs = [e["args"] for e in new if e["type"] == "kvm-run"]
    tap.check("each vCPU's first run came once", runs == [{"vcpu": 0}], runs)
    data = khctl(l1, "status")[1]
    programs = [p for side in data["instruments"] for p in side["programs"] if p["state"] != "unused"]
    tap.check("khctl status: every program was attached", programs and all(p["state"] == "attached" for p in programs), data)
    kram = data["kram"]
    tap.check("khctl status: KRAM was adopted and is in use", kram["state"] == "adopted"
              and 0 < kram["used_pages"] < kram["pool_pages"], kram)
    new_side = data["instruments"][1]
    ns = (new_side["attached_tsc"] - new_side["began_tsc"]) * 10**9 // data["tsc_hz"]
    tap.say(f"attaching took {ns} ns in the new kernel, the blackout {data['blackout_ns']} ns")
    tap.check("khctl status: no event was lost", all(s["lost"] == s["dropped"] == 0 for s in data["instruments"]), data)
    tap.check("khctl status: all have a place in this kernel", data["probes"]["missing"] == [], data["probes"])


def crowded(tap, l1):
    """One function has as many programs already as a kernel takes."""
    crowd(l1)
    save_kernel_log(l1)
    jumped, status, output = jump(l1, "khctl upgrade --kernel /boot/bzImage-a --qmp /run/g1.qmp 2>/dev/virtio-ports/kh.text")
    tap.check("the upgrade is not held up by it", jumped, output)
    tap.check("khctl upgrade names the program", re.search("could not be attached: pci_hot$", l1.read("text"), re.M),
              l1.read("text")[-500:])
    tap.check("khctl resume says that not all holds", status == 4, f"{status}\n{output[-2000:]}")
    status, data, talk = khctl(l1, "verify")
    tap.check("khctl verify does not pass", status == 5 and data["verdict"] == "unknown", talk)
    check_claims(tap, data, dict(zip(CLAIMS, ("unknown", "holds", "unknown", "unknown"))), "a program short")
    tap.check("the claim names it", "pci_hot" in claims(data)[CLAIMS[0]]["evidence"], data["claims"])
    others = [c for c in data["claims"] if (c["id"], c.get("subject")) not in CLAIMS]
    tap.check("all other claims hold", others and all(c["verdict"] == "holds" for c in others), others)


def comes_and_goes(tap, l1):
    """A guest ends and another one starts: most programs have something to tell."""
    pid = in_background(l1, "exec khctl trace --json >/run/life 2>&1")
    until = "i=0; until {} || [ $i -gt 600 ]; do usleep 100000; i=$((i+1)); done"
    l1.check(until.format("grep -q attached /run/life"), 90)
    l1.check("l1-guest stop g1; " + until.format("! pidof qemu-kh >/dev/null"), 90)
    # The guest that goes has a kvm-run of its own, from the time when the programs were attached.
    l1.check("l1-guest start g1; " + until.format("sed -n '/vfio-enable/,$p' /run/life | grep -q kvm-run"), 90)
    l1.check(f"kill -INT {pid}; " + until.format(f"! kill -0 {pid} 2>/dev/null"), 90)
    events = objects(l1.check("cat /run/life"))
    types = {e["type"] for e in events}
    wanted = {"vfio-close", "vfio-disable", "vfio-open", "vfio-enable", "vfio-irqs", "pci-reset", "pci-master", "pci-enable",
              "pci-disable", "pci-msix-disable", "iommu-attach", "iommu-map", "iommu-unmap", "iommu-flush", "kvm-run"}
    tap.check("a guest comes and goes: " + " ".join(sorted(wanted)), wanted <= types, sorted(wanted - types))
    for kind in ("iommu-page-alloc", "iommu-page-free"):
        pages = [e for e in events if e["type"] == kind and e["args"]["owner"] == "kram"]
        tap.check(f"{kind}: of KRAM, with the name of the caller",
                  pages and all(int(e["args"]["phys"], 16) and "+0x" in e["caller"] for e in pages), events[:20])


def guides_before(tap, l1):
    guide = "docs/host-guide.md"
    documented.run(tap, l1, guide, "1. What the host must have", "khctl")
    documented.run(tap, l1, guide, "3. Reserve memory: the kernel command line", "cat|grep|ls")
    documented.run(tap, l1, guide, "8. The first upgrade", "khctl check")
    tap.check(f"{guide} upgrades as this scenario does", "khctl upgrade --kernel /boot/bzImage-b --qmp /run/g1.qmp"
              in documented.commands(guide, "8. The first upgrade"))


def guides_after(tap, l1):
    # Evidence is kept in /root, which cannot be written to in L1.
    l1.check("mount -t tmpfs tmpfs /root")
    documented.run(tap, l1, "docs/host-guide.md", "8. The first upgrade", "khctl (status|verify)")
    documented.run(tap, l1, "docs/failures.md", "Afterwards", "khctl")


def patched(tap):
    folder = os.path.join(BUILD, "vm", "trace")
    with lab(tap, "trace", kernel="a", guests=("g1",), machine=[x.format(dir=folder) for x in PORTS]) as l1:
        life = Life(l1)
        life.ready()
        before = life.both()
        guides_before(tap, l1)
        tap.say("an upgrade that is watched")
        traced_upgrade(tap, l1)
        life.caught_up(before)
        guides_after(tap, l1)
        tap.say("one program cannot be attached")
        crowded(tap, l1)
        tap.say("a guest ends, another starts")
        comes_and_goes(tap, l1)
        check_logs(tap, l1)


def fails(tap, l1, what, command, says):
    status, out = l1.run(command)
    tap.check(f"{what}: says so and fails", status == 1 and re.search(says, out), f"{status}: {out}")


def stock(tap):
    with lab(tap, "trace-stock", kernel="stock", qemu="stock", guests=(), memmap={"kram": None}) as l1:
        l1.check("sh -c 'sleep 4; setpci -s 01:00.0 0c.b=$(setpci -s 01:00.0 0c.b)' >/dev/null 2>&1 &")
        status, out = l1.run(f"timeout -s INT 8 khctl trace --json --device {NIC} 2>/run/err; cat /run/err >&2")
        missing = re.search("nothing to attach these to: (.*)", out)
        tap.check("on a stock kernel it names what is missing", missing
                  and sorted(missing[1].split(", ")) == ONLY_PATCHED, out)
        tap.check("and shows what it sees", {"attached", "pci-config-write", "detached"}
                  <= {e["type"] for e in objects(out)}, out)
        data = khctl(l1, "status")[1]
        tap.check("khctl status names it, too", sorted(data["probes"]["missing"]) == ONLY_PATCHED, data)

        fails(tap, l1, "programs that would never be called",
              "echo 0 >/proc/sys/kernel/ftrace_enabled; khctl trace; s=$?; echo 1 >/proc/sys/kernel/ftrace_enabled; exit $s",
              "ftrace_enabled")
        l1.check("cp /etc/passwd /run/passwd; echo nobody:x:65534:65534::/:/bin/sh >>/run/passwd; mount --bind /run/passwd /etc/passwd")
        fails(tap, l1, "not permitted", "su nobody -c 'khctl trace'", "not permitted")
        l1.check("mount -t tmpfs none /sys/kernel/btf")
        fails(tap, l1, "no BTF", "khctl trace", "no BTF")
        fails(tap, l1, "no BTF, as JSON", "khctl trace --json", '"error": ".*no BTF')
        data = khctl(l1, "status")[1]
        tap.check("khctl status says that there is no BTF", "no BTF" in data["probes"].get("error", ""), data)
        l1.check("umount /sys/kernel/btf")
        check_logs(tap, l1, ())


def main():
    tap = Tap()
    for part in [p for p in (stock, patched) if not sys.argv[1:] or p.__name__ in sys.argv[1:]]:
        part(tap)
    tap.finish()


if __name__ == "__main__":
    main()
