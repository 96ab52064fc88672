"""A function in a forked process of its own: how it ended, and all that it wrote.

What the child calls is bound here, before a test in it can replace it.
"""

from __future__ import absolute_import

import os
import select
import signal
import sys
import time

_fork, _exit, _dup2, _close = os.fork, os._exit, os.dup2, os.close
_SystemExit, _BaseException, _int = SystemExit, BaseException, int


def run(function, seconds):
    """Return (exit status, output) of a process that calls ``function()``.

    The status is -N where signal N ended it, and None where it did not end within *seconds*.
    """
    read, write = os.pipe()
    sys.stdout.flush()
    flush = sys.stderr.flush
    pid = _fork()
    if not pid:
        status = 70
        try:
            _dup2(write, 1)
            _dup2(write, 2)
            _close(read)
            try:
                function()
            except _SystemExit as end:
                status = _int(end.code)
            flush()
        except _BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            _exit(status)
    os.close(write)
    output, ready, end = b"", True, time.time() + seconds
    while ready:
        ready = select.select([read], [], [], max(0, end - time.time()))[0]
        part = os.read(read, 1 << 16) if ready else b""
        if not part:
            break
        output += part
    os.close(read)
    if not ready:
        os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    return _ended(status) if ready else None, output.decode("utf-8", "replace")


def _ended(status):
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
