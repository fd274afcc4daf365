# SPDX-License-Identifier: GPL-2.0
"""One measured run: a lab under -icount, one way over a kexec in it, and three clocks that
say how long the guest stood still.

- The outer QEMU: tools/profile/gap.c notes when no instruction of the guest ran. It is the figure
  that counts, because it is the definition: from the guest's last instruction to its next.
- The guest: a process that never sleeps. Its TSC stands still with it (the preserved clock is
  meant to), so it reads the clock in the passed-through card, which nothing of L1 drives.
- The host: khctl's phases, or the marks that tools/bench/l1-stock sets, TSC of L1.
"""
import dataclasses
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(TOP, "tests/vm/lib"), os.path.join(TOP, "tools/lab")]

from lab import BUILD, NIC, Lab  # noqa: E402
from life import GUEST, KHLOAD, Life, serial_until  # noqa: E402
from logs import bad_lines  # noqa: E402

RATE = 2
UPGRADE = "khctl upgrade --kernel /boot/bzImage-b"
START = 0x120000000
# Guests of whole GiB lie in pages of a GiB, as g1 in the lab does.
START_OF_GIB = 0x100000000
MIB = 1 << 20
# libnvdimm's info block, and room to align
EXTRA_MIB = 16
EXTRA_OF_GIB = 1024
SMALL_MIB = 512
# What any system that measures itself may leave out of its kernel's way, ours and stock ones alike.
CARE = "quiet initcall_blacklist=e1000_init_module"


class BenchError(Exception):
    """There is no figure."""


@dataclasses.dataclass(frozen=True)
class Run:
    """What is measured. Growth changes one field at a time."""
    name: str
    method: str = "khctl"		# khctl; stock ones: file, cpr, cpr-nic
    care: bool = True
    nic: bool = True
    ram_mib: int = 2048
    vms: int = 1
    cpus: int = 2
    host_gib: int = 6
    mem_percent: int = 25		# of the guest's free memory holds a pattern: little, which favours stock-file
    icount: bool = True		# else multi-threaded TCG and this machine's clock, khctl only

    @property
    def stock(self):
        return self.method != "khctl"


def layout(run):
    """memmap= of every region and where the guests lie: ({name: text}, [(start, end)], top)."""
    # where a stock host keeps the guest's state, and with method file its memory
    state = run.ram_mib + 64 if run.method == "file" else 80
    whole = run.ram_mib % 1024 == 0
    regions = [("g1", run.ram_mib + (EXTRA_OF_GIB if whole else EXTRA_MIB), "!"), ("g2", 272, "!"), ("state", state, "!"), ("kram", 64, ":"), ("root", 256, "!")]
    regions += [(f"v{n}", SMALL_MIB + EXTRA_MIB, "!") for n in range(2, run.vms + 1)]
    at, memmap, guests = START_OF_GIB if whole else START, {}, []
    for name, size, sign in regions:
        memmap[name] = f"{size}M{sign}{at:#x}"
        if name[0] in "gv" and name != "g2":
            guests.append((at, at + size * MIB))
        at += size * MIB
    if run.stock:
        memmap["kram"] = None
    return memmap, guests, at


