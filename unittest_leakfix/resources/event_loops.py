"""Kinds: event loops, runners, tasks, async generators, servers and transports.

No ``async def`` here: this file is read by Python 2.7, too.
"""
from __future__ import absolute_import

import sys

from unittest_leakfix._core import waiting as closing
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import own_attribute
from unittest_leakfix._core.waiting import CloseTimeout, within
from unittest_leakfix.resources.kind import Kind, method, short_text

__unittest = True
bind(globals())


def _asyncio():
    # It is loaded, otherwise there would not be a loop to close.
    return sys.modules["asyncio"]


def _loop_open(loop):
    return not loop.is_closed()


def _loop_close(loop):
    if _asyncio()._get_running_loop() is not None and not loop.is_running():
        # One thread runs one loop at a time: end the other one elsewhere.
        within(lambda: _end_loop(loop), "event loop", closing.CLOSE_TIMEOUT * 3)
    else:
        _end_loop(loop)


def _end_loop(loop):
    if loop.is_closed() or loop.is_running():
        loop.close()  # never a running loop: this raises its own RuntimeError
        return
    try:
        left = _cancel_tasks(loop)
        if own_attribute(loop, "_asyncgens", True):
            # asyncio keeps a WeakSet; other loops do not say.
            loop.run_until_complete(_asyncio().wait_for(
                loop.shutdown_asyncgens(), closing.CLOSE_TIMEOUT))
    finally:
        loop.close()
    if left:
        raise CloseTimeout("event loop: %s did not end when cancelled"
                           % ", ".join(sorted(_task_text(task) for task in left)))


def _cancel_tasks(loop):
    """Cancel what is left and wait for it; return what did not listen."""
    asyncio = _asyncio()
    all_tasks = getattr(asyncio, "all_tasks", None) or asyncio.Task.all_tasks  # 3.6
    tasks = [task for task in all_tasks(loop) if not task.done()]
    if not tasks:
        return ()
    for task in tasks:
        task.cancel()
    return loop.run_until_complete(
        asyncio.wait(tasks, timeout=closing.CLOSE_TIMEOUT))[1]


def _runner_open(runner):
    return own_attribute(runner, "_state").name == "INITIALIZED"


def _runner_close(runner):
    if _asyncio()._get_running_loop() is not None:
        within(runner.close, "asyncio runner", closing.CLOSE_TIMEOUT * 3)
    else:
        runner.close()


def _loop_of(value):
    get_loop = getattr(value, "get_loop", None)  # Python 3.7
    return get_loop() if get_loop is not None else value._loop


def _task_open(task):
    # On a closed loop it can never run again.
    return not task.done() and not _loop_of(task).is_closed()


class _TaskEnd(object):
    """Awaitable: ``task`` is cancelled and over, or CloseTimeout."""

    def __init__(self, task):
        self._task = task

    def __await__(self):
        waiting = _asyncio().wait([self._task], timeout=closing.CLOSE_TIMEOUT)
        return _driven(waiting, self._check)

    def _check(self):
        if not self._task.done():
            raise CloseTimeout("%s did not end when cancelled" % _task_text(self._task))
        if not self._task.cancelled():
            self._task.exception()  # seen: no "was never retrieved" later on


def _driven(coroutine, check):
    """``await coroutine; check()`` in words that Python 2.7 can read."""
    go, argument = coroutine.send, None
    while True:
        try:
            awaited = go(argument)
        except StopIteration:
            break
        try:
            go, argument = coroutine.send, (yield awaited)
        except BaseException as error:
            go, argument = coroutine.throw, error
    check()


def _task_close(task):
    task.cancel()
    return _TaskEnd(task)


def _task_text(task):
    coroutine = task.get_coro() if hasattr(task, "get_coro") else task._coro  # 3.8
    where = short_text(getattr(coroutine, "__qualname__", None))
    return "task of %s" % where if where else "task"


def _generator_open(generator):
    if getattr(generator, "ag_frame", None) is None:
        return False
    suspended = getattr(generator, "ag_suspended", None)  # Python 3.12
    if suspended is None:  # at its first line, nothing was begun (not so on 3.11)
        return generator.ag_frame.f_lasti != -1
    return suspended or generator.ag_running


def _generator_text(generator):
    return "async generator %s" % short_text(getattr(generator, "__qualname__", None))


def _server_open(server):
    # "_sockets" since Python 3.7, "sockets" before; None when closed.
    return own_attribute(server, "_sockets", own_attribute(server, "sockets")) is not None


def _transport_open(transport):
    # After its loop is closed only deallocation closes the socket.
    loop = own_attribute(transport, "_loop")
    return not transport.is_closing() and (loop is None or not loop.is_closed())


def _writer_open(writer):
    return _transport_open(own_attribute(writer, "_transport"))


_TASK = Kind("task", _task_close, _task_open, _task_text, awaits=True)

#: (module, class) -> Kind, or None for what is not a resource.
KINDS = {
    ("asyncio.events", "AbstractEventLoop"): Kind("event loop", _loop_close, _loop_open),
    ("asyncio.runners", "Runner"): Kind("asyncio runner", _runner_close, _runner_open),
    ("_asyncio", "Task"): _TASK,
    ("asyncio.tasks", "Task"): _TASK,
    ("asyncio.base_events", "Server"): Kind("asyncio server", method("close"), _server_open),
    ("asyncio.streams", "StreamWriter"): Kind("stream", method("close"), _writer_open),
    ("asyncio.transports", "BaseTransport"): Kind(
        "transport", method("close"), _transport_open),
    ("builtins", "async_generator"): Kind(
        "async generator", method("aclose"), _generator_open, _generator_text, awaits=True),
}
