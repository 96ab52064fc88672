"""The passwords of the private servers, so that all outputs of a test run can be searched for them.

Each server notes its own, which is random. ``watch()`` has every output that a test reads from a
child process searched; `runs` searches what the test process itself wrote. The file
LEAKFIX_PASSWORDS, which `runs` names, has those of all processes of one run.
"""

from __future__ import absolute_import

import io
import os
import subprocess

_FILE = "LEAKFIX_PASSWORDS"
_ours = []


def note(password):
    """Take note of a password (str) that no output may have in it."""
    _ours.append(password)
    path = os.environ.get(_FILE)
    if path:
        with open(path, "a") as file:
            file.write(password + "\n")


def noted(path=None):
    """List what was noted: in this process, and in the file of its run."""
    path = path or os.environ.get(_FILE, "")
    if not os.path.exists(path):
        return list(_ours)
    with io.open(path, encoding="ascii") as file:
        return _ours + file.read().split()


def environment(path):
    """Return the environment variables of a run whose passwords are kept in the file *path*."""
    return {_FILE: path}


def found(output, path=None):
    """Tell whether one of them is in *output*, bytes or text."""
    if isinstance(output, bytes):
        output = output.decode("utf-8", "replace")
    return any(password in output for password in noted(path))


def watch():
    """Make reading one of them from a child process fail, from here on."""
    original = subprocess.Popen.communicate

    def communicate(child, *args, **kwargs):
        outputs = original(child, *args, **kwargs)
        if any(map(found, filter(None, outputs))):
            # Without the output: this text is printed.
            raise AssertionError("the password of a server is in the output of process %d"
                                 % child.pid)
        return outputs
    subprocess.Popen.communicate = communicate
