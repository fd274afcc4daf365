#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""KEXEC_FILE_IN_PLACE by itself: what it accepts, that it gives back what it took, and that a
kernel which it does not understand is left to its boot stub. And struct pages in a host without guests: those of a
guest's memory, which are shared in each GiB, and those that wait until the guests run, as do blocks of memory."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from image import Image  # noqa: E402
from scenario import Tap, check_logs, lab, save_kernel_log  # noqa: E402

CRASH, DEBUG, NO_DIGEST, IN_PLACE, UNKNOWN = 0x2, 0x8, 0x1000, 0x2000, 0x8000
OURS = NO_DIGEST | IN_PLACE
B = "/boot/bzImage-b"
DEFERRED = "/sys/kernel/initcall_deferred"
WAIT = " initcall_defer=page_alloc_init_deferred"
WAIT_BLOCKS = " initcall_defer=memory_dev_init_deferred"
ALIGNMENT = 0x230       # of the kernel, in the image's header
# offset in the ELF header, what is written there
ODD = [("class", 4, b"\x09"), ("place of the segments", 39, b"\x7f"), ("place of the sections", 47, b"\x7f"),
       ("number of segments", 56, b"\xff\xff"), ("entry", 31, b"\x7f")]


def load(l1, flags, kernel=B, times=1, append=""):
    return l1.run(f'l1-jump load {kernel} - "$(cat /proc/cmdline){append}" {flags:#x} {times}', 300)


def loaded(l1):
    return l1.check("cat /sys/kernel/kexec_loaded").strip() == "1"


def without_stub(l1, kernel):
    """Loads it. Returns whether it is going to be entered without its boot stub, as the kernel says, and what else it says."""
    lines = int(l1.check("dmesg | wc -l"))
    status, out = load(l1, OURS | DEBUG, kernel)
    log = l1.check(f"dmesg | tail -n +{lines + 1}")
    if status:
        raise RuntimeError(f"{kernel} is not loaded: {out}")
    return "entering the kernel without its boot stub" in log, log


def free_mib(l1):
    return int(l1.check("echo 3 >/proc/sys/vm/drop_caches; awk '/^MemFree/ {print $2}' /proc/meminfo")) >> 10


def unaccounted_kib(l1):
    """What is neither free nor used for anything that the kernel keeps an account of: pages taken from the page allocator
    as such. MemFree alone goes up and down by some MiB with caches and lists; these are accounts of their own. The
    kernel's stacks are among what vmalloc() has."""
    out = l1.check("cat /proc/sys/vm/stat_refresh; cat /proc/meminfo; grep -E '^ +count: ' /proc/zoneinfo")
    kib = {name: int(n) for name, n in re.findall(r"^(\w+): +(\d+) kB$", out, re.M)}
    accounts = ("MemFree", "Buffers", "Cached", "SwapCached", "AnonPages", "Slab", "PageTables", "SecPageTables", "VmallocUsed",
                "Percpu")
    on_lists = sum(int(n) for n in re.findall(r"^ +count: +(\d+)$", out, re.M))
    return kib["MemTotal"] - sum(kib[name] for name in accounts) - 4 * on_lists


def jump(l1, outcome):
    """Into what was loaded, with what load() returned."""
    if outcome[0]:
        raise RuntimeError(f"not loaded: {outcome[1]}")
    save_kernel_log(l1)
    boot = l1.boot
    l1.spawn("l1-jump go")
    l1.wait_jump(boot, 120)


def text(l1):
    return l1.check("grep ' T _text$' /proc/kallsyms").split()[0]


def memory_goes(l1):
    """Takes a block of memory offline and back. Returns whether one goes, and why others do not."""
    out = l1.check("cd /sys/devices/system/memory; for b in memory[0-9]*; do "
                   "echo offline 2>&1 > $b/state && echo online > $b/state && echo went && break; done; true", 300)
    return "went" in out, out


