"""One block of the report: what was left, where it came from, who holds it, and what ends it."""
from __future__ import annotations

from typing import TYPE_CHECKING, Iterable, List, NamedTuple, Set, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix._core import redaction

from .colour import Style, cells, pad, wrap
from .drawing import draw_chain, draw_code
from .leak import Leak
from .words import FIXTURES, Names, amount, is_node_id, kind_of, listed, scopes

if TYPE_CHECKING:
    from .acquisitions import Acquisition
    from .frames import Frame

__unittest = True
bind(globals())

COUNTS = 69
"""The column where "3 tests, 41.2 MB" begins, if the headline before it leaves it free."""
_RUNNING = frozenset(["thread", "timer", "child process", "task", "executor", "pool"])
_INDENT = "    "
WORTH = 1000
"""Bytes from which a size is worth telling."""
_SHOWN = 3  # names after "also:"; more are only counted


def place(frame: Frame, style: Style) -> str:
    """Return "tests/test_orders.py:17"."""
    return "%s:%d" % (style.path(frame.file), frame.line)


def is_own(frame: Frame, test: str) -> bool:
    """True if ``frame`` is the test's own method or one of its fixtures."""
    name = frame.function.rpartition(".")[2]
    return name in FIXTURES or bool(test) and name == Names.method(test)


def who(acquisition: Acquisition, names: Names) -> str:
    """Return who opened it: a fixture, where it was one, else the test."""
    for frame in acquisition.frames:
        owner, _, name = frame.function.rpartition(".")
        if name in FIXTURES:
            owner = owner.rpartition(".")[2] or names.owner(acquisition.test)
            joint = "::" if is_node_id(owner) or ".py" in owner else "."
            return joint.join(filter(None, (owner, name)))
    return names.short(acquisition.test) if acquisition.test else ""


def _figures(leak: Leak) -> str:
    """Return "3 tests, 41.2 MB"."""
    return ", ".join(filter(None, [scopes(leak.tests), amount(leak.size) if leak.size >= WORTH else "",
                                   "grew by %s" % format(leak.growth, ",") if leak.growth else ""]))


class _Opening(NamedTuple):
    """The lines on where something was opened, and who they name."""

    lines: List[str]
    who: str = ""
    column: int = 0
    """Where its place begins, for the "now at" below it."""


