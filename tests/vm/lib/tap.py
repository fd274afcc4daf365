# SPDX-License-Identifier: GPL-2.0
"""TAP on stdout, talk on stderr."""
import sys
import time


class Tap:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.begin = time.monotonic()

    @property
    def count(self):
        return self.passed + self.failed + self.skipped

    def check(self, what, good, found=None):
        """One result; found is shown when it is not good. Returns whether it is."""
        if good:
            self.passed += 1
            print(f"ok {self.count} - {what}", flush=True)
        else:
            self.failed += 1
            print(f"not ok {self.count} - {what}", flush=True)
            for line in str(found).splitlines()[:40]:
                print(f"# {line[:500]}", flush=True)
        return bool(good)

    def skip(self, what, reason):
        self.skipped += 1
        print(f"ok {self.count} - {what} # SKIP {reason}", flush=True)

    def say(self, text):
        print(f"# {time.monotonic() - self.begin:6.1f} s  {text}", flush=True)

    def finish(self):
        print(f"1..{self.count}")
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped", flush=True)
        sys.exit(1 if self.failed or not self.passed else 0)
