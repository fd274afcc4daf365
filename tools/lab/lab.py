# SPDX-License-Identifier: GPL-2.0
"""The lab: an outer QEMU that plays the hardware, L1 in it, and the wire to L1's
network card. tools/README.md describes what is here for others to use."""

import base64
import ctypes
import glob
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

from tsc import tsc_khz

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("KHCTL_LAB_BUILD", os.path.join(TOP, "build"))

L1_MEMORY = "6G"
L1_CPUS = 2
# Emulation does a byte-wise rep instruction byte by byte; without these bits
# kernels clear and copy memory in words, which is what a CPU that has them is faster than.
CPU = "max,-erms,-fsrm,-fsrs"
NIC = "0000:01:00.0"
NIC_MAC = "52:54:00:77:00:02"
MEMMAP = {
    # In pages of a GiB, the first of which is libnvdimm's. Begin and size have to be whole GiB: else the kernel
    # lets tail pages of one stand for the head of another, and warns when a page is pinned (6.12, try_grab_folio()).
    "g1": "3072M!0x100000000",
    "g2": "272M!0x1c0000000",
    "state": "80M!0x1d1000000",
    "kram": "64M:0x1d6000000",
    # L1's root file system: the disk's image, in memory that survives. The outer QEMU puts it there.
    "root": "256M!0x1e0000000",
}
TRACE = (
    "vtd_dmar_enable", "vtd_ir_enable", "vtd_reg_dmar_root", "vtd_reg_ir_root",
    "vtd_dmar_fault", "vtd_reg_write_gcmd",
    "pci_cfg_write", "pci_pm_transition",
    "e1000e_core_ctrl_sw_reset", "e1000e_core_ctrl_phy_reset", "e1000e_cb_qdev_reset_hold",
    "e1000e_link_status_changed",
)
TRACE_LINE = re.compile(r"^(?:\d+@)?(\d+\.\d+):(\S+) ?(.*)$")


PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def nic_mac(n):
    """Of the n-th card, from 1."""
    return NIC_MAC if n == 1 else "52:54:00:77:01:%02x" % n


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def clear_away():
    """What labs left whose driver is gone; the namespace's name has its pid."""
    for path in glob.glob("/run/netns/kh-*") + glob.glob("/tmp/kh-*"):
        match = re.fullmatch(r"kh-(\d+)-\d+", os.path.basename(path))
        if not match or os.path.exists("/proc/" + match[1]):
            continue
        if path.startswith("/run"):
            subprocess.run(["ip", "netns", "del", os.path.basename(path)], check=False)
        else:
            shutil.rmtree(path, ignore_errors=True)


class Jumped(Exception):
    """L1 went to another kernel before the command's answer came."""


class Job:
    """A command that runs in L1."""

    def __init__(self, lab, command):
        self.lab = lab
        self.command = command
        self.result = None
        self.jumped = False

    def done(self):
        return self.result is not None or self.jumped

    def wait(self, timeout=60):
        self.lab.wait_for(self.done, timeout, "the end of: " + self.command)
        if self.result is None:
            raise Jumped(self.command)
        return self.result


class Port:
    """One end of a virtio serial port of L1, and everything that came out of it."""

    def __init__(self, path, receive):
        self.path = path
        self.receive = receive
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(1)
        self.connection = None
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        try:
            self.connection, _ = self.listener.accept()
            while data := self.connection.recv(65536):
                self.receive(data)
        except OSError:
            pass

    def send(self, data):
        self.connection.sendall(data)

    def close(self):
        for s in (self.listener, self.connection):
            if s:
                s.close()


