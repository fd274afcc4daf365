# SPDX-License-Identifier: GPL-2.0
"""What no kernel's log may hold."""
import re

BAD = re.compile("|".join((
    r"\bWARNING:", r"\bBUG:", r"\bBUG \w", r"\bOops\b", r"Call Trace", r"Kernel panic", r"general protection",
    r"\blockup\b", r"\bstall(s|ed)?\b", r"blocked for more than", r"\bTainted:",
    r"\btainting\b", r"\btaints\b", r"Unable to handle", r"unable to handle", r"KVM internal error", r"UBSAN", r"KASAN",
    r"page allocation failure", r"nobody cared", r"DMAR:.*fault", r"DMAR: \[(DMA|INTR)", r"Bad page", r"bad: scheduling",
    r"Clocksource .* skewed", r"Marking clocksource", r"Detected Hardware Unit Hang", r"Reset adapter", r"Tx hang",
    r"NETDEV WATCHDOG", r"irq .*: nobody", r"do_IRQ: .*No irq handler", r"No irq handler for vector",
)))

# Words that look alike and mean no harm.
HARMLESS = re.compile("|".join((
    r"Command line:", r"ommand line: ", r"Speculative Return Stack Overflow", r"report a bug",
)))


def bad_lines(text):
    return [line for line in text.splitlines() if BAD.search(line) and not HARMLESS.search(line)]


def without_reports(text):
    """A guest's console without khload's lines."""
    return "\n".join(line for line in text.splitlines() if not line.startswith("khload: {"))
