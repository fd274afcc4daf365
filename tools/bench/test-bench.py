#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""The bench gives no figure when its clocks disagree, when a guest was not seen, when runs differ, or when it
did not get to the end. No VM: records are made up."""
import json
import os
import re
import subprocess
import sys
import tempfile
import types

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import bench  # noqa: E402
import render  # noqa: E402
import runs  # noqa: E402
import steady  # noqa: E402

passed = failed = 0


def ok(what, good, found=""):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
    print(f"{'ok' if good else 'not ok'} {passed + failed} - {what}" + (f" # found {found}" if not good else ""))


def refuses(what, word, function, *args):
    try:
        result = function(*args)
    except runs.BenchError as error:
        ok(f"no figure: {what}", word in str(error), error)
    else:
        ok(f"no figure: {what}", False, result)


def measured(folder, gaps, phases, guest=None, since=0, g1_ns=100000000, **fields):
    """A measurement whose lab is said to be over."""
    m = runs.Measurement(runs.Run("x", **fields), os.path.join(folder, "x"))
    m.since, m.g1_ns = since, g1_ns
    m.phases, m.host_ns, m.guest = [{"name": "all", "ns": phases}], phases, guest
    if gaps is not None:
        with open(m.gap_file, "w", encoding="utf-8") as f:
            f.write(gaps)
    elif os.path.exists(m.gap_file):
        os.unlink(m.gap_file)
    return m.result()


def check_agreement(folder):
    good = "gap 0 500 2000000\ngap 0 9000 100000000\nseen 0 5\n"
    result = measured(folder, good, 100000000)
    ok("the longest gap is the blackout", result["blackout_ns"] == 100000000, result)
    early = "gap 0 400 900000000\n" + good
    ok("a pause before the measurement is none of it", measured(folder, early, 100000000, since=401)["blackout_ns"] == 100000000)
    refuses("only a pause before the measurement", "not every guest", measured, folder, early, 100000000, None, 10000)
    ok("phases may differ by less than 2 %", measured(folder, good, 101000000), "")
    refuses("phases that do not add up", "the phases add up to", measured, folder, good, 103000000)
    for what, least, most in (("less", 90000000, 94000000), ("more", 103000000, 105000000), ("next to nothing", 90000000, 110000000),
                              ("nonsense", 103000000, 97000000)):
        refuses(f"a guest whose clock says {what}", "the guest's own clock", measured, folder, good, 100000000,
                {"lost_max_ns": least, "lost_most_ns": most})
    ok("a guest's bounds have the figure between them", measured(folder, good, 100000000,
                                                                 {"lost_max_ns": 97000000, "lost_most_ns": 101000000}), "")
    ok("one of them may be far off", measured(folder, good, 100000000, {"lost_max_ns": 99000000, "lost_most_ns": 358000000}), "")
    refuses("a guest that never ran", "not every guest", measured, folder, "gap 0 9000 100000000\n", 100000000)
    refuses("no gap at all", "not every guest", measured, folder, "seen 0 5\n", 100000000)
    refuses("no record", "no record", measured, folder, None, 100000000)
    twice = "gap 0 9000 100000000\ngap 0 200000000 150000000\nseen 0 5\n"
    result = measured(folder, twice, 100000000, {"lost_max_ns": 100000000, "lost_most_ns": 100000000})
    ok("a later pause is told apart", (result["blackout_ns"], result["later_ns"]) == (100000000, [150000000]), result)
    two = good + "gap 1 4000 100000000\nseen 1 7\n"
    result = measured(folder, two, 100005000, vms=2, host_gib=8)
    ok("with two guests: what khctl says, from the first stop to the last run", result["blackout_ns"] == 100005000, result)
    refuses("two guests, and khctl says something else of the one that never sleeps", "khctl says of g1",
            lambda: measured(folder, two, 100005000, g1_ns=94000000, vms=2, host_gib=8))
    refuses("a second guest that was not seen", "not every guest", lambda: measured(folder, good, 100000000, vms=2, host_gib=8))
    refuses("a host that is too small", "too little", lambda: runs.Measurement(runs.Run("x", ram_mib=8192), "x"))


def check_spread(folder):
    figures = iter([100, 103])
    real = bench.Measurement
    bench.Measurement = lambda run, where: types.SimpleNamespace(measure=lambda: {"blackout_ns": next(figures)})
    refuses("runs that differ", "differ", bench.measure, runs.Run("x"), folder, 2)
    figures = iter([108, 100, 100, 120])
    disk = bench.measure(runs.Run("x", "file"), folder, 2)
    ok("the shorter of two counts", disk == {"blackout_ns": 100, "runs_ns": [108, 100], "spread": 0.08})
    refuses("runs with a disk that differ more", "differ", bench.measure, runs.Run("x", "file"), folder, 2)
    bench.Measurement = real


def check_incomplete(folder):
    """A run that cannot even start leaves no report, and not an old one either."""
    old = os.path.join(folder, "report.json")
    with open(old, "w", encoding="utf-8") as f:
        f.write("{}")
    build = os.path.join(folder, "build")
    for path in ("bin/qemu-profile", "profile/libgap.so", "img/l1.img", "bench/l1-jump", "guest/disk2.img"):
        os.makedirs(os.path.dirname(os.path.join(build, path)), exist_ok=True)
        with open(os.path.join(build, path), "w", encoding="utf-8") as f:
            f.write("#!/bin/sh\necho 'icount is not for me' >&2\nexit 1\n")
        os.chmod(os.path.join(build, path), 0o755)
    done = subprocess.run([os.path.join(HERE, "bench.py"), "--out", folder], capture_output=True, text=True, check=False,
                          env={**os.environ, "KHCTL_LAB_BUILD": build})
    ok("an outer QEMU that fails: exit status 1", done.returncode == 1, done.returncode)
    ok("and it is said why", "no figure" in done.stderr, done.stderr)
    ok("and no report is there", not [n for n in os.listdir(folder) if n.endswith((".json", ".json.new"))], os.listdir(folder))
    done = subprocess.run([os.path.join(HERE, "bench.py"), "--out", folder], capture_output=True, text=True, check=False,
                          env={**os.environ, "KHCTL_LAB_BUILD": os.path.join(folder, "nothing")})
    ok("nothing built: exit status 1", done.returncode == 1 and "not built" in done.stderr, done.stderr)


def check_kram():
    grown = [{"what": "guest_ram", "value": n, "kram_pages": 100 + n} for n in (1, 2, 8)]
    ok("KRAM: a page per GiB", steady.kram(grown)["bytes_per_gib"] == 4096, steady.kram(grown))
    ok("KRAM: not told from one point", steady.kram(grown[:1]) is None)


def check_pictures():
    contender = {"name": "khctl-device", "blackout_ns": 4000000, "spread": 0, "later_ns": [0],
                 "phases": [{"name": "save", "ns": 1000000}, {"name": "boot", "ns": 3000000}]}
    picture = render.timeline_svg(contender)
    bars = [float(w) for w in re.findall(r"y='40' width='([0-9.]+)'", picture)]
    ok("a timeline is to scale", len(bars) == 2 and abs(bars[1] - 3 * bars[0]) < 0.1, bars)
    ok("a timeline names each phase", "save" in picture and "boot" in picture, picture)
    point = {"what": "cpus", "unit": "CPUs", "value": 1, "blackout_ns": 5, "per_vm_ns": [5], "name": "cpus-1"}
    ok("a plot of one point can be drawn", "circle" in render.growth_svg([point]))
    report = {"contenders": [contender, {**contender, "name": "stock-file", "blackout_ns": 24000000}],
              "growth": [point], "steady_state": [], "kram": None}
    ok("the table has the ratio", "stock-file / khctl-device = 6.00" in render.table(report), render.table(report))
    ok("a report can be read back", json.loads(json.dumps(report)) == report)


def main():
    with tempfile.TemporaryDirectory() as folder:
        check_agreement(folder)
        check_spread(folder)
        check_incomplete(folder)
        check_kram()
    check_pictures()
    print(f"1..{passed + failed}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
