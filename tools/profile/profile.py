#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Where the time of one upgrade goes, by function: an upgrade of the lab under -icount with
tools/profile/profile.c in the outer QEMU. Exact: each nanosecond stands in one line.

    tools/profile/build build
    tools/profile/profile.py [--out FOLDER] [--append PARAMETERS]   run, then report
    tools/profile/profile.py --report FOLDER                        report again
"""
import argparse
import collections
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(TOP, "tests/vm/lib"), os.path.join(TOP, "tools/lab")]

from lab import BUILD, MEMMAP, NIC, Lab  # noqa: E402
from life import Life, serial_until  # noqa: E402
from symbols import Pages, Symbols, existing, libraries, read_map  # noqa: E402

# Each begins at what stands behind it, after the one before has begun.
SECTIONS = [
    ("save", "at vfio_group_ioctl_set_flags", "the devices are put down as preserved; then the guest stops"),
    ("jump", "at kernel_kexec", "reboot(2)"),
    ("between", "at machine_kexec", "relocation, purgatory, boot stub, head of kernel B"),
    ("kernel", "at start_kernel", "kernel B up to its first process"),
    ("init", "exec init", "init, or /init of the initramfs"),
    ("resume", "exec khctl", "khctl resume up to the start of QEMU"),
    ("qemu", "exec qemu-kh", "QEMU up to the guest's first instruction"),
    ("run", "at svm_vcpu_run", "the guest runs"),
    ("end", "after 100000000", ""),
]
WAITS = ("msleep", "usleep_range_state", "schedule_timeout", "__flush_work", "__flush_workqueue", "synchronize_rcu",
         "synchronize_rcu_expedited", "synchronize_srcu", "wait_for_completion", "wait_for_completion_timeout",
         "wait_for_completion_killable", "do_nanosleep", "do_sys_poll", "ep_poll", "futex_wait_queue", "do_wait",
         "pipe_read", "pipe_wait_readable", "async_synchronize_cookie_domain", "__wait_rcu_gp", "io_schedule",
         "bit_wait_io", "rcu_barrier", "schedule_hrtimeout_range_clock", "do_select")
LEAVES = ("memset", "memset_orig", "__memset", "memcpy", "__memcpy", "memcpy_orig", "clear_page_rep", "clear_page_orig",
          "clear_page_erms", "copy_page", "memmove", "__memmove", "memcmp", "strcmp", "strlen", "crc32_le", "crc32_body",
          "delay_tsc", "__const_udelay", "__udelay", "delay_loop", "io_serial_in", "io_serial_out", "mem32_serial_in",
          "wait_for_lsr", "_copy_to_iter", "rep_movs_alternative", "__memcpy_flushcache", "strncmp", "vsnprintf",
          "acpi_os_read_port", "native_io_delay", "pci_conf1_read", "pci_mmcfg_read", "__init_single_page",
          "_raw_spin_unlock_irqrestore", "ioread32", "native_apic_mem_read", "kallsyms_expand_symbol.constprop.0")


# Functions whose calls are the steps of the boot.
STEPS = ("start_kernel", "setup_arch", "x86_late_time_init", "mm_core_init", "kernel_init_freeable", "kernel_init",
         "do_basic_setup", "native_smp_prepare_cpus", "arch_call_rest_init", "rest_init")


def steps(system_map, ordered):
    """stage lines for each function that these call."""
    vmlinux, out = os.path.join(BUILD, "linux-out/vmlinux"), set()
    for name in STEPS:
        if name not in system_map:
            continue
        start = system_map[name]
        end = next((a for a in ordered[ordered.index(start):] if a > start), start + 16)
        text = subprocess.run(["objdump", "-d", f"--start-address={start:#x}", f"--stop-address={end:#x}", vmlinux],
                              capture_output=True, text=True, check=False).stdout
        for target in re.findall(r"call +([0-9a-f]{16}) <[^_.+>]", text):
            if int(target, 16) != system_map["do_one_initcall"]:	# has a line of its own
                out.add(f"stage {target} {start:x} {end:x}")
    return sorted(out)


def config(system_map, kernel_start, sections):
    """What the plugin is to look at."""
    want = [f"kernel {system_map['_text']:x} {kernel_start:x}"]
    start = int(MEMMAP["g1"].split("!")[1], 16)
    want += [f"guest {start:x} {int(MEMMAP['state'].split('!')[1], 16):x}"]
    for kind, name in (("switch", "__switch_to"), ("comm", "__set_task_comm"), ("fork", "wake_up_new_task")):
        want.append(f"{kind} {system_map[name]:x}")
    want += [f"wait {system_map[name]:x} {name}" for name in WAITS if name in system_map]
    ordered = sorted(set(system_map.values()))
    for name in LEAVES:
        if name in system_map:
            start = system_map[name]
            end = next((a for a in ordered[ordered.index(start):] if a > start), start + 16)
            want.append(f"leaf {start:x} {end:x} {name}")
    want += [f"initcall {system_map['do_one_initcall']:x}", f"reset {system_map['start_kernel']:x}"]
    want += steps(system_map, ordered)
    for name, begins, _ in sections:
        kind, what = begins.split()
        want.append(f"section {name} {kind} " + (f"{system_map[what]:x}" if kind == "at" else what))
    return "\n".join(want) + "\n"


def run(folder, append, command, device):
    """One upgrade; the profile is written by the plugin when it is complete."""
    raw = os.path.join(folder, "profile.raw")
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "profile.config")
    # without a device nothing is put down as preserved
    sections = SECTIONS if device else SECTIONS[1:]
    with open(path, "w", encoding="utf-8") as f:
        f.write(config(read_map(os.path.join(BUILD, "linux-out/System.map")), 0x1000000, sections))
    if os.path.exists(raw):
        os.unlink(raw)
    plugin = ["-plugin", f"{BUILD}/profile/libprofile.so,config={path},out={raw}"]
    with Lab(os.path.join(folder, "lab"), kernel="a", icount=True, append="nokaslr norandmaps " + append, machine=plugin,
             outer="profile", nic=NIC if device else "") as lab:
        lab.start()
        lab.wait_boot(300)
        if device:
            Life(lab, 2).ready(600)
        else:
            serial_until(lab, "g1", lambda r: r["ready"], "the guest's load", 600)
        print("profile: guest is ready, upgrading", file=sys.stderr)
        boot = lab.boot
        lab.spawn(command)
        lab.wait_jump(boot, 900)
        lab.wait_for(lambda: os.path.exists(raw), 900, "the end of the profile")
        _, status = lab.run("khctl status --human", 600)
    with open(os.path.join(folder, "status.txt"), "w", encoding="utf-8") as f:
        f.write(status)


class Profile:
    def __init__(self, folder):
        self.sections, self.tasks, self.blocks, self.idle, self.leaf = [], {}, [], [], collections.Counter()
        self.stages = []
        with open(os.path.join(folder, "profile.raw"), encoding="utf-8") as f:
            for line in f:
                kind, *words = line.split()
                getattr(self, "read_" + kind)(words)
        self.names = Names(self.blocks)
        with open(os.path.join(folder, "profile.config"), encoding="utf-8") as f:
            self.leaf_names = [line.split()[3] for line in f if line.startswith("leaf ")]
        self.length = {}
        for i, (name, start) in enumerate(self.sections[:-1]):
            self.length[i] = self.sections[i + 1][1] - start

    def read_section(self, words):
        self.sections.append((words[1], int(words[2])))

    def read_task(self, words):
        self.tasks[int(words[0])] = " ".join(words[1:])

    def read_block(self, words):
        section, task = int(words[0]), int(words[1])
        virt, phys = int(words[2], 16), int(words[3], 16)
        guest, insns, runs, ns = int(words[4]), int(words[5]), int(words[6]), int(words[7])
        self.blocks.append((section, task, virt, phys, guest, insns * runs, ns,
                            bytes.fromhex(words[8]) if len(words) > 8 else b""))

    def read_idle(self, words):
        self.idle.append((int(words[0]), int(words[1]), int(words[2]), words[3], words[4], int(words[-1], 16)))

    def read_stage(self, words):
        self.stages.append((int(words[0]), int(words[1]), int(words[2], 16)))

    def read_leaf(self, words):
        self.leaf[int(words[0]), int(words[1]), int(words[2], 16)] += int(words[3])


class Names:
    """Kernel by address, everything else by the bytes that were executed."""

    def __init__(self, blocks):
        out = os.path.join(BUILD, "linux-out")
        self.kernel = Symbols("kernel", os.path.join(out, "vmlinux"))
        low = [Symbols(n, p) for n, p in existing([
            ("stub", os.path.join(out, "arch/x86/boot/compressed/vmlinux")),
            ("purgatory", os.path.join(out, "arch/x86/purgatory/purgatory.ro"))])] + [self.kernel]
        programs = [("qemu", os.path.join(BUILD, "bin/qemu-kh")), ("khctl", os.path.join(BUILD, "ctl/khctl")),
                    ("busybox", "/usr/bin/busybox")]
        user = [Symbols(n, p) for n, p in existing(programs + libraries(p for _, p in programs))]
        self.low, self.user = Pages(low, 0xf), Pages(user)
        self.low.learn([(b[2], b[7]) for b in blocks if b[2] < 0xffffffff80000000 and self.is_low(b)])
        self.user.learn([(b[3] & ~0xfff | b[2] & 0xfff, b[7]) for b in blocks if not self.is_low(b) and b[2] < 1 << 47])

    @staticmethod
    def is_low(block):
        """Runs where virtual and physical are the same: no process does."""
        return block[2] == block[3] or 1 << 47 <= block[2] < 0xffffffff80000000

    def of(self, block):
        virt, phys, guest = block[2], block[3], block[4]
        if guest:
            return "guest", "(guest)"
        if virt >= 0xffffffff80000000:
            return "kernel", self.kernel.at(virt)
        if self.is_low(block):
            return self.low.name(virt) or ("low", f"{virt & ~0xfff:#x}")
        return self.user.name(phys & ~0xfff | virt & 0xfff) or ("user", f"{phys & ~0xfff:#x}")


def ms(ns):
    return f"{ns / 1e6:10.3f}"


def table(title, counter, total, top):
    print(f"\n{title}")
    rest = sum(counter.values()) - sum(n for _, n in counter.most_common(top))
    for key, ns in counter.most_common(top):
        print(f"{ms(ns)} ms {100 * ns / total if total else 0:5.1f} %  {key}")
    if rest:
        print(f"{ms(rest)} ms {100 * rest / total if total else 0:5.1f} %  ({len(counter) - top} more)")


def report_range(p, first, last, top):
    """All sections from first to last as one."""
    names = [name for name, _ in p.sections]
    inside = range(names.index(first), names.index(last) + 1)
    total = sum(p.length.get(i, 0) for i in inside)
    print(f"\n{'=' * 100}\n{first} .. {last}: {ms(total)} ms")
    functions, tasks, programs = (collections.Counter() for _ in range(3))
    for b in p.blocks:
        if b[0] not in inside:
            continue
        program, function = p.names.of(b)
        functions[f"{program:10} {function}"] += b[6]
        tasks[f"{p.tasks[b[1]]} ({'guest' if b[4] else 'user' if b[2] < 1 << 47 else 'kernel'})"] += b[6]
        programs[program] += b[6]
    halted = sum(i[2] for i in p.idle if i[0] in inside)
    print(f"{ms(sum(programs.values()))} ms executed, {ms(halted)} ms halted (no CPU had anything to do)")
    table("programs", programs, total, 20)
    table("tasks", tasks, total, 25)
    table(f"functions, top {top}", functions, total, top)
    leaf = collections.Counter()
    for (section, index, caller), ns in p.leaf.items():
        if section in inside:
            where = p.names.kernel.at(caller) if caller >= 0xffffffff80000000 else hex(caller)
            leaf[f"{p.leaf_names[index]} from {where}"] += ns
    table("copying, clearing and the like, by caller", leaf, total, 25)
    report_idle(p, inside)
    if first == last:
        report_steps(p, inside)


def report_steps(p, inside):
    """The boot step by step: each lasts until the next begins, whoever runs meanwhile."""
    ends = [start for _, start, _ in p.stages[1:]] + [p.sections[-1][1]]
    lasted = [(start, min(end, p.sections[section + 1][1]) - start, p.names.kernel.at(address))
              for (section, start, address), end in zip(p.stages, ends) if section in inside]
    if not lasted:
        return
    zero = p.sections[inside[0]][1]
    print("\nsteps of the boot, functions called by start_kernel and the like, and initcalls; each lasts until the next begins")
    print("  longest:")
    for start, ns, name in sorted(lasted, key=lambda x: -x[1])[:60]:
        print(f"{ms(ns)} ms at {ms(start - zero)} ms  {name}")
    print("  in order, those of 0.05 ms and more:")
    for start, ns, name in lasted:
        if ns >= 50000:
            print(f"  at {ms(start - zero)} ms {ms(ns)} ms  {name}")


def report_idle(p, inside):
    halts = collections.Counter()
    for section, _, ns, comm, wait, caller in p.idle:
        if section in inside:
            halts[f"{comm} in {wait}" + (f" from {p.names.kernel.at(caller)}" if caller else "")] += ns
    if halts:
        table("halted: the task that slept last, and the last waiting function that it entered", halts,
              sum(p.length.get(i, 0) for i in inside), 15)


def summary(folder, top=100):
    """The same for machines: sections from the guest's stop to its first instruction, and what ran longest in each."""
    p = Profile(folder)
    names = [name for name, _ in p.sections]
    until = names.index("run")
    functions = [collections.Counter() for _ in range(until)]
    for b in p.blocks:
        if b[0] < until:
            functions[b[0]][p.names.of(b)] += b[6]
    return {"sections": [{"name": names[i], "ns": p.length[i], "halted_ns": sum(h[2] for h in p.idle if h[0] == i),
                          "functions": [{"program": k[0], "name": k[1], "ns": ns} for k, ns in functions[i].most_common(top)]}
                         for i in range(until)]}