class Blocks:
    """Makes the blocks of one report. They share the names of tests, and which files were already named."""

    def __init__(self, style: Style, stacks: bool, leaks: Iterable[Leak]) -> None:
        """``stacks``: whole stacks, chains and test lists, and how to silence each leak."""
        self.style, self.stacks = style, stacks
        leaks = list(leaks)
        self.names = Names([test for leak in leaks for test in leak.tests]
                           + [leak.acquisition.test for leak in leaks if leak.acquisition])
        self._files: Set[str] = set()
        widest = max((len(_figures(leak)) for leak in leaks), default=0)
        self._column = max(min(COUNTS, style.width - widest), 0)

    def block(self, number: int, leak: Leak) -> List[str]:
        """Return the lines of one cause: what, where, who holds it, which tests, and what ends it."""
        style = self.style
        lines = self._heading(number, leak)
        opening = self._opening(leak)
        lines += self._left_by(leak, opening) + self._holder(leak) + opening.lines
        lines += self._notes(leak, opening.column) + self._others(leak, opening)
        if leak.closed:
            lines.append(_INDENT + style.paint(style.plain(leak.closed), "green"))
        if leak.remedy:
            lines.append(_INDENT + "in your code: " + style.paint(style.plain(leak.remedy), "bold"))
        if self.stacks and leak.silence:
            lines.append(_INDENT + 'to silence it: ignore(%s, reason="...")' % style.clean(redaction.shortened(leak.silence)))
        return lines

    def _heading(self, number: int, leak: Leak) -> List[str]:
        subject = self.style.plain(leak.subject)
        head = "[%d] %s" % (number, subject)
        right = _figures(leak)
        painted = self.style.paint("[%d]" % number, "yellow") + " " + self.style.paint(subject, "bold")
        if not right:
            return [painted]
        if cells(head) + 2 + len(right) > self.style.width:
            return [painted, _INDENT + right]
        return [painted + pad(head, self._column, 2) + right]

    def _left_by(self, leak: Leak, opening: _Opening) -> List[str]:
        """The full id of the first test, where nothing else in the block names it."""
        named = bool(opening.who) and leak.acquisition is not None and leak.acquisition.test in leak.tests
        if not leak.tests or named or self.names.short(leak.tests[0]) in leak.subject:
            return []
        return [_INDENT + "left by " + self.style.test(leak.tests[0])]

    def _holder(self, leak: Leak) -> List[str]:
        lines = draw_chain(leak.chain, self.style, self.stacks) if leak.chain else []
        if leak.chain:
            self._files.update(self.style.path(step.place).rpartition(":")[0] for step in leak.chain.steps)
        elif leak.kind in ("kept test", "object"):
            lines = [_INDENT + "who holds it is not known: no chain from a module, class or thread leads to it"]
        if leak.holding:
            items = [self.style.plain("%s (%s%s)" % (name, kind, ", " + amount(size) if size else ""))
                     for name, kind, size in leak.holding]
            indent = 9 if leak.chain else 4
            lines += wrap(" " * indent + "holding ", listed(items, 99 if self.stacks else 5), ", ",
                          self.style.width, indent + len("holding "))
        return lines

    def _opening(self, leak: Leak) -> _Opening:
        acquisition, kind, style = leak.acquisition, kind_of(leak), self.style
        if acquisition is None:
            unknown = kind.traced and not leak.chain
            return _Opening([_INDENT + "where it was %s is not known" % kind.verb] if unknown else [])
        name = who(acquisition, self.names)
        first = _INDENT + kind.verb + (" by " + style.test(name) if name else "")
        column = cells(first) + 3
        if acquisition.thread not in ("", "MainThread"):
            last = [_INDENT + "in thread " + style.plain(acquisition.thread)]
        else:
            last = []
        if not acquisition.frames:
            return _Opening([first] + last, name)
        frame = acquisition.frames[0]
        own = is_own(frame, acquisition.test)
        if not (own and style.path(frame.file) in self._files):
            first += "   " + style.paint(place(frame, style), "cyan")
            first += "" if own else " in " + style.name(frame.function)
        self._files.add(style.path(frame.file))
        # What still runs is shown by two places, one under the other; the rest by its line of code.
        code = draw_code(frame.file, frame.line, style) if own or leak.kind not in _RUNNING else []
        return _Opening([first] + code + self._stack(acquisition) + last, name, column)

    def _stack(self, acquisition: Acquisition) -> List[str]:
        if not self.stacks or len(acquisition.frames) < 2:
            return []
        return [_INDENT + "called from"] + [
            "%s  %s in %s" % (_INDENT, self.style.paint(place(frame, self.style), "cyan"),
                              self.style.name(frame.function)) for frame in acquisition.frames[1:]]

    def _notes(self, leak: Leak, column: int) -> List[str]:
        pair = {"was", "is"} <= {label for label, _ in leak.notes}
        lines = []
        for label, text in leak.notes:
            head = _INDENT + self.style.plain(label)
            if label == "now at":
                head += pad(head, column, 1)
            else:
                head += "  " if pair and label == "is" else " "
            lines.append(head + self.style.shorten(self.style.plain(self.style.path(text)), max(2 * self.style.width - len(head), 40)))
        return lines

    def _others(self, leak: Leak, opening: _Opening) -> List[str]:
        """The tests that the block does not name yet."""
        tests: Tuple[str, ...] = leak.tests[1:]
        word = "also: "
        owner, _, name = opening.who.rpartition(".")
        if name in FIXTURES and leak.acquisition and leak.acquisition.test in leak.tests:
            # The fixture tells the class; which of its tests is of interest when they are few.
            whole = len(leak.tests) > _SHOWN and all(self.names.owner(test) == owner for test in leak.tests)
            tests, word = () if whole and not self.stacks else leak.tests, "in: "
        shown = listed([self.style.test(self.names.short(test)) for test in tests],
                       len(tests) if self.stacks else _SHOWN)
        return wrap(_INDENT + word, shown, ", ", self.style.width, 4 + len(word)) if shown else []
