#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Upgrade after upgrade in one life of a guest: no false alarm. `soak.py [N]`, 20 if not said."""
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from scenario import (  # noqa: E402
    Life, Tap, check_agreement, check_logs, check_quiet, jump, khctl, lab, save_kernel_log, witness)


def once(tap, l1, number, to):
    begin = time.time()
    save_kernel_log(l1)
    jumped, status, output = jump(l1, f"khctl upgrade --kernel /boot/bzImage-{to} --qmp /run/g1.qmp")
    if not tap.check(f"{number}: the upgrade to {to} succeeds", jumped and status == 0, output[-3000:]):
        raise RuntimeError("no further")
    status, verify, talk = khctl(l1, "verify")
    report = witness(l1, begin, time.time())
    tap.check(f"{number}: khctl says pass", status == 0 and (verify or {}).get("verdict") == "pass", talk)
    tap.check(f"{number}: the witness says pass", report["verdict"] == "pass",
              json.dumps([c for c in report["checks"] if c["verdict"] != "pass"]))
    check_agreement(tap, verify, report)
    check_quiet(tap, l1, f"after {number}")


def main():
    tap = Tap()
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with lab(tap, "soak", kernel="a", guests=("g1",)) as l1:
        life = Life(l1)
        before = life.ready()
        for number in range(1, count + 1):
            once(tap, l1, number, "ba"[(number - 1) % 2])
        life.caught_up(before)
        check_logs(tap, l1)
    tap.finish()


if __name__ == "__main__":
    main()
