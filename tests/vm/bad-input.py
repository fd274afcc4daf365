#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""What khctl must refuse: exit code 3, the check named, a remedy given, and the guests none the wiser."""
import contextlib
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from image import RELOCATABLE, Image  # noqa: E402
from vfio import ATTACH, MAP, holder  # noqa: E402
from scenario import MEMMAP, Life, Tap, check_logs, check_same_life, check_traffic, khctl, lab, serial_until  # noqa: E402

GOOD = "--kernel /boot/bzImage-b --qmp /run/g1.qmp"
NIC = "0000:01:00.0"
WITHOUT_CARD = "--kernel /boot/bzImage-b --qmp /run/g2.qmp"


def refused(tap, l1, what, wanted, arguments, says=None):
    """One upgrade that must be refused because of the check `wanted`."""
    status, data, talk = khctl(l1, "upgrade " + arguments)
    checks = {c["id"]: c for c in (data or {}).get("checks", []) if not c["ok"]}
    good = status == 3 and wanted in checks
    tap.check(f"{what}: refused, because of {wanted}", good, f"exit status {status}, failed {list(checks)}\n{talk}")
    if good:
        c = checks[wanted]
        tap.check(f"{what}: says what was found, what was wanted, and the remedy",
                  c["found"] and c["wanted"] and c["remedy"], c)
        if says:
            tap.check(f"{what}: says {says!r}", re.search(says, " ".join((c["found"], c["wanted"], c["remedy"]))), c)
    loaded = l1.check("cat /sys/kernel/kexec_loaded").strip()
    tap.check(f"{what}: no kernel is loaded", loaded == "0", loaded)


def still_runs(tap, l1, arguments):
    """Where no load is waited for: after a refusal khctl finds each VM running."""
    _, data, talk = khctl(l1, "check " + arguments)
    states = [c["ok"] for c in (data or {}).get("checks", []) if c["id"] == "vm-status"]
    tap.check("and the guest runs", states and all(states), talk)


@contextlib.contextmanager
def untouched(tap, l1, life):
    """Whatever happens inside: the guest neither stops nor loses anything."""
    before = life.both()
    yield
    after = life.caught_up(before)
    check_same_life(tap, before, after)
    check_traffic(tap, after)
    status = l1.check("cat /run/g1.log")
    tap.check("g1: QEMU has nothing to complain of", "error" not in status.lower(), status)


@contextlib.contextmanager
def in_background(l1, command):
    """A command in L1 that runs meanwhile; it is ended by its process group."""
    pid = l1.check(f"setsid sh -c '{command}' >/run/background.log 2>&1 </dev/null & echo $!").strip()
    try:
        yield pid
    finally:
        l1.check(f"kill -CONT -{pid} 2>/dev/null; kill -KILL -{pid} 2>/dev/null; true")