def report(folder, top):
    p = Profile(folder)
    with open(os.path.join(folder, "status.txt"), encoding="utf-8") as f:
        print(f.read())
    print("sections (virtual time; 1 instruction = 1 ns)")
    for i, (name, start) in enumerate(p.sections[:-1]):
        print(f"  {name:10} from {start / 1e9:12.6f} s  {ms(p.length[i])} ms  {dict((s[0], s[2]) for s in SECTIONS)[name]}")
    counted = sum(b[6] for b in p.blocks) + sum(i[2] for i in p.idle)
    whole = p.sections[-1][1] - p.sections[0][1]
    print(f"  sum of all lines {ms(counted)} ms, clock {ms(whole)} ms")
    report_range(p, "between", "init", top)
    report_range(p, "resume", "qemu", top)
    for name, _ in p.sections[:-1]:
        report_range(p, name, name, min(top, 40))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=os.path.join(BUILD, "profile/run"), help="folder for records")
    parser.add_argument("--report", metavar="FOLDER", help="only report on what is there")
    parser.add_argument("--summary", metavar="FOLDER", help="the same as JSON")
    parser.add_argument("--append", default="", help="more kernel parameters")
    parser.add_argument("--no-device", action="store_true", help="a guest without the card; the profile begins at the jump")
    parser.add_argument("--command", default="khctl upgrade --kernel /boot/bzImage-b --qmp /run/g1.qmp")
    parser.add_argument("--top", type=int, default=60)
    args = parser.parse_args()
    if args.summary:
        print(json.dumps(summary(args.summary)))
        return
    if not args.report:
        run(args.out, args.append, args.command, not args.no_device)
    report(args.report or args.out, args.top)


if __name__ == "__main__":
    main()
