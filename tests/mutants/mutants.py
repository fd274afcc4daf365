#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Which conditions can be changed without any unit test noticing?

usage: mutants.py [--sample N] [--seed S] [--out FILE] PATH...

Each mutant is one changed operator in one condition of a file under PATH (a file or a folder of ctl/ or
tests/witness/). It is built and tested in a copy of the tree. A mutant that the tests do not notice survives: either a
test is missing, or the change makes no difference. The survivors are listed with file, line and change.
Exit status: 0 if no mutant survived, 1 if one did, 2 if the unchanged tree does not pass its tests.
"""
import argparse
import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TREE = os.path.join(TOP, "build/mutants/tree")
LIMIT_S = 120   # a mutant that loops for ever is one that was noticed

C_SWAPS = [(r"(?<![=!<>])==(?!=)", "!="), (r"!=", "=="), (r"&&", "||"), (r"\|\|", "&&"), (r"(?<![<>=-])<(?![<=])", "<="),
           (r"<=(?!=)", "<"), (r"(?<![-<>=])>(?![>=])", ">="), (r">=(?!=)", ">"), (r"(?<=[(&| ])!(?=[\w(*])", "")]
PY_SWAPS = [(r"==", "!="), (r"!=", "=="), (r"\band\b", "or"), (r"\bor\b", "and"), (r"(?<![<>=])<(?![<=])", "<="), (r"<=", "<"),
            (r"(?<![-<>=])>(?![>=])", ">="), (r">=", ">"), (r"\bnot in\b", "in"), (r"\bnot (?!in)", "")]
C_CONDITION = re.compile(r"^\t+(?:}? ?else )?(?:if|while|for|return)\b|&&|\|\|")
PY_CONDITION = re.compile(r"^\s*(?:if|elif|while|return)\b|\bif\b")


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def code_of(line, is_c):
    """The part of a line in which an operator is one: no comment, no string."""
    line = re.sub(r'"(?:\\.|[^"\\])*"', lambda m: '"' + " " * (len(m[0]) - 2) + '"', line)
    line = re.sub(r"'(?:\\.|[^'\\])*'", lambda m: "'" + " " * (len(m[0]) - 2) + "'", line)
    cut = re.search(r"/\*|//|^\s+\* " if is_c else r"#", line)
    return line[:cut.start()] if cut else line


def mutants(path):
    """(path, line number, column, old, new) for each operator of each condition."""
    is_c = path.endswith((".c", ".h"))
    for number, line in enumerate(read(os.path.join(TOP, path)).splitlines()):
        code = code_of(line, is_c)
        if not (C_CONDITION if is_c else PY_CONDITION).search(code):
            continue
        for pattern, new in C_SWAPS if is_c else PY_SWAPS:
            for match in re.finditer(pattern, code):
                yield path, number, match.start(), match[0], new


def changed(text, number, column, old, new):
    lines = text.splitlines(keepends=True)
    line = lines[number]
    lines[number] = line[:column] + new + line[column + len(old):]
    return "".join(lines)


def passes(path):
    """Whether the tests that know `path` pass in the copy."""
    if path.startswith("tests/witness/"):
        command = [sys.executable, "tests/witness/test-witness.py"]
    else:
        command = ["make", "-s", "-f", "tests/unit/unit.mk", "check-unit", "-j2"]
    # A group of its own: a test that loops for ever is a grandchild, and has to end with its make.
    with subprocess.Popen(command, cwd=TREE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          start_new_session=True) as child:
        try:
            return child.wait(LIMIT_S) == 0
        except subprocess.TimeoutExpired:
            return False
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sample", type=int, default=0, help="so many mutants at random, 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default=os.path.join(TOP, "build/mutants/survivors.json"))
    parser.add_argument("paths", nargs="+")
    a = parser.parse_args()

    files = subprocess.run(["git", "ls-files", "--", *a.paths], cwd=TOP, capture_output=True, text=True, check=True).stdout.split()
    files = [f for f in files if f.endswith((".c", ".py")) and not os.path.basename(f).startswith("test-")]
    found = [m for f in files for m in mutants(f)]
    if a.sample and a.sample < len(found):
        found = sorted(random.Random(a.seed).sample(found, a.sample))
    if not found:
        sys.exit("mutants: no condition found in " + " ".join(a.paths))

    os.makedirs(TREE, exist_ok=True)
    for name in subprocess.run(["git", "ls-files"], cwd=TOP, capture_output=True, text=True, check=True).stdout.split():
        to = os.path.join(TREE, name)
        os.makedirs(os.path.dirname(to), exist_ok=True)
        if not os.path.exists(to) or read(to) != read(os.path.join(TOP, name)):
            shutil.copy(os.path.join(TOP, name), to)
    for f in {"tests/witness/" if f.startswith("tests/witness/") else "ctl/" for f in files}:
        if not passes(f):
            print(f"mutants: the tests of {f} do not pass on the unchanged tree", file=sys.stderr)
            sys.exit(2)

    survivors, begin = [], time.monotonic()
    for n, (path, number, column, old, new) in enumerate(found, 1):
        text = read(os.path.join(TOP, path))
        write(os.path.join(TREE, path), changed(text, number, column, old, new))
        lives = passes(path)
        write(os.path.join(TREE, path), text)
        if lives:
            line = text.splitlines()[number].strip()
            survivors.append({"file": path, "line": number + 1, "column": column + 1, "old": old, "new": new, "code": line})
            print(f"survived: {path}:{number + 1}: {old} -> {new or 'nothing'}: {line}", flush=True)
        if n % 50 == 0:
            print(f"# {n} of {len(found)} after {time.monotonic() - begin:.0f} s, {len(survivors)} survived", flush=True)
    os.makedirs(os.path.dirname(a.out), exist_ok=True)
    write(a.out, json.dumps({"schema_version": 1, "mutants": len(found), "survivors": survivors}, indent=1) + "\n")
    print(f"{len(found) - len(survivors)} of {len(found)} mutants were noticed, {len(survivors)} survived: {a.out}")
    sys.exit(1 if survivors else 0)


if __name__ == "__main__":
    main()
