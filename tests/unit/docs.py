#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""Check every command, path, link and figure in the documents.

usage: docs.py [TREE [KHCTL]]   TREE: root of a checkout; KHCTL: a built khctl, by default build/ctl/khctl of TREE

A command that would change the machine is not run; what it names is checked instead:
- each block of commands is a valid shell script,
- "make X": make knows how to make X,
- "khctl VERB ...": the options are those that khctl VERB --help prints, and no required one is missing,
- programs and paths of the tree exist, and so do the subcommands of tools/patches,
- QEMU's and ndctl's options and the kernel parameters of the host guide are those of the lab,
- links and anchors lead somewhere; claims, checks and messages (of faults, too) are those of the sources,
- figures of the README are those of docs/blackout*.md, and the picture is the one that docs/draw.py draws.
"""
import functools
import glob
import os
import re
import shlex
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "../.."))
KHCTL = os.path.abspath(sys.argv[2] if len(sys.argv) > 2 else os.path.join(TOP, "build/ctl/khctl"))
FOLDERS = ("docs", "tests", "tools", "ctl", "kernel", "qemu-patches", "bpf", "findings")
PATH = re.compile(r"^(?:%s)/[\w.*{},/+-]*$" % "|".join(FOLDERS))
PROGRAMS = ("make", "khctl", "bpftool", "ndctl", "git", "KEEP=1", "mkdir", "modprobe", "echo", "mount", "install", "cat",
            "grep", "ls", "update-grub", "reboot", "cd", "GLIBC_TUNABLES=glibc.malloc.hugetlb=1", "man", "complete")
WIDTH = 100
# Of the kernel's own Makefile, where a document speaks of that
KERNEL_TARGETS = ("allnoconfig", "olddefconfig")


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        return f.read()


def documents():
    names = ["README.md"] + [d for folder in (*FOLDERS, ".") for d in glob.glob(os.path.join(TOP, folder, "**/*.md"), recursive=True)]
    names = {os.path.relpath(os.path.join(TOP, n), TOP) for n in names}
    return sorted(n for n in names if not n.startswith(("build/", "../")))


class Doc:
    """A document split into prose, tables and blocks of code. Each is a list of (line number, text)."""

    def __init__(self, name):
        self.name, self.prose, self.tables, self.blocks, self.headings = name, [], [], [], []
        block, fence, blank = None, None, True
        for number, line in enumerate(read(name).split("\n"), 1):
            match = re.match(r"\s*```(\w*)", line)
            if match:
                fence, block = (None, None) if fence is not None else (match[1], [])
                if block is not None:
                    self.blocks.append(block)
            elif fence is not None:
                block.append((number, line))
            elif re.match(r" {4,}\S", line) and (blank or block is not None):
                if block is None:
                    block = []
                    self.blocks.append(block)
                block.append((number, line[4:]))
            else:
                if line.strip():
                    block = None
                if line.startswith("|"):
                    self.tables.append((number, line))
                else:
                    self.prose.append((number, line))
                if line.startswith("#"):
                    self.headings.append(line.lstrip("# "))
            # A block may follow a heading or a line of prose without a blank line.
            blank = not line.strip() or line.startswith("#") or not line.startswith(("-", "*", "|", "  "))

    def words(self):
        """Everything in backticks: (line number, text)."""
        for number, line in self.prose + self.tables:
            for text in re.findall(r"`([^`]+)`", line):
                yield number, text


def anchor(heading):
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def joined(block):
    """Lines that end in a backslash with the next one; comments at the end cut off."""
    number, text = None, ""
    for at, line in block:
        number = number or at
        text += line
        if text.endswith("\\"):
            text = text[:-1] + " "
            continue
        yield number, re.sub(r"\s+#( .*|#.*)$", "", text).strip()
        number, text = None, ""


def is_command(line):
    first = line.split(" ")[0] if line else ""
    return first in PROGRAMS or bool(PATH.match(first) and not first.endswith("/"))


@functools.lru_cache(None)
def make_knows(target):
    # without what a make above this test hands down
    env = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(["make", "-n", "-C", TOP, *shlex.split(target)], capture_output=True, text=True, check=False, env=env)
    return None if done.returncode == 0 else (done.stderr.strip().splitlines() or ["?"])[-1]


@functools.lru_cache(None)
def khctl_options(verb):
    """{option: (takes an argument, may be repeated, is required)} as khctl VERB --help prints its table; None: no such verb.

    khctl is never run with anything but --help: what a document says is not done here.
    """
    done = subprocess.run([KHCTL, verb, "--help"], capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    return {name: (bool(argument), bool(repeated), "(required)" in rest) for name, argument, repeated, rest in
            re.findall(r"^  --([\w-]+)( [A-Z]+)?(\.\.\.)? (.*)$", done.stdout, re.M)}


def check_khctl(argv, whole=True):
    """argv: what follows khctl; whole: it is a command line, not a mention. Returns what is wrong, or None."""
    if not argv or argv[0] in ("help", "complete", "VERB"):
        return None
    options = khctl_options(argv[0])
    if options is None:
        return f"khctl has no verb {argv[0]}"
    words, last = iter(argv[1:]), None
    given = set()
    for word in words:
        name, equals, _ = word.removeprefix("--").partition("=")
        if not word.startswith("--"):
            # An option that may be repeated takes all that follows; a verb may take words of its own.
            if not (last and options[last][1]) and not khctl_takes_words(argv[0]):
                return f"khctl {argv[0]}: unexpected argument {word}"
            continue
        if name == "help":
            continue
        if name not in options:
            return f"khctl {argv[0]} has no option --{name}"
        if options[name][0] and not equals and next(words, None) is None and whole:
            return f"khctl {argv[0]}: argument missing for --{name}"
        last = name
        given.add(name)
    missing = [name for name, (_, _, required) in options.items() if required and name not in given]
    return f"khctl {argv[0]} needs --{missing[0]}" if whole and missing else None


@functools.lru_cache(None)
def khctl_takes_words(verb):
    """Does its help list words that are no options, as "vm..."?"""
    done = subprocess.run([KHCTL, verb, "--help"], capture_output=True, text=True, check=False)
    return bool(re.search(r"^  \w+\.\.\. ", done.stdout, re.M))


def there(path):
    """A path of the tree, a pattern, a patch by its number, or a file that a patch changes."""
    path = path.rstrip("/,.")
    if glob.glob(os.path.join(TOP, path)):
        return True
    folder, _, number = path.rpartition("/")
    if re.match(r"(kernel|qemu-patches)/patches$", folder) and re.match(r"\d{4}$", number):
        return bool(glob.glob(os.path.join(TOP, folder, "**", number + "-*.patch"), recursive=True))
    return path in patched_files()


@functools.lru_cache(None)
def patched_files():
    names = set()
    for patch in glob.glob(os.path.join(TOP, "*/patches/**/*.patch"), recursive=True):
        with open(patch, encoding="utf-8", errors="replace") as f:
            names.update(re.findall(r"^\+\+\+ b/(\S+)$", f.read(), re.M))
    return names


def check_command(line):
    """Returns what is wrong with a command line, or None."""
    try:
        argv = shlex.split(re.split(r" [<>|&]", line)[0])
    except ValueError as error:
        return str(error)
    while argv and re.match(r"^[A-Z_]+=", argv[0]):
        argv.pop(0)
    if not argv:
        return None
    if argv[0] == "make":
        return None if argv[-1] in KERNEL_TARGETS else make_knows(shlex.join(argv[1:]))
    if argv[0] == "khctl":
        return check_khctl(argv[1:])
    if argv[0] == "ndctl":
        return in_lab(argv, "tools/lab/l1-init")
    for word in argv:
        path = word.split("=")[-1]
        if PATH.match(path) and "NAME" not in path and not there(path):
            return f"there is no {path}"
    if PATH.match(argv[0]) and not os.access(os.path.join(TOP, argv[0]), os.X_OK):
        return f"{argv[0]} cannot be run"
    if argv[0] == "tools/patches" and not re.search(rf"^#   patches {argv[1]} ", read("tools/patches"), re.M):
        return f"tools/patches has no {argv[1]}"
    return None


def in_lab(argv, where):
    """Each option stands in what the lab does."""
    text = read(where)
    missing = [w for w in argv if w.startswith("-") and not re.search(r"(?:^|\s)" + re.escape(w) + r"\b", text)]
    return f"{where} has no {' '.join(missing)}" if missing else None


def check_blocks(doc, complain):
    for block in doc.blocks:
        lines = [(n, text) for n, text in joined(block) if is_command(text)]
        for number, text in lines:
            done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
            wrong = done.stderr.strip() if done.returncode else check_command(text)
            if wrong:
                complain(doc.name, number, f"`{text[:80]}`: {wrong}")
        doc.commands += len(lines)


def check_inline(doc, complain):
    for number, text in doc.words():
        wrong = None
        if re.match(r"make [\w-]", text):
            wrong = check_command(text)
            doc.commands += 1
        elif re.match(r"khctl [a-z]", text) and "..." not in text:
            wrong = check_khctl(text.split(" ")[1:], whole=False)
            doc.commands += 1
        elif PATH.match(text.split(" ")[0]) and "{" not in text:
            if "NAME" not in text and not there(text.split(" ")[0]):
                wrong = "is not there"
            doc.commands += 1
        if wrong:
            complain(doc.name, number, f"`{text}`: {wrong}")


def check_links(doc, docs, complain):
    for number, line in doc.prose + doc.tables:
        for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", line)):
            if re.match(r"https?:", target):
                continue
            path, _, to = target.partition("#")
            full = os.path.normpath(os.path.join(os.path.dirname(doc.name), path)) if path else doc.name
            if not os.path.exists(os.path.join(TOP, full)):
                complain(doc.name, number, f"link to {target}, which is not there")
            elif to and to not in [anchor(h) for h in docs[full].headings]:
                complain(doc.name, number, f"link to {target}: no such heading")


def check_width(doc, complain):
    for number, line in doc.prose:
        if len(line) > WIDTH and " " in line.strip() and "http" not in line:
            complain(doc.name, number, f"{len(line)} columns, prose wraps at {WIDTH}")


def check_readme(doc, complain):
    """What the README says of claims, checks, messages and figures."""
    man, witness = read("docs/khctl.8"), read("tests/witness/witness.py")
    claims = set(re.findall(r"[\w-]+", " ".join(re.findall(r"^\.It Cm (.*)$", man.split(".Sh CLAIMS")[1], re.M))))
    sources = "".join(read(os.path.relpath(p, TOP)) for p in glob.glob(os.path.join(TOP, "ctl/**/*.c"), recursive=True))
    measured = "".join(read(os.path.relpath(p, TOP)) for p in glob.glob(os.path.join(TOP, "docs/blackout*.md")))
    told = 0
    for number, line in doc.tables:
        for group in re.findall(r"\bclaims? ((?:`[\w-]+`(?:, )?)+)", line):
            for claim in re.findall(r"`([\w-]+)`", group):
                told += 1
                if claim not in claims:
                    complain(doc.name, number, f"khctl.8 has no claim {claim}")
        for group in re.findall(r"\bwitness ((?:`[\w.]+`(?:, )?)+)", line):
            for check in re.findall(r"`([\w.]+)`", group):
                told += 1
                if f'"{check}"' not in witness:
                    complain(doc.name, number, f"the witness has no check {check}")
        for group in re.findall(r"\bchecks? ((?:`[\w-]+`(?:, )?)+)", line):
            for check in re.findall(r"`([\w-]+)`", group):
                told += 1
                if f'"{check}"' not in sources:
                    complain(doc.name, number, f"there is no check {check}")
        for check, text in re.findall(r"`([a-z]+(?:-[a-z]+)*): ([^`]+)`", line):
            told += 1
            if f'"{check}"' not in sources:
                complain(doc.name, number, f"there is no check {check}")
            for piece in re.split(r"\b(?:NAME|BDF|ID|N)\b|\.\.\.|\d+", text):
                if piece.strip() not in sources:
                    complain(doc.name, number, f"no message of a check says '{piece.strip()}'")
        if "icount.py" in line or "make bench" in line:
            for figure in re.findall(r"\b\d+\.\d+\b", line.split("|")[2]):
                told += 1
                seconds = re.search(re.escape(figure) + r" s\b", line)
                good = any(abs(float(m) / 1000 - float(figure)) < 0.006 for m in re.findall(r"\d+\.\d+", measured)) if seconds \
                    else re.search(rf"(?<![\d.]){re.escape(figure)}(?![\d])", measured)
                if not good:
                    complain(doc.name, number, f"docs/blackout*.md has no {figure}")
    for name in glob.glob(os.path.join(TOP, "docs/*.md")):
        if f"docs/{os.path.basename(name)}" not in read("README.md"):
            complain(doc.name, 1, f"it does not name docs/{os.path.basename(name)}")
    scenarios = re.search(r"^VM_SCENARIOS := (.*)$", read("tests/vm/vm.mk"), re.M)[1].split()
    for name in scenarios:
        if name != "--" and f"`tests/vm/{name}.py`" not in read("README.md"):
            complain(doc.name, 1, f"it does not say what tests/vm/{name}.py shows")
    if told < 20:
        complain(doc.name, 1, "the tables of claims, messages and figures were not found")


def check_failures(doc, complain):
    """The tables of faults quote messages that khctl has, and name checks that there are."""
    sources = {p: read(os.path.relpath(p, TOP)) for p in glob.glob(os.path.join(TOP, "ctl/**/*.c"), recursive=True)}
    checks = "".join(text for p, text in sources.items() if "/preflight/" in p or "/vm/" in p)
    # a message may be spread over the lines of a literal
    said = re.sub(r'"\s*\n\s*"', "", "".join(sources.values()))
    told = 0
    for number, line in doc.tables:
        cells = line.split("|")
        if len(cells) != 6 or "shown by" in line:
            continue
        for message in re.findall(r"`([^`]+)`", re.sub(r"`khctl [a-z]+`", "", cells[2])):
            told += 1
            check = re.match(r"([a-z]+(?:-[a-z]+)*): ", message)
            if check and f'"{check[1]}"' in checks:
                message = message[check.end():]
            for piece in re.split(r"\b(?:NAME|BDF|N)\b|\.\.\.", message):
                if piece.strip() not in said:
                    complain(doc.name, number, f"khctl has no message '{piece.strip()}'")
    if told < 20:
        complain(doc.name, 1, "the tables of faults were not found")


def check_host_guide(doc, complain):
    """Kernel parameters and options of QEMU are those of the lab."""
    guest, lab = read("tools/lab/l1-guest"), read("tools/lab/lab.py")
    text = " ".join(line for block in doc.blocks for _, line in joined(block))
    grub = re.search(r'GRUB_CMDLINE_LINUX="([^"]+)"', text)
    for word in grub[1].split() if grub else ():
        if word not in lab and word.replace("memmap=", "", 1) not in lab:
            complain(doc.name, 1, f"tools/lab/lab.py has no {word}")
    qemu = re.search(r"qemu-kh -name .*?<", text)
    if not grub or not qemu:
        complain(doc.name, 1, "the kernel command line or QEMU's was not found")
        return
    for word in re.findall(r"(?<=\s)-[a-z-]+(?=\s)|[\w-]+(?==(?:on|off|0)\b)", qemu[0]):
        if word not in guest:
            complain(doc.name, 1, f"tools/lab/l1-guest has no {word}")


def check_picture(complain):
    done = subprocess.run([os.path.join(TOP, "docs/draw.py")], capture_output=True, text=True, check=False)
    if done.returncode or done.stdout != read("docs/ownership.svg"):
        complain("docs/ownership.svg", 1, "is not what docs/draw.py draws: " + (done.stderr.strip() or "run it again"))


def check_man(complain):
    found = 0
    for number, line in enumerate(read("docs/khctl.8").split("\n"), 1):
        match = re.match(r"\.Dl khctl (.*)", line)
        if match:
            found += 1
            wrong = check_khctl(shlex.split(match[1]))
            if wrong:
                complain("docs/khctl.8", number, wrong)
    if not found:
        complain("docs/khctl.8", 1, "no example was found")
    return found


def main():
    if not os.access(KHCTL, os.X_OK):
        print(f"not ok 1 - documents: {KHCTL} is not built (make -f ctl/ctl.mk ctl)")
        return 1
    docs = {name: Doc(name) for name in documents()}
    failed, commands = {}, 0

    def complain(name, number, what):
        failed.setdefault(name, []).append(f"{name}:{number}: {what}")

    for doc in docs.values():
        doc.commands = 0
        check_blocks(doc, complain)
        check_inline(doc, complain)
        check_links(doc, docs, complain)
        check_width(doc, complain)
        commands += doc.commands
    check_readme(docs["README.md"], complain)
    check_host_guide(docs["docs/host-guide.md"], complain)
    check_failures(docs["docs/failures.md"], complain)
    check_picture(complain)
    commands += check_man(complain)
    if commands < 100:
        complain("README.md", 1, f"only {commands} commands and paths were found in all documents")
    for number, name in enumerate(sorted({*docs, *failed}), 1):
        print(("not " if name in failed else "") + f"ok {number} - {name}: its commands, paths and links are right")
        for line in failed.get(name, ()):
            print("# " + line)
    print(f"# {commands} commands and paths in {len(docs)} documents")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
