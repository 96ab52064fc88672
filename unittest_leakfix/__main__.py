"""python -m unittest_leakfix: what python -m unittest does, and nothing stays behind."""

from __future__ import absolute_import

import gc
import os.path
import sys

from unittest_leakfix._core.early import bind, defer, load_now

__unittest = True
bind(globals())

# In this order: each imports those before it.
_NEEDED = ("_core.introspection", "_core.declarations", "_core.swap", "result", "_core.gc_control",
           "instance_release", "suite", "runner", "_optional", "cli")


def _program():
    """Load all that a run can need, and return the program: nothing of that is garbage, so the
    collector need not look at it time and again meanwhile."""
    collects = gc.isenabled()
    gc.disable()
    try:
        load_now(_NEEDED)
        from unittest_leakfix.cli import LeakFixProgram
        if hasattr(gc, "freeze"):
            # All that is there grows old, as it would have by and by (3.7).
            gc.freeze()
            gc.unfreeze()
    finally:
        if collects:
            gc.enable()
    return LeakFixProgram


def main():
    """Run the command line. Ends in ``SystemExit`` with unittest's status.

    ``sessions``, ``polluter``, ``explain``, ``compare``, ``merge`` and ``fix`` as the first word
    are our own commands, never a test module of that name (which ``sessions.py`` is).
    """
    if sys.argv[1:2] == ["fix"]:
        from unittest_leakfix._optional import fix
        sys.exit(fix(sys.argv[2:]))
    if sys.argv[1:2] in (["compare"], ["merge"]):
        from unittest_leakfix._optional import reports
        sys.exit(reports(sys.argv[1], sys.argv[2:]))
    if sys.argv[1:2] == ["explain"]:
        from unittest_leakfix._optional import explain
        sys.exit(explain(sys.argv[2:]))
    if sys.argv[1:2] == ["polluter"]:
        from unittest_leakfix._optional import polluter
        sys.exit(polluter(sys.argv[2:]))
    if sys.argv[1:2] == ["sessions"]:
        from unittest_leakfix._optional import sessions
        sys.exit(sessions(sys.argv[2:]))
    if sys.argv[0].endswith("__main__.py"):
        python = os.path.basename(sys.executable) if sys.version_info >= (3,) else "python"
        sys.argv[0] = python + " -m unittest_leakfix"
    else:
        # The console script: tests are imported from here, as with -m.
        sys.path.insert(0, "")
    defer()
    program = _program()
    if sys.version_info < (3,):
        from unittest.main import USAGE_AS_MAIN
        program.USAGE = USAGE_AS_MAIN
    program(module=None)


if __name__ == "__main__":
    main()