def given_by_huge_pages(l1):
    """KiB of the boot's struct pages that 20 huge pages give back."""
    total = "awk '/^MemTotal/ {print $2}' /proc/meminfo; "
    out = l1.check(f"cd /proc/sys/vm; echo 1 > hugetlb_optimize_vmemmap; {total} echo 20 > nr_hugepages; {total} "
                   "cat nr_hugepages; echo 0 > nr_hugepages; echo 0 > hugetlb_optimize_vmemmap")
    before, during, pages = (int(n) for n in out.split())
    if pages != 20:
        raise RuntimeError(f"{pages} huge pages of 20")
    return during - before


def waiting_struct_pages(tap, l1):
    """Until all struct pages are there no memory goes away."""
    jump(l1, load(l1, OURS, append=WAIT))
    given = given_by_huge_pages(l1)
    went, why = memory_goes(l1)
    # they come by themselves a minute after the boot
    waiting = l1.check(f"cat {DEFERRED}").strip()
    tap.check("while struct pages wait, no memory goes offline", waiting and not went and "busy" in why, (waiting, why))
    tap.check("and huge pages keep theirs", given == 0, given)
    before = free_mib(l1)
    l1.check(f"echo 1 > {DEFERRED}")
    tap.check("when they are asked for, they come", not l1.check(f"cat {DEFERRED}").strip() and free_mib(l1) > before + 1024)
    went, why = memory_goes(l1)
    tap.check("then memory goes offline, and comes back", went, why)
    given = given_by_huge_pages(l1)
    # 8 pages each, of which one or two stay
    tap.check("and huge pages give theirs back", given >= 20 * 6 * 4, given)


def memory_blocks(l1):
    """{block of memory: what sysfs says of it, the links of its node to it and back}"""
    out = l1.check("cd /sys/devices/system/memory; for b in memory[0-9]*; do [ -d $b ] || continue; "
                   "echo $b $(cat $b/state $b/online $b/valid_zones $b/phys_index) $(readlink $b/node*) "
                   "$(readlink ../node/node*/$b) $(readlink -f /sys/bus/memory/devices/$b); done")
    return dict(line.split(" ", 1) for line in out.splitlines())


def waiting_blocks(tap, l1):
    """Blocks of memory get their devices later, and then they are what they always were."""
    jump(l1, load(l1, OURS))
    always = memory_blocks(l1)
    # a kernel without NUMA has no nodes
    links = r" \S+/node0 \S+/{b}" if not l1.run("test -d /sys/devices/system/node")[0] else ""
    wanted = r"online 1 \S+( \S+)* [0-9a-f]{{8}}" + links + " /sys/devices/system/memory/{b}"
    tap.check("each block has a device, and its node knows it", len(always) > 8 and all(
        re.fullmatch(wanted.format(b=b), what) for b, what in always.items()), always)
    jump(l1, load(l1, OURS, append=WAIT_BLOCKS))
    early = memory_blocks(l1)
    waiting = l1.check(f"cat {DEFERRED}").strip()
    tap.check("while blocks wait they have none", waiting and not early, (waiting, early))
    l1.check(f"echo 1 > {DEFERRED}")
    late = memory_blocks(l1)
    tap.check("when they are asked for, they are as always", late == always, (late, always))
    went, why = memory_goes(l1)
    tap.check("one goes offline, and comes back", went, why)


def huge_pages_of_the_boot(tap, l1):
    """A host that asks for it has the struct pages of its huge pages given back from the boot on, whatever waits."""
    jump(l1, load(l1, OURS, append=WAIT + " hugetlb_free_vmemmap=on hugepages=20"))
    out = l1.run(f"cat {DEFERRED}")[1]
    tap.check("where that is asked for no struct page waits", "page_alloc_init_deferred" not in out, out)
    memmap = "awk '/^nr_memmap_pages/ {print $2}' /proc/vmstat; "
    out = l1.check(f"cd /proc/sys/vm; cat nr_hugepages; {memmap} echo 0 > nr_hugepages; {memmap}")
    pages, before, after = (int(n) for n in out.split())
    # without huge pages they are wanted again, and come from the page allocator
    tap.check("huge pages of the boot give their struct pages back", pages == 20 and after - before >= 20 * 6, out)


