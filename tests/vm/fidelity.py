#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""A VM is more than its command line: what runs comes back after an upgrade, or is refused by name before the pause."""
import contextlib
import json
import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from scenario import (  # noqa: E402
    BUILD, Tap, check_logs, check_second_guest, check_verify, khctl, lab, send, serial_until, upgrade)

DISK = "-drive if=none,id=d,file=/dev/vdb,format=raw,cache=none -device virtio-blk-pci,drive=d"
RUN = "/run/vms/g2"


def more_disks(folder):
    """Beside L1's first disk, vda: two with a serial number, vdb and vdc, and one without, vdd."""
    arguments = []
    for slot, serial in enumerate((",serial=kh-second", ",serial=kh-third", "")):
        path = os.path.join(folder, f"disk{slot}.img")
        with open(path, "wb") as f:
            f.truncate(64 << 20)
        arguments += ["-drive", f"if=none,id=more{slot},format=raw,file={path}",
                      "-device", f"virtio-blk-pci,drive=more{slot},addr=0x{8 + slot:x}{serial}"]
    return arguments


def command(execute, /, **arguments):
    return {"execute": execute, "arguments": {k.replace("_", "-"): v for k, v in arguments.items()}}


def ask(l1, socket, *commands):
    """QMP commands to a QEMU of L1, over its own socket; the last answer."""
    words = " ".join("'" + (c if isinstance(c, str) else json.dumps(c)) + "'" for c in commands)
    return l1.check(f"/run/qmp {socket} {words}")


def refused(tap, l1, what, wanted, says):
    """khctl refuses because of the check `wanted`, says what it found, and the VM runs on."""
    status, data, talk = khctl(l1, "check --kernel /boot/bzImage-b --qmp /run/x.qmp")
    found = [c for c in (data or {}).get("checks", []) if c["id"] == wanted and not c["ok"]]
    tap.check(f"{what}: refused because of {wanted}, with a remedy",
              status == 3 and any(re.search(says, c["found"]) and c["remedy"] for c in found),
              f"exit status {status}\n{found}\n{talk}")
    answer = ask(l1, "/run/x.qmp", command("query-status"))
    tap.check(f"{what}: the guest runs on", '"running": true' in answer, answer)


def wait_for(condition):
    return f"i=0; until {condition} || [ $i -gt 400 ]; do usleep 25000; i=$((i+1)); done; {condition}"


@contextlib.contextmanager
def machine(l1, options, prefix=""):
    """A small VM of its own, whose firmware finds nothing to start."""
    l1.check(f"cd /run && {{ setsid {prefix} /usr/bin/qemu-kh -name x -L /usr/share/qemu -nodefaults -no-user-config -display none "
             f"-machine pc-q35-10.0 -accel kvm -m 16M -qmp unix:/run/x.qmp,server=on,wait=off -pidfile /run/x.pid "
             f"{options} </dev/null >/run/x.log 2>&1 & }}; " + wait_for("[ -s /run/x.pid ]") + " || { cat /run/x.log; false; }")
    try:
        yield
    finally:
        l1.check("p=$(cat /run/x.pid); kill $p; while [ -e /proc/$p ]; do usleep 20000; done; rm -f /run/x.*")


def disks(tap, l1):
    with machine(l1, DISK):
        ask(l1, "/run/x.qmp", command("drive-mirror", device="d", target="/dev/vdc", sync="full", mode="existing", format="raw"),
            "event:BLOCK_JOB_READY", command("block-job-complete", device="d"), "event:BLOCK_JOB_COMPLETED")
        refused(tap, l1, "a disk moved by mirror and pivot", "vm-block", "drive d has /dev/vdc")
    with machine(l1, DISK):
        ask(l1, "/run/x.qmp", command("blockdev-snapshot-sync", device="d", snapshot_file="/dev/vdc", format="qcow2"))
        refused(tap, l1, "an external snapshot", "vm-block", "drive d has /dev/vdc")
    with machine(l1, DISK.replace("cache=none", "snapshot=on"), "env TMPDIR=/run"):
        refused(tap, l1, "snapshot=on", "vm-snapshot", "snapshot=on")
    with machine(l1, DISK.replace("/dev/vdb", "/dev/vdd")):
        refused(tap, l1, "a disk with nothing but a name", "vm-disk", "/dev/vdd")
    l1.check("truncate -s 1M /run/ram.img")
    with machine(l1, DISK.replace("/dev/vdb,format=raw,cache=none", "/run/ram.img,format=raw")):
        refused(tap, l1, "an image in memory", "vm-file", "/run/ram.img")


