#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Hold the witness's report against khctl's verdict.

Both observers tell of the same upgrade and share neither code nor sources: the
witness has what the hardware wrote down, khctl what the kernels did. Where both
can see, they must say the same; where they do not, one of them is wrong, and
that is what this program says. Unknown agrees with nothing.
"""
import argparse
import json
import sys

# claims of khctl, checks of the witness: any of the one side stands for all of the other
PAIRS = [
    (("translation-on",), ("iommu.translation",)),
    (("remapping-on",), ("iommu.remapping",)),
    (("root-pointer",), ("iommu.root",)),
    (("no-dma-fault",), ("iommu.faults",)),
    (("no-reset",), ("nic.reset",)),
    (("power-state",), ("nic.power",)),
    (("bus-master",), ("nic.bus_master",)),
    (("config-writes", "bars", "decode", "msix-enable"), ("nic.config",)),
]
WORDS = {"holds": "pass", "violated": "fail", "pass": "pass", "fail": "fail"}


def worst(found):
    """found: verdicts of one side. Fail before unknown before pass; nothing at all is unknown."""
    words = [WORDS.get(v, "unknown") for v in found]
    if "fail" in words:
        return "fail"
    return "pass" if words and set(words) == {"pass"} else "unknown"


def compare(witness, khctl):
    """A list of {claims, checks, khctl, witness, agree}."""
    rows = []
    for claims, checks in PAIRS:
        k = worst(c["verdict"] for c in khctl.get("claims", []) if c["id"] in claims)
        w = worst(c["verdict"] for c in witness.get("checks", []) if c["id"] in checks)
        rows.append({"claims": list(claims), "checks": list(checks), "khctl": k, "witness": w,
                     "agree": k == w and k != "unknown"})
    return rows


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("witness", help="what witness.py printed")
    p.add_argument("khctl", help="what khctl verify --json printed")
    a = p.parse_args()
    try:
        with open(a.witness, encoding="utf-8") as w, open(a.khctl, encoding="utf-8") as k:
            rows = compare(json.load(w), json.load(k))
    except (OSError, ValueError) as error:
        print(f"compare: {error}", file=sys.stderr)
        return 2
    json.dump({"schema_version": 1, "agree": all(r["agree"] for r in rows), "pairs": rows}, sys.stdout, indent=1)
    print()
    return 0 if all(r["agree"] for r in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
