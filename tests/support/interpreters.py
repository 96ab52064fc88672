"""The interpreters of this machine, and an environment for each with what the tests want to
meet."""

from __future__ import absolute_import, print_function

import glob
import io
import json
import os
import subprocess
import sys

from tests.support import children
from tests.support.paths import ROOT

ENVIRONMENTS = os.path.join(ROOT, ".envs")
REQUIREMENTS = os.path.join(ROOT, "tests", "requirements.txt")
MYSQLCLIENT = os.path.join(ROOT, "tests", "requirements-mysqlclient.txt")
VERSIONS = ["2.7", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.15"]

# The pip that comes with these two is too old for the packages' metadata.
PIP = {"2.7": "pip==20.3.4", "3.6": "pip==21.3.1"}

PROBE = """
import json, platform, sys
try:
    import venv, ensurepip
    maker = "venv"
except ImportError:
    try:
        import pip
        maker = "pip"
    except ImportError:
        maker = None
print(json.dumps([platform.python_implementation(), list(sys.version_info[:3]), maker,
                  hasattr(sys, "real_prefix") or sys.prefix != getattr(sys, "base_prefix", sys.prefix)]))
"""  # noqa: E501


class CannotPrepare(Exception):
    """An environment could not be made; the text says why."""


class Interpreter(object):
    """One found interpreter: ``path``, ``version`` ("3.12"), ``full`` ("3.12.1") and ``maker``,
    the module that makes its environments ("venv", "pip" for 2.7's virtualenv, or None)."""

    def __init__(self, path, full, maker):
        self.path, self.maker = path, maker
        self.full = ".".join(map(str, full))
        self.version = ".".join(map(str, full[:2]))
        self.folder = os.path.join(ENVIRONMENTS, self.version)

    @property
    def python(self):
        """The environment's interpreter."""
        return _python_of(self.folder)

    def prepare(self, log, runner, step):
        """Make its environment, or bring it up to date: see ``prepare`` below."""
        return prepare(self, log, runner, step)


def find():
    """A dict of version ("3.12") to Interpreter, for every version of VERSIONS that is here."""
    found = {}
    for path in _candidates():
        interpreter = _probe(path)
        if interpreter is None or interpreter.version not in VERSIONS:
            continue
        known = found.get(interpreter.version)
        if known is None or (known.maker is None and interpreter.maker is not None):
            found[interpreter.version] = interpreter
    return found


def pypy():
    """The path of a PyPy of Python 3.8 or later (a pyenv's, or on the PATH), or None."""
    paths = [_on_path(name) for name in ("pypy3", "pypy")]
    for folder in filter(None, [printed(["pyenv", "root"])]):
        paths += sorted(glob.glob(os.path.join(folder, "versions", "pypy3*", "bin", "python")),
                        key=_numbers, reverse=True)
    for path in filter(None, paths):
        try:
            kind, full = json.loads(printed([path, "-c", PROBE]))[:2]
        except ValueError:
            continue
        if kind == "PyPy" and full >= [3, 8]:
            return path
    return None


class _Work(object):
    """An environment being made: the output goes to the file ``log``, and ``step`` (a function)
    hears what is being done."""

    def __init__(self, interpreter, log, runner, step):
        self.interpreter, self.log, self._children, self._step = interpreter, log, runner, step

    def make(self):
        """Make an empty environment."""
        path, version = self.interpreter.path, self.interpreter.version
        folder = self.interpreter.folder
        if self.interpreter.maker is None:
            raise CannotPrepare("%s has no pip and no venv (Debian: python3-venv)" % path)
        if self.interpreter.maker == "venv":
            return self._run("venv", [path, "-m", "venv", "--clear", folder])
        tools = os.path.join(ENVIRONMENTS, "virtualenv-" + version)
        # A pip as old as 2.7's own may take a version that no longer runs there.
        needed = "virtualenv==20.15.1" if version == "2.7" else "virtualenv"
        self._run("pip install " + needed, [
            path, "-m", "pip", "install", "--upgrade", "--target", tools, needed])
        self._run("virtualenv", [path, "-m", "virtualenv", "--clear", folder], PYTHONPATH=tools)

    def install(self, *arguments):
        """Have pip install that in it."""
        self._run("pip install %s" % " ".join(map(os.path.basename, arguments)), [
            self.interpreter.python, "-m", "pip", "--disable-pip-version-check", "install"]
            + list(arguments))

    def _run(self, step, command, **variables):
        self._step("environment: " + step)
        self.log.write("$ %s\n" % " ".join(command))
        self.log.flush()
        try:
            status = self._children.run(
                command, self.log, folder=ROOT, variables=environment(**variables))
            how = "ended with %d" % status
        except children.Silent as silent:
            status, how = -1, "was ended: %s" % silent
        if status:
            printed = (_text(self.log.name) or "").strip().splitlines()[-8:]
            raise CannotPrepare("\n".join(["%s %s" % (" ".join(command), how)] + printed))


def prepare(interpreter, log, runner, step):
    """Make the environment, or bring it up to date, writing what is said to the file ``log``.

    ``runner`` (`children.Children`) runs what has to be run, and ``step`` is called with a few
    words for each. Returns two lists of texts: what it left out and why, and what went wrong though
    the environment can still be used. Raises CannotPrepare when there is none.
    """
    work = _Work(interpreter, log, runner, step)
    if _is_stale(work, REQUIREMENTS):
        if not _works(interpreter):
            work.make()
        try:
            _install(work, REQUIREMENTS)
        except CannotPrepare as problem:
            return [], ["the tests ran without their packages: %s" % problem]
    return _prepare_mysqlclient(work), []


def prepare_from(interpreter, requirements, log, runner, step):
    """As ``prepare``, from one file of *requirements*. Raises CannotPrepare also when these cannot
    be installed."""
    work = _Work(interpreter, log, runner, step)
    if _is_stale(work, requirements):
        if not _works(interpreter):
            work.make()
        _install(work, requirements)


def install_beside(interpreter, requirements, log, runner, step):
    """Install *requirements* into an environment that there is. Raises CannotPrepare."""
    work = _Work(interpreter, log, runner, step)
    stamp = os.path.join(interpreter.folder, "made-from-" + os.path.basename(requirements))
    if _text(stamp) != _text(requirements):
        work.install("-r", requirements)
        _write(stamp, _text(requirements))


def _is_stale(work, requirements):
    return _text(_stamp(work)) != _wanted(work, requirements)


def _install(work, requirements):
    version = work.interpreter.version
    if version in PIP:
        work.install(PIP[version])
    work.install("-r", requirements)
    _write(_stamp(work), _wanted(work, requirements))


def _stamp(work):
    return os.path.join(work.interpreter.folder, "made-from")


def _wanted(work, requirements):
    interpreter = work.interpreter
    return "\n".join([interpreter.path, interpreter.full, _text(requirements)])


def _prepare_mysqlclient(work):
    stamp = os.path.join(work.interpreter.folder, "made-from-mysqlclient")
    if _text(stamp) == _text(MYSQLCLIENT):
        return []
    if not any(map(_on_path, ("mysql_config", "mariadb_config"))):
        return ["no mysqlclient: install libmariadb-dev, pkg-config and a C compiler"]
    try:
        work.install("-r", MYSQLCLIENT)
    except CannotPrepare:
        return ["no mysqlclient: it could not be built, see .envs/logs/"]
    _write(stamp, _text(MYSQLCLIENT))
    return []


def environment(**variables):
    """The variables a child gets: ours, without those that send Python to another's modules."""
    kept = dict(os.environ, **variables)
    for name in ("PYTHONPATH", "PYTHONHOME", "__PYVENV_LAUNCHER__", "VIRTUAL_ENV"):
        if name not in variables:
            kept.pop(name, None)
    return kept


def _works(interpreter):
    probed = _probe(interpreter.python, inside=True)
    return probed is not None and probed.full == interpreter.full and os.path.exists(
        os.path.join(interpreter.folder, "pyvenv.cfg"))


def _candidates():
    """Paths to try: a version manager's folder (newest first), the PATH, the running one."""
    names = ["python" + version for version in VERSIONS] + ["python3", "python", "python2"]
    paths = []
    for folder in filter(None, [printed(["pyenv", "root"])]):
        paths += sorted(glob.glob(os.path.join(folder, "versions", "*", "bin", "python")),
                        key=_numbers, reverse=True)
    paths += [path for path in map(_on_path, names) if path]
    # Where this very program runs in an environment, the interpreter that it was made from.
    base = _python_of(getattr(sys, "base_prefix", sys.prefix))
    return paths + [base, sys.executable]


def _numbers(path):
    return [int(part) for part in path.replace(os.sep, ".").split(".") if part.isdigit()]


def _probe(path, inside=False):
    """An Interpreter, or None: not there, a launcher with nothing behind it, another kind of
    Python, or (unless ``inside``) an environment itself."""
    answer = printed([path, "-c", PROBE])
    try:
        kind, full, maker, is_environment = json.loads(answer)
    except ValueError:
        return None
    if kind != "CPython" or is_environment and not inside:
        return None
    return Interpreter(path, full, maker)


def printed(command):
    """Return what that command prints; "" where it fails."""
    try:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 env=environment())
    except OSError:
        return ""
    output = child.communicate()[0]
    return output.decode("utf-8", "replace").strip() if child.returncode == 0 else ""


def _on_path(name):
    name += ".exe" if os.name == "nt" else ""
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder, name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def _python_of(folder):
    return os.path.join(folder, *(("Scripts", "python.exe") if os.name == "nt"
                                  else ("bin", "python")))


def _text(path):
    try:
        with io.open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except (IOError, OSError):
        return None


def _write(path, text):
    with io.open(path, "w", encoding="utf-8") as file:
        file.write(text)