def changes(tap, l1):
    """One VM, changed more and more while it runs; khctl names each change."""
    for_hotplug = " -device pcie-root-port,id=rp1,chassis=1 -smp 1,maxcpus=2"
    steps = (
        ("a block node", "vm-block", r"node hot \(/dev/vdc\) was added",
         command("blockdev-add", node_name="hot", driver="raw", file={"driver": "host_device", "filename": "/dev/vdc"})),
        ("a disk", "vm-device", "virtio-blk-pci> hotdisk was added",
         command("device_add", driver="virtio-blk-pci", id="hotdisk", drive="hot", bus="rp1")),
        ("a vCPU", "vm-cpu", "2 vCPUs, the machine was made with 1",
         command("device_add", driver="qemu64-x86_64-cpu", id="c1", socket_id=0, core_id=1, thread_id=0)),
        ("an object", "vm-object", "io1 was added", command("object-add", qom_type="iothread", id="io1")),
        ("a character device", "vm-chardev", r"c2 \(null\) was added",
         command("chardev-add", id="c2", backend={"type": "null", "data": {}})),
        ("a network back end", "vm-net", "n1 was added", command("netdev_add", type="hubport", id="n1", hubid=1)),
        ("a limit", "vm-throttle", "iops is 100",
         command("block_set_io_throttle", device="d", bps=0, bps_rd=0, bps_wr=0, iops=100, iops_rd=0, iops_wr=0)),
        ("a bitmap", "vm-bitmap", "b0 of node hot", command("block-dirty-bitmap-add", node="hot", name="b0")))
    with machine(l1, DISK + for_hotplug):
        for what, wanted, says, change in steps:
            # QMP writes an underscore where the argument has one
            text = json.dumps(change)
            for name in ("bps-rd", "bps-wr", "iops-rd", "iops-wr"):
                text = text.replace(f'"{name}"', f'"{name.replace("-", "_")}"')
            ask(l1, "/run/x.qmp", text)
            refused(tap, l1, what + " that was added", wanted, says)


def options(tap, l1):
    l1.check("printf '[name]\\n  guest = \"x\"\\n' >/run/conf; setsid /run/qmp listen /run/peer </dev/null >/dev/null 2>&1 & " +
             wait_for("[ -S /run/peer ]"))
    with machine(l1, "-serial pty -serial file:/run/serial -chardev socket,id=c,path=/run/peer -readconfig /run/conf"):
        refused(tap, l1, "a pseudo terminal", "vm-chardev", "-serial pty")
        refused(tap, l1, "a file that would be emptied", "vm-chardev", "-serial file:/run/serial")
        refused(tap, l1, "a client of another process", "vm-helper", "path=/run/peer")
        refused(tap, l1, "-readconfig", "vm-argv", "-readconfig")
    with machine(l1, "", "unshare -m"):
        refused(tap, l1, "a namespace of its own", "vm-namespace", "mnt")


# The names of L1's first two disks are swapped in kernel A. In kernel B they are in the order of their slots.
SWAP = ("cd /sys/bus/virtio/drivers/virtio_blk; a=$(basename $(readlink -f /sys/block/vda/device)); "
        "b=$(basename $(readlink -f /sys/block/vdb/device)); echo $a >unbind; echo $b >unbind; echo $b >bind; echo $a >bind")

# g2 with a user, limits, a folder and a scheduling of its own; one socket waits for a client, one listens at 127.0.0.1.
START = rf"""
mkdir -p {RUN}; cp /etc/passwd /run/passwd; echo qemu:x:1234:77::/:/bin/sh >>/run/passwd; mount --bind /run/passwd /etc/passwd
chown 1234 /dev/kvm /dev/dax1.0 $(readlink -f /dev/virtio-ports/kh.g2) /dev/vdb {RUN}; ip link set lo up
cat >/run/start <<'EOF'
cd {RUN}; umask 027; ulimit -n 777; ulimit -c 0; echo 333 >/proc/self/oom_score_adj; renice -n 5 -p $$; trap '' USR2
export FIDELITY=whole KH_RUN={RUN} KH_DISK=/dev/vdb
taskset -p 2 $$
exec su qemu -c 'l1-guest start g2 -chardev socket,id=w,path=wait.sock,server=on -device virtio-serial-pci -device virtserialport,chardev=w -serial tcp:127.0.0.1:5555,server=on,wait=off'
EOF
sh /run/start
"""


