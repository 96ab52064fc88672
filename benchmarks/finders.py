"""What each tool says of each animal of the leak zoo (tests/zoo): a table for docs/finders.md.

    python benchmarks/finders.py [--only WORD] > docs/finders.md

Each animal runs alone, in a process of its own, under each tool, so that nobody can blame the
wrong test. Needs pytest, Twisted and zope.testrunner beside the running Python (3.8 or later).
"""
from __future__ import annotations

import argparse
import ast
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
ZOO = ROOT / "tests" / "zoo"
THEMES = ("kept", "opened", "running", "workers", "coroutines", "state", "scopes")
PATIENCE = 15


class Animal(NamedTuple):
    """One test of the zoo: module, class, method, and its lines."""

    module: str
    cls: str
    name: str
    lines: range

    @property
    def dotted(self) -> str:
        """The name for unittest."""
        return "tests.zoo.%s.%s.%s" % (self.module, self.cls, self.name)


def unittest_with(*flags: str) -> object:
    """Return the command line of plain unittest with these flags of Python."""
    return lambda animal, folder: [sys.executable, *flags, "-m", "unittest", animal.dotted]


def pytest(animal: Animal, folder: str) -> List[str]:
    """Return pytest's command line."""
    return [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "default",
            "tests/zoo/%s.py::%s::%s" % (animal.module, animal.cls, animal.name)]


def trial(animal: Animal, folder: str) -> List[str]:
    """Return trial's command line."""
    return [sys.executable, "-W", "default", "-m", "twisted.trial", "--force-gc", "--reporter=text",
            "--temp-directory=" + os.path.join(folder, "trial"), animal.dotted]


def zope(animal: Animal, folder: str) -> List[str]:
    """Return zope-testrunner's command line."""
    return [sys.executable, "-W", "default", "-m", "zope.testrunner", "--gc-after-test", "-vvv",
            "--path=.", "-m", r"^tests\.zoo\.%s$" % animal.module,
            "--tests-pattern=^%s$" % animal.module,
            "-t", r"^%s \(tests\.zoo\.%s\.%s" % (animal.name, animal.module, animal.cls)]


def ours(animal: Animal, folder: str) -> List[str]:
    """Return our own command line."""
    return [sys.executable, "-m", "unittest_leakfix", "--leaks=report", animal.dotted]


TOOLS: Dict[str, object] = {
    "unittest -W default": unittest_with("-W", "default"),
    "unittest -X dev": unittest_with("-X", "dev"),
    "pytest": pytest, "trial --force-gc": trial, "zope-testrunner --gc-after-test": zope,
    "unittest_leakfix --leaks=report": ours,
}


def animals(word: str) -> Iterator[Animal]:
    """Yield the animals whose dotted name contains *word*."""
    for module in THEMES:
        tree = ast.parse((ZOO / (module + ".py")).read_text(encoding="utf-8"))
        for cls in tree.body:
            if isinstance(cls, ast.ClassDef):
                begin = cls.lineno
                for method in cls.body:
                    if isinstance(method, (ast.FunctionDef, ast.AsyncFunctionDef)) \
                            and method.name.startswith("test"):
                        # What a fixture of the class opens counts as its line, too.
                        found = Animal(module, cls.name, method.name,
                                       range(begin, method.end_lineno + 1))
                        if word in found.dotted:
                            yield found


def printed(tool: str, animal: Animal) -> str:
    """Return what *tool* says of *animal*, its usual lines taken out; "hangs" if it does not
    end."""
    folder = tempfile.mkdtemp(prefix="leakfix-finders-")
    try:
        command = TOOLS[tool](animal, folder)  # type: ignore[operator]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env=dict(os.environ, ZOO=folder, PYTHONDONTWRITEBYTECODE="1"),
                              stdin=subprocess.DEVNULL, timeout=PATIENCE)
        return done.stdout.decode("utf-8", "replace")
    except subprocess.TimeoutExpired as over:
        # A thread that is left keeps the process alive; what was said until then counts.
        return (over.stdout or b"").decode("utf-8", "replace") + "\nhangs"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


_USUAL = re.compile(r"^(\.+|-+|=+|OK.*|Ran "
                    r".*|PASSED.*|\s*|.*\[100%\].*|.*\bpassed\b.*|.*\[OK\].*|Running.*"
                    r"|\s*(Set up|Tear down|Tearing down|Total:|Run|Ran) "
                    r".*|tests\.zoo.*|\s+\w+|\s+Running:"
                    r"|.*zope\.testrunner\.layer.*|.*has no addDuration method| \w+ "
                    r"\(tests\.zoo\..*\) \(.* s\).*)$")


def cell(text: str, animal: Animal) -> str:
    """Return the letters for what was said: T the test, L the line, H the holder."""
    lines = [line for line in text.splitlines() if not _USUAL.match(line) and line != "hangs"]
    if not lines:
        return "hangs" if text.endswith("hangs") else ""
    rest = "\n".join(lines)
    source = re.escape(animal.module) + r'\.py(?::|", line )(\d+)'
    letters = "T" if re.search(r"\b%s\b" % re.escape(animal.name), rest) else ""
    if any(int(line) in animal.lines for line in re.findall(source, rest)) or re.search(
            r"^    > \d+ ", rest, re.MULTILINE):
        letters += "L"
    letters += "H" if re.search(r"^    ╰→|^    `->", rest, re.MULTILINE) else ""
    return letters or "a word"


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", metavar="WORD")
    zoo = list(animals(parser.parse_args().only))
    print("# Who names which leak\n\nMade by `python benchmarks/finders.py` on Python %s. Each row "
          "is one test of "
          "`tests/zoo`, run alone.\n**T**: the test is named, **L**: the line of the test that "
          "opened or started it, "
          "**H**: who still holds it; \"a word\": something is said,\nwithout any of these; empty: "
          "nothing is "
          "said.\n" % sys.version.split()[0])
    print("| leak | " + " | ".join(TOOLS) + " |\n|" + "---|" * (len(TOOLS) + 1))
    named = dict.fromkeys(TOOLS, 0)
    with ThreadPoolExecutor(2) as pool:
        for animal in zoo:
            texts = pool.map(lambda tool: printed(tool, animal), TOOLS)
            row = dict(zip(TOOLS, (cell(text, animal) for text in texts)))
            for tool in TOOLS:
                named[tool] += bool(row[tool]) and row[tool] not in ("hangs", "a word")
            print("| %s `%s.%s` | %s |"
                  % (animal.module, animal.cls, animal.name, " | ".join(row.values())),
                  flush=True)
    print("| **named at all, of %d** | %s |"
          % (len(zoo), " | ".join("**%d**" % named[tool] for tool in TOOLS)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