class Measurement:
    """Drives one run and collects what the clocks said."""

    def __init__(self, run, folder):
        self.run = run
        self.folder = folder
        self.kram_pages, self.since, self.g1_ns = None, 0, None
        self.memmap, self.ranges, top = layout(run)
        if top > (run.host_gib + 2) << 30:
            raise BenchError(f"{run.name}: {run.host_gib} GiB are too little")
        # A guest that suspends itself serves nobody while its kernel goes to sleep and wakes up.
        self.gap_kind = "user" if run.method == "cpr-nic" else "gap"
        self.gap_file = os.path.join(folder + ".gaps")

    def lab(self):
        run = self.run
        names = ["g1"] + [f"v{n}" for n in range(2, run.vms + 1)]
        # Where a kernel lies makes a difference of some ms: repeats are to give the same figure.
        append = f"nokaslr norandmaps kh.ram={run.ram_mib}M kh.mem={run.mem_percent} kh.spin={'/dev/ptp0' if run.nic else '-'} "
        if run.vms > 1:
            append += "kh.nics=" + ",".join(f"0000:0{n}:00.0" for n in range(2, run.vms + 1)) + " "
        if run.stock:
            append += "kh.save=2 "
        plugin = ["-plugin", f"{BUILD}/profile/libgap.so,out={self.gap_file}" + "".join(
            f",guest={a:x}-{b:x}" for a, b in self.ranges)]
        return Lab(self.folder, kernel="stock" if run.stock else "a", qemu="stock" if run.stock else "kh",
                   guests=() if run.stock else tuple(names), icount=run.icount, append=append + CARE if run.care else append,
                   memmap=self.memmap, machine=plugin if run.icount else [], outer="profile" if run.icount else "kh", ram=f"{run.host_gib}G",
                   cpus=run.cpus, nics=run.vms, nic=NIC if run.nic else "")

    def measure(self):
        if os.path.exists(self.gap_file):
            os.unlink(self.gap_file)
        with self.lab() as lab:
            try:
                lab.start()
                lab.wait_boot(600)
                self.inside(lab)
            except (RuntimeError, TimeoutError, OSError) as error:
                raise BenchError(f"{self.run.name}: {error}") from error
            console = lab.console()
        # A card that nobody keeps may well be caught in the middle of a DMA; that is what the row is about.
        bad = [x for x in bad_lines(console) if self.run.method != "cpr-nic" or "DMAR" not in x]
        if bad:
            raise BenchError(f"{self.run.name}: in L1's log: {bad[0]}")
        return self.result()

    def inside(self, lab):
        run = self.run
        if run.stock:
            lab.check(f"l1-stock start {run.method}", 300)
        self.life = Life(lab, RATE) if run.nic else None
        if self.life:
            self.life.ready(1200)
            self.life.ask(GUEST, "spin")
            self.life.until(lambda r: r["guest"]["spin"]["readings"] > 1000, "the guest's clocks", 300)
        else:
            serial_until(lab, "g1", lambda r: r["ready"], "the guest's load", 1200)
        for n in range(2, run.vms + 1):
            serial_until(lab, f"v{n}", lambda r: r["ready"], f"the load of v{n}", 1200)
        # a guest that boots has pauses of its own
        self.since = self.now(lab)
        self.phases, self.host_ns, self.guest = (self.stock if run.stock else self.khctl)(lab)

    @staticmethod
    def now(lab):
        """Virtual time: TSC of L1."""
        text = lab.check("dd if=/dev/zero of=/run/now bs=4096 count=1 2>/dev/null && l1-jump mark /run/now now && cat /run/now")
        return int(text.split()[1].rstrip("\0"))

    def khctl(self, lab):
        names = ["g1"] + [f"v{n}" for n in range(2, self.run.vms + 1)]
        boot = lab.boot
        job = lab.spawn(UPGRADE + " " + " ".join(f"--qmp /run/{n}.qmp" for n in names))
        lab.wait_for(lambda: job.done() or lab.boot > boot, 1800, "the upgrade")
        if job.result is not None:
            raise BenchError(f"{self.run.name}: khctl upgrade: {job.result}")
        status = lab.wait_console(r"init: khctl resume ended with (\d+)", 900)[1]
        if status != "0":
            raise BenchError(f"{self.run.name}: khctl resume ended with {status}: {lab.console()[-2000:]}")
        status, text = lab.run("khctl status --json", 300)
        if status:
            raise BenchError(f"{self.run.name}: khctl status: {text}")
        report = json.loads(text[text.index("{"):])
        self.kram_pages = sum(int(n) for n in lab.check("cat /sys/kernel/kram/area*/used_pages", 120).split())
        verdict, text = lab.run("khctl verify", 300)
        if verdict:
            raise BenchError(f"{self.run.name}: khctl verify: {text}")
        guest = self.life.until(lambda r: True, "the guest", 600)["guest"]["spin"] if self.life else None
        self.g1_ns = next(vm["blackout_ns"] for vm in report["vms"] if vm["name"] == "g1")
        phases = [{"name": p["name"], "ns": p["ns"]} for p in report["phases"] if p["in_blackout"]]
        return phases, report["blackout_ns"], guest

    def stock(self, lab):
        run, boot = self.run, lab.boot
        care = "care" if run.care else "plain"
        command_line = lab.check("cat /proc/cmdline").strip() + f" kh.stock={run.method},{care}"
        lab.check(f"l1-stock load {care} '{command_line}'", 900)
        said = len(lab.console())
        if run.method == "cpr-nic":
            # no answer comes before it runs again
            asked = lab.in_netns([KHLOAD, "query", GUEST + ":7003", "suspend"], stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL)
        job = lab.spawn(f"l1-stock go {run.method} {care}")
        lab.wait_for(lambda: job.done() or lab.boot > boot, 1800, "the kexec")
        if job.result is not None:
            raise BenchError(f"{run.name}: l1-stock: {job.result}")
        lab.wait_console(r"init: ready", 900, said)
        text = lab.check("cat /mnt/marks", 300)
        self.marks = {name: int(tsc) for name, tsc in re.findall(r"^(\w+) (\d+)$", text, re.M)}
        if "runs" not in self.marks:
            raise BenchError(f"{run.name}: the guest does not run: {text}")
        lab.run("sleep 2", 300)
        if run.method == "cpr-nic":
            asked.kill()
        return None, None, None

    def gaps(self):
        """Each guest's blackout and the longest pause after it, (start, length, length of the later one).

        The blackout is the first pause that is at least half as long as the longest: what the host does once the
        guests run may keep a guest from its CPU for as long again, and that is told apart.
        """
        pauses, seen = {}, set()
        try:
            with open(self.gap_file, encoding="utf-8") as f:
                for line in f:
                    kind, *numbers = line.split()
                    numbers = [int(n) for n in numbers]
                    if kind == "seen":
                        seen.add(numbers[0])
                    elif kind == self.gap_kind and numbers[1] >= self.since:
                        pauses.setdefault(numbers[0], []).append((numbers[1], numbers[2]))
        except FileNotFoundError as error:
            raise BenchError(f"{self.run.name}: the outer QEMU left no record") from error
        if seen != set(range(self.run.vms)) or set(pauses) != seen:
            raise BenchError(f"{self.run.name}: not every guest was seen: {seen}, {set(pauses)}")
        return [self.split(pauses[n]) for n in sorted(pauses)]

    @staticmethod
    def split(pauses):
        longest = max(length for _, length in pauses)
        start, length = min((s, n) for s, n in pauses if 2 * n >= longest)
        return start, length, max((n for s, n in pauses if s > start), default=0)

    def threads_result(self):
        """Wall time: only good for ratios."""
        return {"name": self.run.name, "blackout_ns": self.host_ns}

    def result(self):
        if not self.run.icount:
            return self.threads_result()
        gaps = self.gaps()
        start = min(s for s, _, _ in gaps)
        end = max(s + n for s, n, _ in gaps)
        # Of several guests only g1 never sleeps: one that idles runs before the outer QEMU can see it run.
        blackout = end - start if self.run.vms == 1 else self.host_ns
        if self.run.stock:
            self.phases, self.host_ns = self.stock_phases(start, end)
        out = {"name": self.run.name, "blackout_ns": blackout, "per_vm_ns": [n for _, n, _ in gaps],
               "later_ns": [later for _, _, later in gaps], "phases": self.phases,
               "host_ns": self.host_ns, "guest": self.guest, "kram_pages": self.kram_pages}
        self.agree(out)
        return out

    def stock_phases(self, start, end):
        """What lies between the marks; TSC is virtual time here."""
        m = self.marks
        points = []
        if self.run.method == "cpr-nic":
            points, start = [("suspend", start, m["suspended"])], m["suspended"]
        points += [("save", start, m["saved"]), ("exit", m["saved"], m["jump"]), ("boot", m["jump"], m["init"]),
                  ("init", m["init"], m["start"]), ("resume", m["start"], end)]
        return [{"name": n, "ns": b - a} for n, a, b in points], end - points[0][1]

    def agree(self, out):
        """The three clocks, within 2 %, or there is no figure.

        The guest tells bounds: by how much its card went on while its own clock stood, at least and at most. They lie
        a microsecond apart, unless the host took the guest's CPU away in the middle of a reading, beside the blackout: then
        one is far off, the other is not. The guest's own clock goes on when QEMU lets the guest run, a little before its first
        instruction. A guest that has to share its CPU with others may wait for it before it is told to stop.
        """
        limit = 0.02 if self.run.vms == 1 and self.run.cpus > 1 else 0.05
        outer = out["per_vm_ns"][0]
        total = sum(p["ns"] for p in out["phases"])
        claims = [("the phases add up to", total)] if self.run.vms == 1 else [("khctl says of g1", self.g1_ns)]
        if out["guest"]:
            least, most = out["guest"]["lost_max_ns"], out["guest"]["lost_most_ns"]
            claims += [("the guest's own clock says at least", max(least, outer)),
                       ("the guest's own clock says at most", min(most, outer)),
                       ("nearest of what the guest's own clock says is", min(least, most, key=lambda ns: abs(ns - outer)))]
        for what, ns in claims:
            if abs(ns - outer) > limit * outer:
                raise BenchError(f"{self.run.name}: {what} {ns / 1e6:.3f} ms, the outer QEMU says {outer / 1e6:.3f} ms")
