"""Kinds: child processes, and the pools, managers, queues and pipes of multiprocessing."""
from __future__ import absolute_import

import errno
import os
import sys

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import name_of, own_attribute
from unittest_leakfix._core.redaction import command
from unittest_leakfix._core.waiting import CloseTimeout, wait_until, within
from unittest_leakfix.resources.kind import Kind, method, open_by_flags, short_text
from unittest_leakfix.resources.network import socket_open

__unittest = True
bind(globals())

_getpid = os.getpid
_kill = os.kill
_waitid = getattr(os, "waitid", None)   # not on 2.7
_exists = os.path.exists
_open = open
_ECHILD = errno.ECHILD
_PIPES = ("stdin", "stdout", "stderr")


# -- subprocess.Popen

def _popen_open(value):
    if own_attribute(value, "pid") is None:  # the child could not be started
        return False
    if own_attribute(value, "returncode") is None:
        return True
    pipes = [own_attribute(value, name) for name in _PIPES]
    return any(pipe is not None and open_by_flags(pipe) is not False for pipe in pipes)


def _popen_close(value):
    try:
        _end(value, _poll_of(value), _popen_text(value))
    finally:
        for name in _PIPES:
            pipe = own_attribute(value, name)
            if pipe is not None:
                _close_pipe(pipe)


def _poll_of(value):
    if sys.version_info[0] > 2:
        return value.poll
    # Python 2.7: poll() returns None for ever when other code reaped the child.
    return lambda: value._internal_poll(_deadstate=0)


def _end(process, poll, what):
    if poll() is not None:
        return
    process.terminate()
    try:
        wait_until(lambda: poll() is not None, what)
    except CloseTimeout:  # it would not listen
        process.kill()
        wait_until(lambda: poll() is not None, what)


def _close_pipe(pipe):
    try:
        pipe.close()
    except EnvironmentError as error:
        # What was still to be written has no reader any more.
        if error.errno != errno.EPIPE:
            raise


def _popen_text(value):
    text = "child process %s" % own_attribute(value, "pid", "")
    arguments = own_attribute(value, "args")  # not kept by Python 2.7
    if isinstance(arguments, (list, tuple)):
        arguments = command(arguments)
    arguments = short_text(arguments)
    return "%s: %s" % (text, arguments) if arguments else text


# -- multiprocessing

def _process_open(value):
    child = own_attribute(value, "_popen")
    return child is not None and own_attribute(value, "_parent_pid") == _getpid() \
        and own_attribute(child, "returncode") is None and not _is_lost(child)


def _is_lost(child):
    """Return True when other code has waited for it: its number may be another process's by now.

    Its own ``poll()`` says for ever that it runs, and ``terminate()`` would end that other one.
    """
    pid = own_attribute(child, "pid")
    if type(pid) is not int or name_of(type(child))[0] == "multiprocessing.popen_forkserver":
        return False    # no child of this process
    if _waitid is None:
        return _parent_of(pid) not in (None, _getpid())
    try:
        _waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except EnvironmentError as error:
        return error.errno == _ECHILD
    return False


def _parent_of(pid):
    """The process id of the parent of *pid*; 0 if there is no such process, None where unknown."""
    if not _exists("/proc/self/stat"):
        return None
    try:
        with _open("/proc/%d/stat" % pid) as status:
            return int(status.read().rpartition(")")[2].split()[1])
    except EnvironmentError:
        return 0


def _process_close(value):
    child = own_attribute(value, "_popen")
    if child is None or _is_lost(child):  # never started, closed, or other code waited for it
        return
    _end(_Process(value), child.poll, _process_text(value))
    value.join(0)  # leaves the list of active children
    if hasattr(value, "close"):  # Python 3.7: gives back the sentinel's descriptor
        value.close()


class _Process(object):
    """``terminate`` and ``kill`` of a process; Python 2.7 and 3.6 have no kill."""

    def __init__(self, process):
        self.terminate = process.terminate
        self._pid = process.pid

    def kill(self):
        _kill(self._pid, 9)


def _process_text(value):
    child, name = own_attribute(value, "_popen"), short_text(own_attribute(value, "_name"))
    pid = getattr(child, "pid", None)
    return "child process%s%s" % (" %d" % pid if pid else "", " (%s)" % name if name else "")


def _pool_open(value):
    handlers = [own_attribute(value, name) for name in
                ("_worker_handler", "_task_handler", "_result_handler")]
    return any(handler is not None and handler.is_alive() for handler in handlers)


def _pool_close(value):
    def end():
        value.terminate()
        value.join()
    within(end, "process pool")


def _manager_open(value):
    # connect() makes no shutdown: that server belongs to another process.
    return (own_attribute(value, "shutdown") is not None
            and own_attribute(value, "_state").value == 1)


def _manager_close(value):
    within(value.shutdown, "process manager")


def _queue_open(value):
    return not own_attribute(value, "_closed", False)


def _queue_close(value):
    value.cancel_join_thread()
    feeder, reader = own_attribute(value, "_thread"), own_attribute(value, "_reader")
    if feeder is not None:
        # It ends only when what was put is read. Before Python 3.9 close()
        # shuts the reader first, so the feeder is stopped beforehand.
        value._close()

        def is_fed():
            _drain(reader)
            return not feeder.is_alive()

        wait_until(is_fed, "queue feeder thread")
    value.close()
    _close_ends(value)


def _drain(reader):
    try:
        while not reader.closed and reader.poll(0):
            reader.recv_bytes()
    except (EnvironmentError, EOFError, TypeError):
        pass  # Python 3.9: the feeder itself closes the reader, at any moment


def _close_ends(value):
    for name in ("_reader", "_writer"):
        end = own_attribute(value, name)
        if end is not None and not end.closed:
            end.close()


def _simple_queue_open(value):
    return not own_attribute(value, "_reader").closed


def _listener_open(value):
    # Python 2.7 and 3.6 keep the inner listener after close(): look at its socket.
    inner = own_attribute(value, "_listener")
    held = own_attribute(inner, "_socket") if inner is not None else None
    return held is not None and socket_open(held)


_PROCESS = Kind("child process", _process_close, _process_open, _process_text)
_QUEUE = Kind("process queue", _queue_close, _queue_open)
_PIPE = Kind("process pipe", method("close"), lambda value: open_by_flags(value, ("closed",)))

#: (module, class) -> Kind, or None for what is not a resource.
KINDS = {
    ("subprocess", "Popen"): Kind("child process", _popen_close, _popen_open, _popen_text),
    ("multiprocessing.process", "BaseProcess"): _PROCESS,
    ("multiprocessing.process", "Process"): _PROCESS,  # Python 2.7
    ("multiprocessing.pool", "Pool"): Kind("process pool", _pool_close, _pool_open),
    ("multiprocessing.pool", "ThreadPool"): Kind("thread pool", _pool_close, _pool_open),
    ("multiprocessing.managers", "BaseManager"): Kind(
        "process manager", _manager_close, _manager_open),
    ("multiprocessing.queues", "Queue"): _QUEUE,
    ("multiprocessing.queues", "SimpleQueue"): Kind(
        "process queue", _close_ends, _simple_queue_open),
    ("multiprocessing.connection", "_ConnectionBase"): _PIPE,
    ("_multiprocessing", "Connection"): _PIPE,  # Python 2.7
    ("multiprocessing.connection", "Listener"): Kind(
        "process listener", method("close"), _listener_open),
}
