"""Are the causes real? Suites of other projects under every mode, and what is found in them.

``python benchmarks/corpora.py [--repeat N] [--cache FOLDER] [SUITE ...]`` fetches the pinned source
distributions (by their hashes) with their tests, makes an environment for each, and runs each suite
in turn: plain, with ``release``, ``report``, and ``fail`` with every kind ignored. Compared are the
outcomes by id, their order, and the exit status; what differs is run again without us, and what
differs there too is that suite's own. Printed are processor time, wall time and the peak of memory
as ratios to plain, medians, then each cause of ``report``, compared with
``benchmarks/reviewed/SUITE.json``: there each cause was judged by reading the suite's code. The
exit status is 1 for an outcome that differs, for a cause that is new, and for one that is judged
not to be real. Needs the network, once. Python 3.8 and later; the judgements are of the newest.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
from typing import Any, NamedTuple

import corpora_record
import verdicts

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HERE = os.path.join(ROOT, "benchmarks")
LIMIT = 1200    # seconds for one run
AGAIN = 3       # so often is a suite with a difference run again without us
MODES = ("plain", "release", "report", "fail")
BOUNDS = {"release": 1.05, "report": 1.15}


class Suite(NamedTuple):
    """One suite: how it is run, and where it comes from."""

    style: str
    """"unittest", "pytest" or "django"."""
    command: tuple[str, ...]
    """What follows ``python -m unittest`` or ``pytest``; for Django the labels."""
    source: str = ""
    """The source distribution, "name==version"; none for the standard library."""
    sha256: str = ""
    folder: str = "."
    """Where it runs, within the sources."""
    install: bool = True
    """Whether the sources are installed; else they are only put on the path."""
    needs: tuple[str, ...] = ()
    """What its tests need; ``--lock`` pins it, with hashes, in ``benchmarks/requirements``."""
    settings: str = ""
    """Django's settings."""


def _standard(*names: str) -> Suite:
    return Suite("unittest", tuple(names))