class Lab:
    numbers = itertools.count()

    def __init__(self, dir, kernel="a", qemu="kh", guests=("g1",), icount=False,
                 accel="auto", append="", memmap=None, machine=(), iommu="intel-iommu,intremap=on", outer="kh",
                 ram=L1_MEMORY, cpus=L1_CPUS, nics=1, nic=NIC, wires=1):
        self.dir = os.path.abspath(dir)
        self.kernel = kernel
        self.qemu_inside = qemu
        self.guests = guests
        self.icount = icount
        self.accel = accel
        self.append = append
        self.memmap = dict(MEMMAP, **(memmap or {}))
        self.machine = list(machine)
        self.iommu = iommu
        self.outer_name = outer
        self.ram, self.cpus, self.nics, self.nic, self.wires = ram, cpus, nics, nic, wires
        self.netns = "kh-%d-%d" % (os.getpid(), next(self.numbers))
        # Paths of Unix sockets are short, self.dir may be long.
        self.sockets = "/tmp/" + self.netns
        self.boot = 0
        self.release = None
        self.changed = threading.Condition()
        self.jobs = {}
        self.job_ids = itertools.count(1)
        self.partial = b""
        self.outer = None
        self.ports = []
        self.qmp_file = None
        self.qmp_lock = threading.Lock()
        self.children = []
        self.pcap = self.path("nic.pcap")
        self.trace_path = self.path("outer-trace.log")

    def path(self, name):
        return os.path.join(self.dir, name)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()

    # Starting and stopping

    def start(self):
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir)
        clear_away()
        os.makedirs(self.sockets, mode=0o700)
        self.start_network()
        self.agent = Port(self.sockets + "/agent", self.from_agent)
        self.guest_ports = {g: Port(self.sockets + "/" + g, lambda data: None) for g in sorted({"g1", "g2", *self.guests})}
        self.ports = [self.agent, *self.guest_ports.values()]
        command = self.command()
        with open(self.path("outer-command"), "w", encoding="utf-8") as f:
            f.write(" ".join("'%s'" % a for a in command) + "\n")
        with open(self.path("outer-stderr.log"), "wb") as err:
            self.outer = self.in_netns(command, stdin=subprocess.DEVNULL,
                                       stdout=err, stderr=err)

    def stop(self):
        for child in reversed(self.children):
            if child.poll() is None:
                child.terminate()
                try:
                    child.wait(10)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()
        self.children = []
        self.outer = None
        if self.qmp_file:
            self.qmp_file.close()
            self.qmp_file = None
        for port in self.ports:
            port.close()
        self.ports = []
        if os.path.exists("/run/netns/" + self.netns):
            subprocess.run(["ip", "netns", "del", self.netns], check=False)
        shutil.rmtree(self.sockets, ignore_errors=True)

    def start_network(self):
        def ip(*args, inside=True):
            prefix = ["ip", "-n", self.netns] if inside else ["ip"]
            subprocess.run([*prefix, *args], check=True)

        ip("netns", "add", self.netns, inside=False)
        # Nothing on the wire but what a test sends.
        subprocess.run(["ip", "netns", "exec", self.netns, "sh", "-c",
                        "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6"], check=True)
        for n in range(self.wires):
            tap, net = f"tap{n}", f"10.77.{n}"
            ip("tuntap", "add", tap, "mode", "tap")
            ip("addr", "add", net + ".1/24", "dev", tap)
            # ARP gives a silent neighbour up after 3 s; what is tested is whether
            # packets are kept longer than that.
            ip("neigh", "add", net + ".2", "lladdr", nic_mac(n + 1), "nud", "permanent", "dev", tap)
            ip("link", "set", tap, "up")
        ip("link", "set", "lo", "up")

    def in_netns(self, command, **kwargs):
        child = subprocess.Popen(["ip", "netns", "exec", self.netns, *command],
                                 preexec_fn=die_with_parent, **kwargs)
        self.children.append(child)
        return child

    def areas(self):
        """What the memory map sets aside; none may lie in another."""
        areas = []
        for value in self.memmap.values():
            if value:
                areas += [value] if isinstance(value, str) else value
        units = {"K": 10, "M": 20, "G": 30}
        last = (0, 0, "nothing")
        for size, unit, start, area in sorted(((int(m[1]), units[m[2]], int(m[3], 16), a) for a in areas
                                               if (m := re.fullmatch(r"(\d+)([KMG])[!:](0x[0-9a-f]+)", a))),
                                              key=lambda x: x[2]):
            if start < last[1]:
                raise ValueError(f"memmap: {area} lies in {last[2]}")
            last = (start, start + (size << unit), area)
        return areas

    def kernel_command_line(self):
        areas = ["memmap=" + area for area in self.areas()]
        # Measured by L1 itself on a busy machine it comes out wrong by more than KVM
        # bears. Under icount it is a nanosecond, and L1 cannot go wrong.
        tsc = [] if self.icount else ["tsc_early_khz=%d" % tsc_khz()]
        pmem = [v for v in self.memmap.values() if v and "!" in v]
        root = "root=/dev/pmem%d rootfstype=ext4 rootflags=dax ro" % pmem.index(self.memmap["root"])
        # A timer that is late on a busy machine is no broken one; no device of L1 needs bounce
        # buffers below 4 GiB.
        return " ".join(["console=ttyS0", root, "panic=-1 intel_iommu=on tsc=reliable no_timer_check swiotlb=1024", *tsc,
                         "kh.nic=" + self.nic, "kh.qemu=" + self.qemu_inside,
                         "kh.guests=" + ",".join(self.guests), *(["kh.wires=%d" % self.wires] if self.wires > 1 else []),
                         *areas, self.append])

    def command(self):
        accel = self.accel
        if accel == "auto":
            accel = subprocess.run([os.path.join(TOP, "tools/probe-accel"), BUILD], check=True,
                                   capture_output=True, text=True).stdout.strip()
        if self.icount:
            # Time is a count of instructions, 1 ns each.
            accel_args = ["-accel", "tcg", "-icount", "shift=0,sleep=off", "-rtc", "clock=vm"]
        elif accel == "kvm":
            accel_args = ["-accel", "kvm"]
        else:
            accel_args = ["-accel", "tcg,thread=multi"]
        # a host may have more than this machine: little of it is ever written
        machine = "q35,memory-backend=ram"
        if accel == "kvm" and not self.icount:
            machine += ",kernel-irqchip=split"
        # A written image stays with this lab; the built one is for all.
        disk2 = self.path("disk2.img")
        shutil.copyfile(os.path.join(BUILD, "guest/disk2.img"), disk2)

        # Stock hardware would be qemu-stock, but its SVM delivers some interrupts of L2 twice
        # and loses some of L1 (qemu-patches 0001 to 0003).
        args = [os.path.join(BUILD, "bin/qemu-" + self.outer_name), "-name", self.netns,
                "-L", os.path.join(BUILD, "firmware"), "-nodefaults", "-no-user-config",
                "-display", "none", "-no-reboot",
                "-machine", machine, *accel_args, "-cpu", CPU, "-smp", str(self.cpus), "-m", self.ram,
                "-object", f"memory-backend-ram,id=ram,size={self.ram},reserve=off",
                "-device", self.iommu,
                "-device", "pcie-root-port,id=port1,bus=pcie.0,chassis=1,addr=0x4",
                "-netdev", "tap,id=wire,ifname=tap0,script=no,downscript=no",
                "-device", "e1000e,netdev=wire,bus=port1,romfile=,mac=" + NIC_MAC,
                "-object", "filter-dump,id=dump,netdev=wire,file=" + self.pcap,
                *self.more_nics(),
                "-device", "loader,force-raw=on,addr=%s,file=%s"
                % (self.memmap["root"].split("!")[1], os.path.join(BUILD, "img/l1.img")),
                "-drive", "if=none,id=disk2,format=raw,file=" + disk2,
                "-device", "virtio-blk-pci,drive=disk2,addr=0x6,serial=kh-disk2",
                "-chardev", "socket,id=tty,server=on,wait=off,path=%s/tty,logfile=%s"
                % (self.sockets, self.path("l1-console.log")),
                "-serial", "chardev:tty",
                "-qmp", "unix:%s/qmp,server=on,wait=off" % self.sockets,
                "-device", "virtio-serial-pci,addr=0x7"]
        for name in ("agent", *self.guest_ports):
            log = "" if name == "agent" else ",logfile=" + self.path(name + "-console.log")
            args += ["-chardev", "socket,id=%s,path=%s/%s%s" % (name, self.sockets, name, log),
                     "-device", "virtserialport,chardev=%s,name=kh.%s" % (name, name)]
        args += ["-msg", "timestamp=on", "-D", self.trace_path]
        for event in TRACE:
            args += ["-trace", event]
        args += ["-kernel", os.path.join(BUILD, "boot/bzImage-" + self.kernel),
                 "-append", self.kernel_command_line(), *self.machine]
        return args

    def more_nics(self):
        """Cards beyond the first lie behind ports of their own. One without a wire hears nothing."""
        args = []
        for n in range(2, self.nics + 1):
            wire = ("tap,id=wire%d,ifname=tap%d,script=no,downscript=no" % (n, n - 1) if n <= self.wires else
                    "hubport,id=wire%d,hubid=%d" % (n, n))
            args += ["-device", "pcie-root-port,id=port%d,bus=pcie.0,chassis=%d,addr=0x%x" % (n, n, 0x10 + n),
                     "-netdev", wire,
                     "-device", "e1000e,id=card%d,netdev=wire%d,bus=port%d,romfile=,mac=%s" % (n, n, n, nic_mac(n))]
        return args

    # Waiting

    def wait_for(self, condition, timeout, what):
        """Wait until condition() is true; it is looked at when something came from L1."""
        deadline = time.monotonic() + timeout
        with self.changed:
            while not condition():
                if self.outer.poll() is not None:
                    raise RuntimeError("the outer QEMU ended while waiting for %s; see %s"
                                       % (what, self.dir))
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError("no sign of %s in %d s; see %s" % (what, timeout, self.dir))
                self.changed.wait(min(left, 0.2))

    def wait_boot(self, timeout=120):
        deadline = time.monotonic() + timeout
        self.wait_for(lambda: self.boot > 0, timeout, "L1's agent")
        self.wait_console("init: ready", max(1, deadline - time.monotonic()))

    def wait_jump(self, boot, timeout=300):
        self.wait_for(lambda: self.boot > boot, timeout, "L1's next kernel")

    # Commands in L1

    def from_agent(self, data):
        *lines, self.partial = (self.partial + data).split(b"\n")
        with self.changed:
            for line in lines:
                self.agent_line(line.decode(errors="replace").split())
            self.changed.notify_all()

    def agent_line(self, words):
        if len(words) == 3 and words[0] == "hello":
            self.boot += 1
            self.release = words[2]
            for job in self.jobs.values():
                job.jumped = True
            self.jobs = {}
        elif len(words) >= 2 and words[0] in self.jobs:
            output = base64.b64decode(words[2]) if len(words) > 2 else b""
            self.jobs.pop(words[0]).result = (int(words[1]), output.decode(errors="replace"))

    def spawn(self, command):
        job = Job(self, command)
        with self.changed:
            number = str(next(self.job_ids))
            self.jobs[number] = job
        text = base64.b64encode(command.encode()).decode()
        self.agent.send(("%s %s\n" % (number, text)).encode())
        return job

    def run(self, command, timeout=60):
        return self.spawn(command).wait(timeout)

    def check(self, command, timeout=60):
        status, output = self.run(command, timeout)
        if status:
            raise RuntimeError("%s: exit status %d\n%s" % (command, status, output))
        return output

    # What was said

    def read(self, name):
        try:
            with open(self.path(name), encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def wait_text(self, name, regex, timeout, since):
        found = []

        def look():
            match = re.compile(regex, re.M).search(self.read(name), since)
            if match:
                found.append(match)
            return bool(match)

        self.wait_for(look, timeout, "%r in %s" % (regex, name))
        return found[0]

    def console(self):
        return self.read("l1-console.log")

    def wait_console(self, regex, timeout=60, since=0):
        return self.wait_text("l1-console.log", regex, timeout, since)

    def guest_console(self, name):
        return self.read(name + "-console.log")

    def wait_guest(self, name, regex, timeout=120, since=0):
        return self.wait_text(name + "-console.log", regex, timeout, since)

    def guest_input(self, name, line):
        self.guest_ports[name].send((line + "\n").encode())

    # The witness

    def trace_mark(self):
        return os.path.getsize(self.trace_path)

    def trace_since(self, mark=0):
        """[(seconds, event, text)] from mark on; a line that is none is an event "?"."""
        events = []
        with open(self.trace_path, encoding="utf-8", errors="replace") as f:
            f.seek(mark)
            for line in f:
                match = TRACE_LINE.match(line)
                if match:
                    events.append((float(match[1]), match[2], match[3]))
                else:
                    events.append((0.0, "?", line.rstrip("\n")))
        return events

    def qmp(self, command, **arguments):
        with self.qmp_lock:
            if not self.qmp_file:
                s = socket.socket(socket.AF_UNIX)
                s.settimeout(30)
                s.connect(self.sockets + "/qmp")
                self.qmp_file = s.makefile("rw", encoding="utf-8")
                self.qmp_file.readline()
                self.qmp_call("qmp_capabilities", {})
            return self.qmp_call(command, arguments)

    def qmp_call(self, command, arguments):
        self.qmp_file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.qmp_file.flush()
        while True:
            line = self.qmp_file.readline()
            if not line:
                raise RuntimeError("the outer QEMU closed its QMP socket")
            answer = json.loads(line)
            if "error" in answer:
                raise RuntimeError("%s: %s" % (command, answer["error"]["desc"]))
            if "return" in answer:
                return answer["return"]