def pid_of_g2(l1):
    return l1.check("for p in $(pidof qemu-kh); do tr '\\0' ' ' </proc/$p/cmdline | grep -q -- '-name g2 ' && echo $p; done").split()[0]


def attributes(l1):
    """What /proc says of g2's process; of its threads how they are scheduled, each way once."""
    return l1.check(f"cd /proc/{pid_of_g2(l1)} && grep -E '^(Umask|Uid|Gid|Groups|NoNewPrivs|Cap|SigIgn)' status; cat limits; "
                    "cat oom_score_adj personality coredump_filter; readlink cwd; tr '\\0' '\\n' <environ | sort; "
                    "for t in task/*; do echo $(grep Cpus_allowed_list $t/status) $(sed 's/.*) //' $t/stat | cut -d' ' -f16,17,38,39); "
                    "done | sort -u").splitlines()


def comes_back(tap, l1):
    l1.check(SWAP)
    serials = l1.check("for d in vda vdb; do echo $(cat /sys/block/$d/serial); done").split()
    tap.check("the names of two disks are swapped", serials == ["kh-second", "kh-disk2"], serials)
    l1.check("dd if=/dev/urandom of=/dev/vda bs=1M count=64 2>/dev/null; sync")
    other = l1.check("md5sum </dev/vda")
    l1.check(START)
    l1.check(wait_for(f"[ -S {RUN}/wait.sock ]") + f" && /run/qmp {RUN}/wait.sock")
    second = serial_until(l1, "g2", lambda r: r["ready"], "load", 180)
    vcpu = re.search(r'"thread-id": (\d+)', ask(l1, f"{RUN}/g2.qmp", command("query-cpus-fast")))[1]
    l1.check(f"taskset -p 1 {vcpu}; renice -n -3 -p {vcpu}")
    before = attributes(l1)
    for what in ("Umask:\t0027", "Uid:\t1234\t1234\t1234\t1234", "333", "FIDELITY=whole", RUN):
        tap.check(f"before: {what.split()[-1]}", what in before, "\n".join(before))
    tap.check("before: the vCPU has a CPU of its own", len({x for x in before if x.startswith("Cpus_allowed_list")}) == 2, before)

    upgrade(tap, l1, "b", (f"{RUN}/g2.qmp",))

    serials = l1.check("for d in vda vdb; do echo $(cat /sys/block/$d/serial); done").split()
    tap.check("the disks have their other names now", serials == ["kh-disk2", "kh-second"], serials)
    verify = check_verify(tap, l1)
    holds = [c for c in (verify or {}).get("claims", []) if c["id"] == "vm-process"]
    tap.check("verify claims that the process is as before", [c["verdict"] for c in holds] == ["holds"], holds)
    after = attributes(l1)
    tap.check("/proc says the same of the process and its threads", before == after,
              "\n".join(sorted(set(before) ^ set(after))))
    disks_open = l1.check(f"for f in /proc/{pid_of_g2(l1)}/fd/*; do readlink $f; done | grep /dev/vd | sort -u").split()
    tap.check("QEMU has the same disk open, by its new name", disks_open == ["/dev/vda"], disks_open)
    check_second_guest(tap, l1, second)
    tap.check("the other disk was not written to", l1.check("md5sum </dev/vdb") == other)
    l1.check(f"/run/qmp {RUN}/wait.sock; [ -s {RUN}/g2.pid ]")


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory() as folder, lab(tap, "fidelity", kernel="a", guests=(), machine=more_disks(folder)) as l1:
        send(l1, os.path.join(BUILD, "tests/vm/qmp"), "/run/qmp")
        l1.check("chmod +x /run/qmp")
        for part in (disks, changes, options):
            tap.say(part.__name__)
            part(tap, l1)
        tap.say("comes_back")
        comes_back(tap, l1)
        check_logs(tap, l1, ("g2",))
    tap.finish()


if __name__ == "__main__":
    main()