SUITES: dict[str, Suite] = {
    "pyfakefs": Suite(
        "unittest", ("discover", "-s", "pyfakefs/tests", "-t", ".", "-p", "*_test.py"),
        "pyfakefs==5.7.1", "24774c632f3b67ea26fd56b08115ba7c339d5cd65655410bca8572d73a1ae9a4",
        install=False),
    "docutils": Suite(
        "unittest", ("discover", "-s", ".", "-t", "."),
        "docutils==0.21.2", "3a6b18732edf182daa3cd12775bbb338cf5691468f91eeeb109deff6ebfa986f",
        folder="test", install=False),
    "djangorestframework": Suite(
        "pytest", ("tests", "-p", "no:randomly"),
        "djangorestframework==3.15.2",
        "36fe88cd2d6c6bec23dca9804bab2ba5517a8bb9d8f47ebc68981b56840107ad",
        needs=("pytest<9", "pytest-django", "pytz", "Django<5.2", "setuptools")),
    "django-filter": Suite(
        "django", ("tests",), "django-filter==24.3",
        "d8ccaf6732afd21ca0542f6733b11591030fa98669f8d15599b358e24a2cd9c3",
        settings="tests.settings",
        needs=("Django<5.2", "djangorestframework", "django-crispy-forms", "coreapi",
               "setuptools")),
    "attrs": Suite(
        "pytest", ("tests",), "attrs==25.3.0",
        "75d7cefc7fb576747b2c81b4442d4d4a1ce0900973527c011d1030fd3bf4af1b",
        needs=("pytest<9", "hypothesis", "cloudpickle", "pympler")),
    "click": Suite(
        "pytest", ("tests",), "click==8.1.8",
        "ed53c9d8990d83c2a27deae68e4ee337473f6330c040a31d4225c9574d16096a",
        needs=("pytest<9",)),
    "jinja2": Suite(
        "pytest", ("tests",), "jinja2==3.1.6",
        "0137fb05990d35f1275a587e9aee6d56da821fc83491a0fb838183be43f66d6d",
        needs=("pytest<9", "trio", "markupsafe")),
    "werkzeug": Suite(
        "pytest", ("tests", "--ignore=tests/test_serving.py"), "werkzeug==3.1.3",
        "60723ce945c19328679790e3282cc758aa4a6040e4bb330f53d30fa546d44746",
        needs=("pytest<9", "pytest-timeout", "pytest-xprocess", "ephemeral-port-reserve",
               "cryptography", "watchdog", "markupsafe", "cffi")),
    "pyparsing": Suite(
        "unittest", ("tests.test_unit", "tests.test_simple_unit"), "pyparsing==3.2.3",
        "b9c13f1ab8b3b542f72e28f634bad4de758ab3ce4546e4301970ad6fa77c38be", install=False),
    "tornado": Suite(
        "unittest", ("tornado.test.runtests.all",), "tornado==6.4.2",
        "92bad5b4746e9879fd7bf1eb21dce4e3fc5128d71601f80005afa39237ad620b", install=False),
    "cachetools": Suite(
        "unittest", ("discover", "-s", "tests", "-t", "."), "cachetools==5.5.2",
        "1a661caa9175d26759571b2e19580f9d6393969e5dfca11fdb1f947a23e640d4"),
    "more-itertools": Suite(
        "unittest", ("discover", "-s", "tests", "-t", "."), "more-itertools==10.6.0",
        "2cd7fad1009c31cc9fb6a035108509e6547547a7a738374f10bd49a09eb3ee3b"),
    "requests-mock": Suite(
        "unittest", ("discover", "-s", "tests", "-t", "."), "requests-mock==1.12.1",
        "e9e12e333b525156e82a3c852f22016b9158220d2f47454de9cae8a77d371401",
        needs=("requests", "fixtures", "testtools", "requests-futures", "pytest<9")),
    "watchdog": Suite(
        "pytest", ("tests", "-o", "addopts="), "watchdog==6.0.0",
        "9ddf7c82fda3ae8e24decda1338ede66e1c99883db93711d8fb941eaa2d8c282",
        needs=("pytest<9", "pytest-timeout", "flaky", "PyYAML")),
    "freezegun": Suite(
        "pytest", ("tests",), "freezegun==1.5.1",
        "b29dedfcda6d5e8e083ce71b2b542753ad48cfec44037b3fc79702e2980a89e9",
        needs=("pytest<9", "python-dateutil")),
    "lark": Suite(
        "unittest", ("tests.__main__",), "lark==1.2.2",
        "ca807d0162cd16cef15a8feecb862d7319e7a09bdb13aef927968e45040fed80", install=False),
    "markdown": Suite(
        "unittest", ("discover", "-s", "tests", "-t", "."), "markdown==3.7",
        "2ae2471477cfd02dbbf038d5d9bc226d40def84b4fe2986e49b59b6b472bbed2",
        needs=("PyYAML", "setuptools")),
    "parso": Suite(
        "pytest", ("test",), "parso==0.8.4",
        "eb3a7b58240fb99099a345571deecc0f9540ea5f4dd2fe14c2a99d6b281ab92d",
        needs=("pytest<9",)),
    "mpmath": Suite(
        "pytest", ("mpmath/tests", "-k", "not torture"), "mpmath==1.3.0",
        "7a28eb2a9774d00c7bc92411c19a89209d5da7c4c9a9e227be8330a23a25b91f", install=False,
        needs=("pytest<9",)),
    "anyio": Suite(
        "pytest", ("tests", "-m", "not network"), "anyio==4.9.0",
        "673c0c244e15788651a4ff38710fea9675823028a6f08a5eda409e0c9840a028",
        needs=("pytest<9", "trio", "blockbuster", "exceptiongroup", "hypothesis", "psutil",
               "trustme", "truststore", "idna", "sniffio", "typing_extensions", "coverage")),
    "stdlib-json": _standard("test.test_json"),
    "stdlib-logging": _standard("test.test_logging"),
    "stdlib-email": _standard("test.test_email"),
    "stdlib-unittest": _standard("test.test_unittest"),
    "stdlib-asyncio": _standard("test.test_asyncio"),
    "stdlib-sqlite3": _standard("test.test_sqlite3"),
    "stdlib-contextlib": _standard("test.test_contextlib"),
    "stdlib-tempfile": _standard("test.test_tempfile"),
    "stdlib-threading": _standard("test.test_threading"),
    "stdlib-subprocess": _standard("test.test_subprocess"),
}


class Ran(NamedTuple):
    """What one process came to."""

    outcomes: list[list[str]]
    status: int | None
    wall: float
    cpu: float
    peak: float
    causes: list[dict[str, Any]]
    overhead: dict[str, Any]
    text: str


class Place(NamedTuple):
    """Where a suite is ready to run."""

    python: str
    folder: str
    path: tuple[str, ...]