def kernels(tap, l1):
    def with_kernel(path):
        return f"--kernel {path} --qmp /run/g1.qmp"

    refused(tap, l1, "no such kernel", "kernel-file", with_kernel("/run/nothing"))
    refused(tap, l1, "a directory", "kernel-file", with_kernel("/boot"))
    refused(tap, l1, "a file of another type", "kernel-file", with_kernel("/bin/busybox"))
    l1.check(": > /run/empty; head -c 1000000 /boot/bzImage-b > /run/short")
    refused(tap, l1, "an empty file", "kernel-file", with_kernel("/run/empty"))
    refused(tap, l1, "a kernel cut short", "kernel-crc", with_kernel("/run/short"))
    refused(tap, l1, "a kernel without KRAM", "kernel-kram", with_kernel("/boot/bzImage-stock"))

    image = Image("b")
    path = image.set(len(image.data) // 2, bytes([image.data[len(image.data) // 2] ^ 1])).make(l1, "/run/flipped")
    refused(tap, l1, "a kernel with one bit changed", "kernel-crc", with_kernel(path))
    image = Image("b")
    path = image.set(image.find_kram() + 8, b"\x07\0\0\0").right_checksum().make(l1, "/run/abi")
    refused(tap, l1, "a kernel of another KRAM ABI version", "kernel-kram", with_kernel(path), r"\b7\b")
    path = Image("b").set(RELOCATABLE, b"\0").right_checksum().make(l1, "/run/fixed")
    refused(tap, l1, "a kernel that is not relocatable", "kernel-reloc", with_kernel(path))
    refused(tap, l1, "no such initrd", "initrd", GOOD + " --initrd /run/nothing")
    refused(tap, l1, "an empty initrd", "initrd", GOOD + " --initrd /run/empty")
    for what, size in (("after 2000 bytes", "2000"), ("1000 bytes before its end", "-1000")):
        l1.check(f"head -c {size} /boot/guest/initrd.gz > /run/cut.gz")
        refused(tap, l1, f"an initrd cut {what}", "initrd", GOOD + " --initrd /run/cut.gz", "gzip data is damaged or cut short")
    refused(tap, l1, "a way back to a file that is no kernel", "back-kernel", GOOD + " --back-kernel /bin/busybox", "no bzImage")
    refused(tap, l1, "a way back to a kernel without KRAM", "back-kernel", GOOD + " --back-kernel /boot/bzImage-stock",
            "does not know KRAM")
    l1.check("rm -f /run/short /run/cut.gz /run/flipped /run/abi /run/fixed")


def command_lines(tap, l1):
    running = l1.check("cat /proc/cmdline").strip()

    def with_append(text):
        return f"{GOOD} --append '{text}'"

    refused(tap, l1, "--append without intel_iommu=on", "append",
            with_append(running.replace("intel_iommu=on", "")), "intel_iommu")
    refused(tap, l1, "--append with intel_iommu=off", "append", with_append(running + " intel_iommu=off"), "intel_iommu")
    refused(tap, l1, "--append with another KRAM area", "append",
            with_append(running.replace("memmap=64M:", "memmap=32M:")), "memmap")
    refused(tap, l1, "--append with guest RAM cut short", "append",
            with_append(running.replace("memmap=3072M!", "memmap=2048M!")), "memmap")
    refused(tap, l1, "--append with kram=noadopt", "append", with_append(running + " kram=noadopt"), "noadopt")
    refused(tap, l1, "--append with more persistent memory", "append", with_append(running + " memmap=64M!0x50000000"),
            "memory that is not there now")
    refused(tap, l1, "--append with scalable mode", "append",
            with_append(running.replace("intel_iommu=on", "intel_iommu=on,sm_on")), "intel_iommu=on,sm_on, the running kernel has")
    refused(tap, l1, "--append with nox2apic", "append", with_append(running + " nox2apic"), "the running kernel has no nox2apic")
    refused(tap, l1, "--append with pci=nomsi", "append", with_append(running + " pci=nomsi"), "pci=nomsi")
    refused(tap, l1, "--append with pci=realloc", "append", with_append(running + " pci=realloc"), "pci=realloc")
    refused(tap, l1, "--append with a root= that is not there", "root-fs",
            with_append(running.replace("root=/dev/pmem3", "root=/dev/pmem9")), "/dev/pmem9: no such device")
    refused(tap, l1, "--append without root=", "root-fs", with_append(running.replace("root=/dev/pmem3", "")), "neither root=")
    refused(tap, l1, "--append with an init= that is not there", "root-fs", with_append(running + " init=/no/such/init"),
            "No such file")
    _, data, talk = khctl(l1, f"check {GOOD} --append '{running} debug console=tty0'")
    good = [c["id"] for c in (data or {}).get("checks", []) if c["ok"]]
    tap.check("--append with parameters that decide nothing is accepted", {"append", "root-fs"} <= set(good), talk)
    refused(tap, l1, "--append of 3000 bytes", "append", with_append(running + " x=" + "y" * 3000))


def sockets(tap, l1):
    def with_socket(path):
        return "--kernel /boot/bzImage-b --qmp /run/g1.qmp --qmp " + path

    refused(tap, l1, "no such QMP socket", "vm-qmp", with_socket("/run/nothing.qmp"))
    refused(tap, l1, "a file that is no socket", "vm-qmp", with_socket("/run/g1.log"))
    refused(tap, l1, "the same VM twice", "vm-qmp", with_socket("/run/g1.qmp"))

    machine = "/usr/bin/qemu-kh -L /usr/share/qemu -nodefaults -nographic -accel kvm -machine q35 -m 64M"
    extra = ("-qmp unix:/run/x.qmp,server=on,wait=off -monitor unix:/run/hmp,server=on,wait=off "
             "-chardev socket,id=mute,path=/run/mute,server=on,wait=off -serial chardev:mute")
    with in_background(l1, f"{machine} {extra}"):
        l1.check("i=0; while [ ! -S /run/mute ] && [ $i -lt 200 ]; do usleep 50000; i=$((i+1)); done; [ -S /run/mute ]")
        refused(tap, l1, "a socket that does not speak QMP", "vm-qmp", with_socket("/run/hmp"))
        refused(tap, l1, "a socket that never answers", "vm-qmp", with_socket("/run/mute"))
        refused(tap, l1, "guest RAM that is not on devdax", "vm-ram", with_socket("/run/x.qmp"))
    refused(tap, l1, "a socket whose QEMU is gone", "vm-qmp", with_socket("/run/x.qmp"))

    # on devdax the kernel itself refuses a private mapping: such a QEMU does not start
    private = f"{machine} -object memory-backend-file,id=mem,size=64M,mem-path=/run/ram,share=off -numa node,memdev=mem"
    with in_background(l1, f"{private} -qmp unix:/run/y.qmp,server=on,wait=off"):
        l1.check("i=0; while [ ! -S /run/y.qmp ] && [ $i -lt 200 ]; do usleep 50000; i=$((i+1)); done; cat /run/background.log")
        refused(tap, l1, "guest RAM in a private file", "vm-ram", with_socket("/run/y.qmp"), "share=on")
    l1.check("rm -f /run/ram")


def found(tap, l1):
    """Each VM is taken along or left behind by name; without --qmp, every VM that is found."""
    kernel = "--kernel /boot/bzImage-b"
    second = l1.check("cat /run/g2.pid").strip()
    refused(tap, l1, "a VM that is not named", "vm-found", GOOD, rf"has a VM of KVM.*--leave-behind {second}")
    refused(tap, l1, "a process to leave behind that is none", "vm-found", f"{GOOD} --qmp /run/g2.qmp --leave-behind 1")
    for what, arguments, sockets, left in (
            ("without --qmp", kernel, {"/run/g1.qmp", "/run/g2.qmp"}, []),
            ("one VM left behind by name", f"{kernel} --leave-behind {second}", {"/run/g1.qmp"}, [second])):
        status, data, talk = khctl(l1, "check " + arguments)
        checks = (data or {}).get("checks", [])
        learned = {c["subject"] for c in checks if c["id"] == "vm-qmp"}
        lost = [c["subject"].split()[1] for c in checks if c["id"] == "vm-found" and "left behind" in c["found"]
                and c.get("subject")]
        tap.check(f"{what}: the checks pass for the VMs that are taken along",
                  (status, learned, lost) == (0, sockets, left), f"{status} {learned} {lost}\n{talk}")
    # a process that holds the card's group without a VM, and one whose only QMP socket has a client
    with in_background(l1, "exec 3<>/dev/vfio/vfio; sleep 600") as pid:
        l1.check(f"i=0; while ! ls -l /proc/{pid}/fd | grep -q vfio && [ $i -lt 200 ]; do usleep 50000; i=$((i+1)); done")
        refused(tap, l1, "a process that holds VFIO", "vm-found", kernel, "holds a VFIO device")
    still_runs(tap, l1, kernel)


def neighbours(tap, l1):
    with in_background(l1, "flock /run/khctl.lock sleep 600"):
        l1.check("while flock -n /run/khctl.lock true; do usleep 20000; done")
        refused(tap, l1, "another khctl at work", "lock", GOOD)
    squatter = ("/usr/bin/qemu-kh -L /usr/share/qemu -nodefaults -nographic -accel kvm -machine q35 -S -m 1G "
                "-object memory-backend-file,id=mem,size=1G,mem-path=/dev/dax0.0,share=on,align=1G -numa node,memdev=mem")
    with in_background(l1, squatter) as pid:
        l1.check(f"i=0; while ! grep -q dax0.0 /proc/{pid}/maps && [ $i -lt 200 ]; do usleep 50000; i=$((i+1)); done")
        refused(tap, l1, "guest RAM that another process uses", "vm-dax-busy", GOOD)
    # QEMU itself does not start with more memory than the namespace has
    status, output = l1.run("/usr/bin/qemu-kh -L /usr/share/qemu -nodefaults -nographic -machine q35 -S -m 64G "
                            "-object memory-backend-file,id=mem,size=64G,mem-path=/dev/dax1.0,share=on,align=2M -numa node,memdev=mem")
    tap.check("a namespace too small for the guest: QEMU refuses it", status != 0 and "size" in output, f"{status}\n{output}")
    refused(tap, l1, "no such state area", "state", GOOD + " --state /dev/dax9.0")
    refused(tap, l1, "a state area that is none", "state", GOOD + " --state /dev/dax0.0")


def no_recorder(tap, l1):
    """A kernel whose KRAM has none, as far as khctl can see."""
    l1.check("mkdir -p /run/kram && cd /sys/kernel/kram && cp -r abi_version generation state nr_areas owners /run/kram/ && "
             "mkdir -p /run/kram/area0 && cp area0/*[!w] /run/kram/area0/ && mount --bind /run/kram /sys/kernel/kram")
    try:
        refused(tap, l1, "no recorder", "recorder", GOOD)
    finally:
        l1.check("umount /sys/kernel/kram")


def surveyed(tap, l1, what, bdf, keep, reasons, options=""):
    """Runs the survey; returns its JSON. It says `keep` of the function, for these reasons and no other."""
    status, data, talk = khctl(l1, "check --survey" + options)
    found = {f["bdf"]: f for f in (data or {}).get("functions", [])}
    tap.check(f"survey, {what}: {bdf}: {keep} {' '.join(reasons)}", status == 0 and bdf in found
              and (found[bdf]["keep"], found[bdf]["reasons"]) == (keep, reasons), f"{status} {found.get(bdf)} {talk[:2000]}")
    return data


def survey(tap, l1):
    """What check --survey says of L1; the same of a copy."""
    data = surveyed(tap, l1, "patched kernel", NIC, "yes", [], " --guest 64M")
    virtio = [f for f in data["functions"] if f["id"].startswith("1af4:")]
    tap.check("survey: each virtio device of L1 has its reason", len(virtio) >= 2
              and all(f["keep"] == "after-change" and f["reasons"] == ["virtio"] for f in virtio), virtio)
    group = [g for g in data["groups"] if NIC in g["functions"]]
    tap.check("survey: the card is alone in its group", [g["functions"] for g in group] == [[NIC]], data["groups"])
    tap.check("survey: the unit is used, not in scalable mode",
              [(u["name"], u["used"], u["scalable_mode"]) for u in data["units"]] == [("dmar0", True, False)], data["units"])
    tap.check("survey: KRAM and interrupt remapping are there",
              data["host"]["kram"] and data["host"]["interrupt_remapping"] and not data["host"]["reasons"], data["host"])
    tap.check("survey: all could be read", data["unread"] == [], data["unread"])
    tap.check("survey: lists what is set aside", len(data["memory"]["set_aside"]) == len(MEMMAP), data["memory"])
    taken = [(int(m[3], 16), int(m[3], 16) + (int(m[1]) << 20))
             for m in (re.fullmatch(r"(\d+)(M)[!:](0x[0-9a-f]+)", area) for area in MEMMAP.values())]
    ranges = [(r["start"], r["start"] + r["bytes"]) for r in data["memory"]["ranges"]]
    tap.check("survey: proposes memory, none of it set aside already", ranges and not
              [(r, t) for r in ranges for t in taken if r[0] < t[1] and t[0] < r[1]], data["memory"])
    status, saved, talk = khctl(l1, "check --survey --guest 64M --save /run/host.tar")
    tap.check("survey: a copy is saved", status == 0 and saved == data, talk[:2000])
    l1.check("mkdir /run/host && tar -C /run/host -xf /run/host.tar")
    status, copied, talk = khctl(l1, "check --survey --guest 64M --root /run/host")
    tap.check("survey: the copy says the same", status == 0 and copied == data, talk[:2000])
    l1.check("rm -r /run/host /run/host.tar")


def nobody(tap, l1):
    """Whoever is not root learns nothing, changes nothing, and is told why."""
    l1.check("cp /etc/passwd /run/passwd; echo nobody:x:65534:65534::/:/bin/sh >>/run/passwd; mount --bind /run/passwd /etc/passwd")
    for arguments, exit_status, says in (
            ("check " + GOOD, 3, "root: user 65534"), ("upgrade " + GOOD, 3, "root: user 65534"),
            ("init --state /dev/dax2.0 --force", 3, "as root"), ("abort", 3, "as root"), ("resume", 3, "as root"),
            ("status", 1, "Permission denied"), ("trace --saved", 1, "Permission denied"), ("trace", 1, "not permitted"),
            ("check --survey", 0, "Could not be read"), ("check --survey --save /run/x.tar", 1, "no copy was saved"),
            ("verify", 5, "Permission denied"), ("verify --save /run/x.khb", 5, "Permission denied")):
        status, out = l1.run(f"su nobody -c 'khctl {arguments}'")
        tap.check(f"not root: khctl {arguments.split(' --')[0]}: exit status {exit_status}, and says why",
                  status == exit_status and says in out, f"{status}: {out}")
    l1.check("umount /etc/passwd")


def a_good_host(tap):
    with lab(tap, "bad-input", kernel="a", guests=("g1", "g2")) as l1:
        life = Life(l1)
        life.ready()
        serial_until(l1, "g2", lambda r: r["ready"], "load", 180)
        status, data, talk = khctl(l1, "check " + GOOD + " --qmp /run/g2.qmp")
        tap.check("without any fault the checks pass", status == 0, talk)
        room = next(c["found"] for c in data["checks"] if c["id"] == "recorder")
        tap.check("they say for how many devices the recorder has room", re.search(r"enough for \d\d+ devices", room), room)
        with untouched(tap, l1, life):
            for part in (kernels, command_lines, sockets, found, neighbours, no_recorder, survey, nobody):
                tap.say(part.__name__)
                part(tap, l1)
        hung(tap, l1)
        check_logs(tap, l1, ("g1", "g2"))


def hung(tap, l1):
    """g2's QEMU is stopped by a signal: its socket takes a connection and says nothing."""
    pid = l1.check("cat /run/g2.pid").strip()
    l1.check(f"kill -STOP {pid}")
    try:
        refused(tap, l1, "a QEMU that hangs", "vm-qmp", GOOD + " --qmp /run/g2.qmp")
    finally:
        l1.check(f"kill -CONT {pid}")
    still_runs(tap, l1, GOOD + " --qmp /run/g2.qmp")


def small_areas(tap):
    """KRAM too small for 2 GiB of guest RAM in 4 KiB pages, and too little room for device state."""
    with lab(tap, "bad-input-small", kernel="a", guests=("g1",), memmap={"kram": MEMMAP["kram"].replace("64M", "4M"), "state": MEMMAP["state"].replace("80M", "16M")},
             machine=["-global", "e1000e.multifunction=on", "-device", "pci-testdev,bus=port1,addr=0x0.1"]) as l1:
        life = Life(l1)
        life.ready()
        with untouched(tap, l1, life):
            refused(tap, l1, "a KRAM area that is too small", "kram-room", GOOD, r"\d+ bytes")
            refused(tap, l1, "a state area that is too small for so many VMs", "state-room",
                    GOOD + " --qmp /run/2.qmp --qmp /run/3.qmp", r"\d+ bytes")
            refused(tap, l1, "another device in the group", "dev-group", GOOD, "01:00.1")
        surveyed(tap, l1, "another device in the group", NIC, "no", ["group"])
        check_logs(tap, l1)


def no_kram(tap):
    with lab(tap, "bad-input-none", kernel="a", guests=("g1",), memmap={"kram": None}) as l1:
        refused(tap, l1, "no KRAM area", "kram", GOOD, "memmap")
        still_runs(tap, l1, GOOD)
        l1.check("pid=$(cat /run/g1.pid); l1-guest stop g1; while [ -e /proc/$pid ]; do usleep 20000; done")
        out = holder(l1, *ATTACH, MAP, "device", "set=1", "get")
        tap.check("no KRAM area: VFIO_GROUP_SET_FLAGS fails with EOPNOTSUPP",
                  out[MAP][0] == "ok" and out["set=1"][0] == "EOPNOTSUPP" and out["get"] == ("ok", ["0"]), out)


def overlap(tap):
    """An area where the kernel itself lies: not reserved, and said so."""
    with lab(tap, "bad-input-overlap", kernel="a", guests=("g2",), memmap={"kram": "64M:0x1000000"},
             append="nokaslr intel_iommu=off") as l1:
        refused(tap, l1, "an area that overlaps RAM in use", "kram", WITHOUT_CARD)
        refused(tap, l1, "IOMMU off", "iommu", WITHOUT_CARD, "intel_iommu=on")
        surveyed(tap, l1, "IOMMU off", NIC, "after-change", ["iommu-off"])
        still_runs(tap, l1, WITHOUT_CARD)
        log = l1.check("dmesg")
        tap.check("the kernel's log says which area it did not reserve", "not reserved" in log,
                  [x for x in log.splitlines() if "kram" in x or "memmap" in x])


def not_intel(tap):
    with lab(tap, "bad-input-amd", kernel="a", guests=("g2",), iommu="amd-iommu") as l1:
        refused(tap, l1, "an IOMMU that is not Intel's", "iommu", WITHOUT_CARD, "IOMMU ivhd")
        surveyed(tap, l1, "an IOMMU that is not Intel's", NIC, "no", ["amd-iommu"])
        still_runs(tap, l1, WITHOUT_CARD)


def main():
    tap = Tap()
    for part in (a_good_host, small_areas, no_kram, overlap, not_intel):
        tap.say(part.__name__)
        part(tap)
    tap.finish()


if __name__ == "__main__":
    main()
