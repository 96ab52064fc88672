"""The one line for the user's own code that ends a leak, where one can be given with confidence."""
from __future__ import annotations

import re
from typing import Dict, List, Optional, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.retention.search import Chain, Step

__unittest = True
bind(globals())

_ENDS = {"temporary folder": "cleanup", "executor": "shutdown", "pool": "terminate",
         "timer": "cancel", "task": "cancel", "patch": "stop", "generator": "aclose"}
_VARIABLES = {"connection": "connection", "socket": "sock", "file": "file", "event loop": "loop",
              "child process": "child", "executor": "executor", "pool": "pool", "timer": "timer",
              "temporary folder": "folder", "generator": "generator", "task": "task"}
_DROPPED = {"file": "with open(...) as file:", "socket": "with sock:",
            "connection": "with contextlib.closing(connection):",
            "temporary folder": "with tempfile.TemporaryDirectory() as folder:",
            "event loop": "self.addCleanup(loop.close)", "child process": "with child:"}
_DOTTED = re.compile(r"[A-Za-z_][\w.]*\Z")
_PLACE = re.compile(r"[A-Za-z_][\w.]*(?:\[(?:\d+|'[^']*')\][\w.]*)*\Z")

CHANGES: Dict[str, str] = {
    "environment": "with mock.patch.dict(os.environ):",
    "cwd": "self.addCleanup(os.chdir, os.getcwd())",
    "sys.path": "with mock.patch.object(sys, \"path\", [...]):",
    "warnings filter": "with warnings.catch_warnings():",
    "umask": "self.addCleanup(os.umask, os.umask(...))",
    "socket timeout": "self.addCleanup(socket.setdefaulttimeout, socket.getdefaulttimeout())",
    "locale": "self.addCleanup(locale.setlocale, locale.LC_ALL, locale.setlocale(locale.LC_ALL))",
    "thread": "tell it to end, and self.addCleanup(thread.join)",
    "client": "close the client, which keeps it waiting for one more request: self.addCleanup(client.close)",
    "timer": "self.addCleanup(timer.cancel)",
    "child process": "self.addCleanup(child.wait); self.addCleanup(child.kill)",
    "temporary folder": "self.addCleanup(shutil.rmtree, path)",
    "temporary file": "self.addCleanup(os.remove, path)",
    "file": "self.addCleanup(file.close)", "connection": "self.addCleanup(connection.close)",
    "socket": "self.addCleanup(sock.close)", "descriptor": "self.addCleanup(os.close, descriptor)",
    "event loop": "self.addCleanup(loop.close)", "task": "self.addCleanup(task.cancel)",
    "logging level": "self.addCleanup(logger.setLevel, logger.level)",
}


def end(kind: str, name: str = "", awaited: bool = False) -> str:
    """Return the clean-up for a resource of this noun that is reached by *name*; *awaited*: its close is."""
    name = name or _VARIABLES.get(kind, "")
    if not name:
        return ""
    if kind == "child process":     # the last one added is the first to run
        return "self.addCleanup({0}.wait); self.addCleanup({0}.kill)".format(name)
    if kind == "generator":
        return "await %s.aclose()" % name
    return "self.add%sCleanup(%s.%s)" % ("Async" if awaited else "", name, _ENDS.get(kind, "close"))


def dropped(kind: str) -> str:
    """Return how to open what was dropped without being closed."""
    return _DROPPED.get(kind, "")


def held(kind: str, chain: Optional[Chain], awaited: bool = False) -> str:
    """Return the clean-up for an open resource that *chain* holds; *awaited*: its close is."""
    stream = chain.expression if chain is not None else ""
    if stream in ("sys.stdout", "sys.stderr"):
        return "with contextlib.redirect_%s(...):" % stream[4:]
    named = chain is not None and chain.evaluates and _DOTTED.match(chain.expression)
    return end(kind, chain.expression if chain is not None and named else "", awaited)