def prepared(name: str, cache: str) -> Place:
    """Make the environment and the sources of a suite in the *cache*, once, and return them."""
    suite = SUITES[name]
    if not suite.source:
        return Place(sys.executable, "", ())
    home = os.path.join(cache, "%s-%d.%d" % (suite.source.replace("==", "-"),
                                             *sys.version_info[:2]))
    python = os.path.join(home, "environment", "bin", "python")
    done = os.path.join(home, "done")
    if not os.path.exists(done):
        print("%s: fetching" % name, flush=True)
        shutil.rmtree(home, ignore_errors=True)
        venv.create(os.path.join(home, "environment"), with_pip=True)
        pip = [python, "-m", "pip", "--disable-pip-version-check"]
        wanted = os.path.join(home, "source.txt")
        with open(wanted, "w") as file:
            file.write("%s --hash=sha256:%s\n" % (suite.source, suite.sha256))
        subprocess.run([*pip, "download", "-q", "--no-deps", "--no-binary",
                        suite.source.partition("==")[0], "--require-hashes", "-r", wanted,
                        "-d", home], check=True)
        archive, = [each for each in os.listdir(home) if each.endswith(".tar.gz")]
        with tarfile.open(os.path.join(home, archive)) as packed:
            packed.extractall(os.path.join(home, "source"),
                              **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
        needed = os.path.join(HERE, "requirements", "%s.txt" % name)
        if os.path.exists(needed):
            subprocess.run([*pip, "install", "-q", "--require-hashes", "--no-deps", "-r", needed],
                           check=True)
        if suite.install:
            subprocess.run([*pip, "install", "-q", "--no-deps", os.path.join(home, archive)],
                           check=True)
        open(done, "w").close()
    source, = os.listdir(os.path.join(home, "source"))
    folder = os.path.join(home, "source", source)
    return Place(python, os.path.join(folder, suite.folder),
                 () if suite.install else (folder,))


def lock(name: str) -> None:
    """Pin what a suite needs today, with hashes."""
    suite = SUITES[name]
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        report = os.path.join(folder, "report.json")
        subprocess.run([os.path.join(folder, "bin", "python"), "-m", "pip", "install", "-q",
                        "--ignore-installed", "--dry-run", "--report", report, *suite.needs],
                       check=True)
        rows = sorted("%s==%s --hash=%s" % (
            each["metadata"]["name"], each["metadata"]["version"],
            each["download_info"]["archive_info"]["hash"].replace("=", ":"))
            for each in _json(report)["install"])
    with open(os.path.join(HERE, "requirements", "%s.txt" % name), "w") as file:
        file.write("".join(row + "\n" for row in rows))


def run(name: str, place: Place, mode: str, package: str) -> Ran:
    """Run a suite once."""
    suite = SUITES[name]
    scratch = tempfile.mkdtemp(prefix="c")
    try:
        work = os.path.join(scratch, "w")
        os.mkdir(work)
        with open(os.path.join(scratch, "corpora_child.py"), "w") as file:
            file.write(corpora_record.CHILD)
        folder = place.folder or work
        environment = dict(
            os.environ, TMPDIR=work, PYTHONHASHSEED="0", CORPORA=json.dumps(
                {"mode": mode, "noted": os.path.join(scratch, "noted.json"),
                 "report": os.path.join(scratch, "report.json"), "style": suite.style}),
            PYTHONPATH=os.pathsep.join([scratch, package, *place.path]))
        for variable in ("PYTHONDONTWRITEBYTECODE", "PYTHONSTARTUP", "PYTHONWARNINGS"):
            environment.pop(variable, None)
        if suite.settings:
            environment.update(DJANGO_SETTINGS_MODULE=suite.settings)
        with open(os.path.join(scratch, "out"), "wb") as out:
            begin = time.perf_counter()
            child = subprocess.Popen(
                [place.python, os.path.join(scratch, "corpora_child.py"), *suite.command],
                cwd=folder, env=environment, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                start_new_session=True)
            status, usage = verdicts.wait(child.pid, LIMIT)
            wall = time.perf_counter() - begin
            child.returncode = status or 0
        try:
            os.killpg(child.pid, signal.SIGKILL)    # what its tests left behind
        except ProcessLookupError:
            pass
        with open(os.path.join(scratch, "out"), encoding="utf-8", errors="replace") as out:
            text = out.read()
        found = _json(os.path.join(scratch, "report.json")) or {}
        noted = [[verdicts.normal(part) for part in each]
                 for each in _lines(os.path.join(scratch, "noted.json"))]
        return Ran(noted, status, wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024.0,
                   found.get("leaks", []), found.get("overhead") or {}, text)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _json(path: str) -> Any:
    try:
        with open(path) as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def _lines(path: str) -> list[list[str]]:
    try:
        with open(path) as file:
            return [json.loads(line) for line in file]
    except (OSError, ValueError):
        return []


class Compared:
    """The runs of one suite in all modes."""

    def __init__(self, name: str, place: Place, package: str) -> None:
        self.name, self.place, self.package = name, place, package
        self.runs: dict[str, list[Ran]] = {mode: [] for mode in MODES}

    def once(self, mode: str) -> Ran:
        """Run it in a mode once more."""
        ran = run(self.name, self.place, mode, self.package)
        self.runs[mode].append(ran)
        print("  %-7s %4d outcomes  status %s  %6.2f s" % (
            mode, len(ran.outcomes), ran.status, ran.cpu), flush=True)
        return ran

    def differences(self) -> list[str]:
        """Run it without us again for what differs; return what that does not explain."""
        for attempt in range(AGAIN + 1):
            left = [text for mode in MODES[1:] for text in self._differs(mode)]
            if not left or attempt == AGAIN:
                return left
            self.once("plain")
        return []

    def _differs(self, mode: str) -> list[str]:
        plain = self.runs["plain"]
        usual = [_by_test(ran) for ran in plain]
        found: list[str] = []
        for ran in self.runs[mode]:
            mine = _by_test(ran)
            for test in dict.fromkeys([*usual[0], *mine]):
                seen = [each.get(test) for each in usual]
                if mine.get(test) not in seen:
                    found.append("%s: %s is %s, plain %s" % (mode, test, mine.get(test), seen[0]))
            if not found and [each[0] for each in ran.outcomes] not in [
                    [each[0] for each in one.outcomes] for one in plain]:
                found.append("%s: the order differs" % mode)
            if ran.status not in [one.status for one in plain]:
                found.append("%s: exit status %s, plain %s\n%s" % (
                    mode, ran.status, plain[0].status, ran.text[-1500:]))
        return found

    def median(self, mode: str, field: str) -> float:
        """Return the median of one figure of a mode's runs, in turn with the others."""
        return statistics.median(getattr(ran, field)
                                 for ran in self.runs[mode][:len(self.runs["report"])])


def _by_test(ran: Ran) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for test, *outcome in ran.outcomes:
        found.setdefault(test, []).append(" ".join(outcome[:1]))
    return found


def key_of(cause: dict[str, Any]) -> str:
    """Return what a cause is known by from run to run."""
    return verdicts.normal(cause["fingerprint"])


class Judged(NamedTuple):
    """The causes of a run beside those that were reviewed."""

    real: list[dict[str, Any]]
    false: list[dict[str, Any]]
    new: list[dict[str, Any]]
    gone: list[str]
    wrong: list[str]


def judged(name: str, causes: list[dict[str, Any]]) -> Judged:
    """Compare *causes* with the reviewed file of a suite."""
    reviewed = {each["fingerprint"]: each for each in
                _json(os.path.join(HERE, "reviewed", "%s.json" % name)) or []}
    seen = {key_of(cause) for cause in causes}
    split: dict[str, list[dict[str, Any]]] = {"real": [], "false": [], "new": []}
    wrong: list[str] = []
    for cause in causes:
        entry = reviewed.get(key_of(cause))
        real = None if entry is None else entry["real"]
        split["new" if real is None else "real" if real else "false"].append(cause)
        if entry is not None and entry["real"]:
            wrong += _wrong(cause, entry)
    return Judged(split["real"], split["false"], split["new"], [
        key for key, each in reviewed.items()
        if each["real"] and not each.get("sometimes") and key not in seen], wrong)


def line_of(cause: dict[str, Any]) -> str:
    """Return the line that a cause's block shows: "tests/test_x.py:12"."""
    line = cause.get("user_line")
    return "" if not line else "%s:%d" % (line["file"], line["line"])


def _wrong(cause: dict[str, Any], entry: dict[str, Any]) -> list[str]:
    found: list[str] = []
    line = line_of(cause)
    # Which test it was, and so the line, is known less sharply on a machine that is busy.
    if line and entry.get("line") is not None and not line.endswith(entry["line"]):
        found.append("%s: line %s, reviewed %s" % (key_of(cause), line, entry["line"]))
    if entry.get("remedy") is not None and entry["remedy"] != cause["remedy"]:
        found.append("%s: remedy %r, reviewed %r" % (
            key_of(cause), cause["remedy"], entry["remedy"]))
    if entry.get("test") is not None and entry["test"] not in cause["tests"] + cause["candidates"]:
        found.append("%s: blames %s, reviewed %s" % (
            key_of(cause), (cause["tests"] + cause["candidates"])[:1], entry["test"]))
    return found


def printed(cause: dict[str, Any]) -> str:
    """Return one cause as a row."""
    tests = cause["tests"] or cause["candidates"]
    return "%s | %d%s | %s | %s | %s" % (
        cause["subject"], len(cause["tests"]),
        "" if cause["tests"] else " of %d" % len(cause["candidates"]),
        tests[0] if tests else "", line_of(cause), cause["remedy"] or "-")


def written(name: str, causes: list[dict[str, Any]]) -> None:
    """Add the new *causes* to the reviewed file, not judged yet."""
    path = os.path.join(HERE, "reviewed", "%s.json" % name)
    reviewed = _json(path) or []
    known = {each["fingerprint"] for each in reviewed}
    for cause in causes:
        if key_of(cause) not in known:
            known.add(key_of(cause))
            reviewed.append({
                "fingerprint": key_of(cause), "subject": cause["subject"],
                "test": (cause["tests"] + cause["candidates"] + [None])[0],
                "line": line_of(cause) or None, "remedy": cause["remedy"],
                "real": None, "proof": ""})
    with open(path, "w") as file:
        json.dump(reviewed, file, indent=1)
        file.write("\n")


def suite(name: str, options: argparse.Namespace, package: str) -> int:
    """Run one suite in all modes, print what came out; return 1 if something is wrong."""
    print("%s" % name, flush=True)
    compared = Compared(name, prepared(name, options.cache), package)
    modes = options.modes.split(",")
    compared.once("plain") if options.repeat > 1 else None      # a warm-up: byte code
    compared.runs["plain"].clear()
    for _ in range(options.repeat):
        for mode in modes:
            compared.once(mode)
    left = compared.differences() if "plain" in modes else []
    reports = compared.runs["report"]
    for mode in modes if len(modes) > 1 and reports else ():
        print("| %s | %s | %d | %s | %s | %s |" % (
            name, mode, len({each[0] for each in compared.runs[mode][0].outcomes}),
            *("%.3f" % (compared.median(mode, field) / compared.median("plain", field))
              if mode != "plain" and "plain" in modes
              else "%.1f" % compared.median(mode, field) for field in ("cpu", "wall", "peak"))))
    for text in left[:5]:
        print("  DIFFERS %s" % text)
    status = int(bool(left))
    if reports:
        causes = reports[-1].causes
        if options.logs:
            os.makedirs(options.logs, exist_ok=True)
            with open(os.path.join(options.logs, "%s.txt" % name), "w") as file:
                file.write(reports[-1].text)
            with open(os.path.join(options.logs, "%s.json" % name), "w") as file:
                json.dump(causes, file, indent=1)
        if options.write:
            written(name, causes)
        found = judged(name, causes)
        for cause in causes:
            print("  %-5s %s" % ("real" if cause in found.real else
                                 "FALSE" if cause in found.false else "NEW", printed(cause)))
        for key in found.gone:
            print("  GONE  %s" % key)
        for text in found.wrong:
            print("  WRONG %s" % text)
        print("  %d causes: %d real, %d not, %d new; %d gone; overhead %s" % (
            len(causes), len(found.real), len(found.false), len(found.new), len(found.gone),
            reports[-1].overhead.get("share")))
        status = status or int(bool(found.false or found.new or found.wrong))
    sys.stdout.flush()
    return status


def main(arguments: list[str] | None = None) -> int:
    """Run the chosen suites; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=1, metavar="N")
    parser.add_argument("--modes", default=",".join(MODES), help="some of %s" % ", ".join(MODES))
    parser.add_argument("--cache", metavar="FOLDER", default=os.path.join(
        os.path.expanduser(os.environ.get("XDG_CACHE_HOME", "~/.cache")), "unittest_leakfix",
        "corpora"))
    parser.add_argument("--logs", default="", metavar="FOLDER",
                        help="keep what the report run printed, and its causes, there")
    parser.add_argument("--write", action="store_true",
                        help="add causes that are new to the reviewed files, to be judged")
    parser.add_argument("--lock", action="store_true",
                        help="pin what the suites need today, and run none")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=", ".join(SUITES))
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.suites) - set(SUITES))
    if unknown:
        parser.error("no suite %s; there are: %s" % (", ".join(unknown), ", ".join(SUITES)))
    if options.lock:
        for name in options.suites or SUITES:
            if SUITES[name].needs:
                lock(name)
        return 0
    # Started in the background, a shell has it ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    status = 0
    with tempfile.TemporaryDirectory() as folder:
        package = verdicts.compiled(sys.executable, folder)
        for name in options.suites or SUITES:
            status = max(status, suite(name, options, package))
    return status


if __name__ == "__main__":
    sys.exit(main())
