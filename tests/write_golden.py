"""Write the golden texts anew: ``python tests/write_golden.py [NAME ...]``, then read the diff.

NAME is a test module, class or method (``test_leaks_text``); none means every module that compares
with texts of tests/golden/. A text is written for the Python that runs this: where a name ends in a
version (``kept.x.3.13.txt``), that text is for this version and those before it.
"""

from __future__ import absolute_import

import io
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if __name__ == "__main__":
    sys.path[0] = ROOT  # not tests/: its modules are the package's

from tests.support import paths  # noqa: E402

USES = ("assertGolden(", "assertRenders(", "each_animal(")


def modules():
    """Return the names of the test modules that compare with golden texts."""
    found = []
    for name in paths.modules():
        with io.open(os.path.join(ROOT, *name.split(".")) + ".py", encoding="utf-8") as source:
            text = source.read()
        if any(use in text for use in USES):
            found.append(name)
    return found


def main(names):
    """Run the tests of *names* with writing switched on, and show what has changed."""
    names = [full for name in names for full in paths.resolved(name)] or modules()
    status = subprocess.call([sys.executable, "-m", "unittest"] + names, cwd=ROOT,
                             env=dict(os.environ, LEAKFIX_WRITE_GOLDEN="1"))
    subprocess.call(["git", "status", "--short", "tests/golden"], cwd=ROOT)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