def scoped(remedy: str, test: str) -> str:
    """Return *remedy* as it is written where *test*, or the fixture of that name, has its clean-ups."""
    if test.startswith("setUpClass ("):
        return remedy.replace("self.addCleanup", "cls.addClassCleanup")
    if test.startswith("setUpModule ("):
        return remedy.replace("self.addCleanup", "unittest.addModuleCleanup")
    return remedy


def empty(chain: Optional[Chain]) -> str:
    """Return the clean-up that empties the container in which *chain* shows things pile up."""
    if chain is None or not chain.evaluates:
        return ""
    for step, place in _places(chain):
        if step.label.startswith(("list ", "dict ", "set ", "deque ", "Weak")):
            return "self.addCleanup(%s.clear)" % place
        if step.label.startswith("lru_cache"):
            return "self.addCleanup(%s.cache_clear)" % place
    return ""


def let_go(chain: Optional[Chain], name: str) -> str:
    """Return the clean-up that takes *name* ("self", "self.order") from where *chain* keeps it."""
    if chain is None or not chain.evaluates:
        return ""
    places = _places(chain)
    for index, (step, place) in enumerate(places):
        special = _special(step, place, chain.steps[index + 1:])
        if special:
            return special
    for index, step in enumerate(chain.steps):
        if step.suspect and 0 < index < len(places):
            return _take_out(index, places, chain.steps, name)
    return ""


def _places(chain: Chain) -> List[Tuple[Step, str]]:
    """Return the first steps of the chain, each with the expression for it."""
    found: List[Tuple[Step, str]] = []
    at = 0
    for index, step in enumerate(chain.steps):
        if index:
            start = chain.expression.find(step.access, at)
            if not step.access or start < 0:
                break
            at = start + len(step.access)
        else:
            after = chain.steps[1].access if len(chain.steps) > 1 else ""
            at = chain.expression.find(after)
        place = chain.expression[:at].rpartition("(")[2]
        if at < 0 or not _PLACE.match(place):
            break
        found.append((step, place))
    return found


def _special(step: Step, place: str, below: Tuple[Step, ...]) -> str:
    """Return the clean-up for what has one of its own."""
    label = step.label
    if label.startswith("lru_cache"):
        return "self.addCleanup(%s.cache_clear)" % place
    if label in ("Mock", "MagicMock", "AsyncMock") and below and below[0].access.startswith("._mock"):
        return "self.addCleanup(%s.reset_mock)" % place
    if label == "ContextVar":
        return "self.addCleanup({0}.reset, {0}.set(...))".format(place)
    if label in ("WeakValueDictionary", "WeakKeyDictionary", "WeakSet"):
        return "self.addCleanup(%s.clear)" % place
    if label.startswith("generator "):
        return "self.addCleanup(%s.close)" % place
    if below and below[0].access.startswith(".__traceback__"):
        return "self.addCleanup(%s.with_traceback, None)" % place
    if label == "_local" and len(below) == 3 and re.match(r"\['\w+'\]", below[2].access):
        return "self.addCleanup(delattr, %s, \"%s\")" % (place, below[2].access[2:-2])
    return ""


def _take_out(index: int, places: List[Tuple[Step, str]], steps: Tuple[Step, ...], name: str) -> str:
    step, place = places[index]
    below = steps[index + 1] if index + 1 < len(steps) else None
    if below is not None and below.access.startswith("["):
        if step.label.startswith("dict ") and re.match(r"\[(?:\d+|'[^']*')\]\Z", below.access):
            return "self.addCleanup(%s.pop, %s)" % (place, below.access[1:-1])
        if step.label.startswith("list "):
            method = re.match(r"bound method \w+\.(\w+)\Z", below.label)
            what = "%s.%s" % (name, method.group(1)) if method else name
            last = index + 2 == len(steps)
            return "self.addCleanup(%s.remove, %s)" % (place, what) if last or method else ""
    elif step.access.startswith(".") and _DOTTED.match(step.access[1:]) and "." not in step.access[1:]:
        return "self.addCleanup(setattr, %s, \"%s\", None)" % (places[index - 1][1], step.access[1:])
    return ""
