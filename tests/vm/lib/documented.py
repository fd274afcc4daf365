# SPDX-License-Identifier: GPL-2.0
"""Commands of the documents, run in L1 as a reader would run them."""
import os
import re

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def commands(document, heading):
    """The indented lines under a heading, up to the next one."""
    with open(os.path.join(TOP, document), encoding="utf-8") as f:
        text = f.read()
    match = re.search(rf"^#+ {re.escape(heading)}$(.*?)(?=^#|\Z)", text, re.M | re.S)
    if not match:
        raise RuntimeError(f"{document} has no heading '{heading}'")
    return re.findall(r"^    (\S.*)$", match[1], re.M)


def run(tap, l1, document, heading, only):
    """Each command under the heading that the regular expression `only` matches must succeed and say something."""
    lines = [line for line in commands(document, heading) if re.match(only, line)]
    tap.check(f"{document}, {heading}: there are commands", lines, only)
    for line in lines:
        status, out = l1.run(line, 120)
        tap.check(f"{document}: {line}", status == 0 and out.strip(), f"{status}: {out[-2000:]}")