def shared_struct_pages(tap, l1):
    """A reference too many to the page that stands for the rest of a GiB keeps one page for each GiB, each time."""
    driver, gib = "/sys/bus/dax/drivers/device_dax", 2

    def off_and_on(times):
        l1.check(f"for i in $(seq {times}); do echo dax0.0 > {driver}/unbind && echo dax0.0 > {driver}/bind || exit 1; done",
                 600)

    off_and_on(20)
    before = unaccounted_kib(l1)
    off_and_on(300)
    taken = unaccounted_kib(l1) - before
    tap.say(f"{taken} KiB more are in no account")
    tap.check("a guest's memory, switched off and on 300 times, takes none of the host's", abs(taken) < 300 * gib * 4 / 2, taken)
    opened = 'head -c 1 < /dev/dax0.0'
    l1.check(f"echo dax0.0 > {driver}/unbind")
    tap.check("switched off, it cannot be opened", "No such device" in l1.run(opened)[1])
    l1.check(f"echo dax0.0 > {driver}/bind")
    tap.check("switched on, it can", "No such device" not in l1.run(opened)[1])


def flags(tap, l1):
    for wrong, what in ((CRASH | IN_PLACE, "in place for a crash kernel"), (CRASH | NO_DIGEST, "no digest for a crash kernel"),
                        (UNKNOWN, "an unknown flag")):
        status, out = load(l1, wrong)
        tap.check(f"{what}: refused", status == 1 and "Invalid argument" in out and not loaded(l1), out)


def given_back(tap, l1):
    before = free_mib(l1)
    status, out = load(l1, OURS)
    taken = before - free_mib(l1)
    tap.check("a kernel in place takes its memory when it is loaded", status == 0 and 20 < taken < 120, (taken, out))
    # What the kernel keeps on its lists varies by some MiB: a tenth of a load is found, as 400 of them
    load(l1, OURS, times=100)
    before = free_mib(l1)
    status, out = load(l1, OURS, times=400)
    more = before - free_mib(l1)
    tap.check("loaded four hundred times it takes no more", status == 0 and abs(more) <= 16, (more, out))


def odd_images(tap, l1):
    """What is wrong with the kernel in an image is found out when it is read, and nobody falls over it."""
    skipped, log = without_stub(l1, B)
    tap.check("an uncompressed kernel is entered without its boot stub", skipped, log)
    at, size = Image("b").payload()
    for what, offset, data in ODD:
        skipped, log = without_stub(l1, Image("b").set(at + offset, data).make(l1, "/run/odd"))
        tap.check(f"an ELF header with a wrong {what}: left to the boot stub", not skipped, log)
    for what, alignment in (("none", 0), ("too small", 0x100000), ("no power of two", 0x600000)):
        skipped, log = without_stub(l1, Image("b").set(ALIGNMENT, alignment.to_bytes(4, "little")).make(l1, "/run/odd"))
        tap.check(f"a wrong alignment, {what}: left to the boot stub", not skipped, log)
    # relocations are read from the end: this one lies far outside of the kernel
    skipped, log = without_stub(l1, Image("b").set(at + size - 4, b"\x01\x00\x00\x7f").make(l1, "/run/odd"))
    tap.check("a relocation that lies nowhere: left to the boot stub, which is said", not skipped and "not understood" in log, log)
    skipped, log = without_stub(l1, "/boot/bzImage-stock")
    tap.check("a compressed kernel: left to the boot stub", not skipped, log)
    l1.check("rm /run/odd")


def jumps(tap, l1):
    seen = [text(l1)]
    for n, mode in enumerate((OURS, OURS, OURS, NO_DIGEST), 1):
        status, out = load(l1, mode)
        tap.check(f"jump {n}: loaded", status == 0, out)
        jump(l1, (status, out))
        seen.append(text(l1))
    # of some 480 places: two may be the same by chance
    tap.check("the kernel lies at virtual addresses of all sorts", len(set(seen)) >= 3, seen)


def main():
    tap = Tap()
    with lab(tap, "kexec", kernel="a", guests=()) as l1:
        for part in (shared_struct_pages, flags, given_back, odd_images, jumps, waiting_struct_pages, waiting_blocks,
                     huge_pages_of_the_boot):
            tap.say(part.__name__)
            part(tap, l1)
        check_logs(tap, l1, ())
    tap.finish()


if __name__ == "__main__":
    main()
