#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""How long a guest stands still while its host changes kernels, in virtual time: 1 instruction is 1 ns.

    tools/bench/bench.py [--only REGEX] [--repeat N] [--jobs N] [--out FOLDER]

Runs in virtual time may go side by side (--jobs), but a machine that waits for a disk sees that load;
those in wall time go alone.

Writes FOLDER/report.json, one SVG per contender and one of the growth; report.json is written last,
and only if every run gave a figure and repeats agree. With --only it is named partial.json.
"""
import argparse
import concurrent.futures
import dataclasses
import json
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from render import growth_svg, table, timeline_svg  # noqa: E402
from runs import BUILD, TOP, UPGRADE, BenchError, Measurement, Run  # noqa: E402
from steady import kram, steady_state  # noqa: E402

SCHEMA_VERSION = 1
# Virtual time is exact, but packets and commands come in when they come.
SPREAD = 0.02
# While all memory goes onto a disk virtual time runs on, by what the disk of this machine takes.
SPREAD_DISK = 0.15

CONTENDERS = [
    Run("khctl-device"),
    Run("khctl-no-device", nic=False),
    Run("stock-file", "file", nic=False, host_gib=8),
    Run("stock-file-plain", "file", care=False, nic=False, host_gib=8),
    Run("stock-cpr", "cpr", nic=False),
    Run("stock-cpr-plain", "cpr", care=False, nic=False),
    Run("stock-cpr-suspend", "cpr-nic"),
    Run("stock-cpr-suspend-plain", "cpr-nic", care=False),
]

# (what grows, unit, [(value, run)]); the guest's memory is not filled, as nothing of it moves
SMALL = {"mem_percent": 10}
GROWTH = [
    ("guest_ram", "GiB", [(n, Run(f"ram-{n}", ram_mib=n << 10, host_gib=n + 4, **SMALL)) for n in (1, 2, 4, 8)]),
    ("vms", "VMs", [(n, Run(f"vms-{n}", vms=n, host_gib=8, **SMALL)) for n in (1, 2, 4)]),
    ("cpus", "CPUs", [(n, Run(f"cpus-{n}", cpus=n, **SMALL)) for n in (1, 2, 4)]),
    ("host_ram", "GiB", [(n, Run(f"host-{n}", ram_mib=512, host_gib=n, **SMALL)) for n in (4, 8, 16, 64)]),
]


def say(text):
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def measure(run, folder, repeat):
    """The shortest result, with the figures of all repeats and their spread."""
    results = []
    for n in range(repeat):
        say(f"{run.name}, run {n + 1} of {repeat}")
        results.append(Measurement(run, os.path.join(folder, "runs", f"{run.name}-{n + 1}")).measure())
        say(f"{run.name}: {results[-1]['blackout_ns'] / 1e6:.3f} ms")
    figures = [r["blackout_ns"] for r in results]
    spread = (max(figures) - min(figures)) / min(figures)
    if spread > (SPREAD_DISK if run.method == "file" else SPREAD):
        raise BenchError(f"{run.name}: runs differ by {spread:.1%}: {figures}")
    return {**results[figures.index(min(figures))], "runs_ns": figures, "spread": spread}


def measure_all(wanted, args):
    """{name: result} of all runs in virtual time."""
    todo = [(run, args.repeat) for run in CONTENDERS] + [(run, 1) for _, _, points in GROWTH for _, run in points]
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        futures = {run.name: pool.submit(measure, run, args.out, repeat) for run, repeat in todo if wanted(run.name)}
        try:
            for future in concurrent.futures.as_completed(futures.values()):
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # those that run still end by themselves
            raise
    return {name: future.result() for name, future in futures.items()}


def contenders(measured, folder):
    out = [measured[run.name] for run in CONTENDERS if run.name in measured]
    for result in out:
        with open(os.path.join(folder, f"timeline-{result['name']}.svg"), "w", encoding="utf-8") as f:
            f.write(timeline_svg(result))
    return out


def threads_ns(what, run, folder):
    """Under icount CPUs run in turn; beside what uses several of them stands what multi-threaded TCG makes of it."""
    if what not in ("vms", "cpus"):
        return None
    return measure(dataclasses.replace(run, name=run.name + "-threads", icount=False), folder, 1)["blackout_ns"]


def growth(measured, folder):
    out = []
    for what, unit, points in GROWTH:
        for value, run in points:
            if run.name in measured:
                result = measured[run.name]
                threads = threads_ns(what, run, folder)
                out.append({"what": what, "unit": unit, "value": value, "name": run.name,
                            "blackout_ns": result["blackout_ns"], "per_vm_ns": result["per_vm_ns"],
                            "later_ns": result["later_ns"],
                            "phases": result["phases"], "kram_pages": result["kram_pages"],
                            "threads_ns": threads})
    if out:
        with open(os.path.join(folder, "growth.svg"), "w", encoding="utf-8") as f:
            f.write(growth_svg(out))
    return out


def profile(wanted, folder):
    """What contender 1's blackout is made of, function by function; also as text for people."""
    if not wanted("profile"):
        return None
    say("profile of khctl-device")
    where = os.path.join(folder, "runs", "profile")
    program = os.path.join(TOP, "tools/profile/profile.py")
    with open(os.path.join(folder, "profile.txt"), "w", encoding="utf-8") as f:
        status = subprocess.run([program, "--out", where, "--command", UPGRADE + " --qmp /run/g1.qmp"], stdout=f,
                                check=False).returncode
    if status:
        raise BenchError("the profile ended with status %d" % status)
    done = subprocess.run([program, "--summary", where], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError("no summary of the profile: " + done.stderr)
    return json.loads(done.stdout)


def write_report(path, report):
    """Complete or not at all."""
    temporary = path + ".new"
    with open(temporary, "w", encoding="utf-8") as f:
        json.dump(report, f, indent=1)
        f.write("\n")
        f.flush()
        os.fsync(f.fileno())
    os.rename(temporary, path)


def need(path, what):
    if not os.path.exists(os.path.join(BUILD, path)):
        raise BenchError(f"{what} is not built: {path}")


def bench(args):
    for path, what in (("bin/qemu-profile", "the outer QEMU"), ("profile/libgap.so", "its plugin"),
                       ("img/l1.img", "the host's image"), ("bench/l1-jump", "the stock hosts' kexec")):
        need(path, what)
    os.makedirs(args.out, exist_ok=True)
    path = os.path.join(args.out, "partial.json" if args.only else "report.json")
    if os.path.exists(path):
        os.unlink(path)

    def wanted(name):
        return re.search(args.only or "", name)

    measured = measure_all(wanted, args)
    results, grown = contenders(measured, args.out), growth(measured, args.out)
    report = {"schema_version": SCHEMA_VERSION, "clock": "virtual, 1 instruction = 1 ns",
              "contenders": results, "profile": profile(wanted, args.out), "growth": grown, "kram": kram(grown),
              "steady_state": steady_state(args.out, say) if wanted("steady-state") else []}
    write_report(path, report)
    print(table(report))
    say(f"written: {path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="REGEX", help="only runs whose name matches")
    parser.add_argument("--repeat", type=int, default=2, help="runs of each contender (2)")
    parser.add_argument("--jobs", type=int, default=1, help="runs in virtual time at once (1)")
    parser.add_argument("--out", default=os.path.join(BUILD, "bench"))
    args = parser.parse_args()
    try:
        bench(args)
    except BenchError as error:
        print(f"bench: no figure: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
