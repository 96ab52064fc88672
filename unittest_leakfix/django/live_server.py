"""Live servers: the connections of a request's thread are closed when the request is answered.

The thread of a request waits on for the client's next one, and with a ``CONN_MAX_AGE`` it keeps its
connection so long: one for each client that does not hang up. Under our runner it is closed after
each request, which is what ``CONN_MAX_AGE = 0`` does; the view sees no difference.
"""
from __future__ import annotations

from typing import Any

from django.core.servers.basehttp import WSGIRequestHandler
from django.db import connections as _of_thread

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.swap import Swap

__unittest = True
bind(globals())


class LiveServers:
    """Sees to it between `install` and `remove`. There is one, `live_servers`."""

    def __init__(self) -> None:
        self._users = 0
        self._swap = Swap()

    def install(self) -> None:
        """Begin. `remove` has to follow, as often."""
        self._users += 1
        if self._users > 1:
            return
        original = WSGIRequestHandler.handle_one_request

        def handle_one_request(handler: Any) -> None:
            try:
                original(handler)
            finally:
                close_answered()
        self._swap.put(WSGIRequestHandler, "handle_one_request", handle_one_request)

    def remove(self) -> None:
        """End it; with the last one Django is as it was."""
        self._users -= 1
        if not self._users:
            self._swap.back()


def close_answered() -> None:
    """Close the connections of this thread, whose request is answered; not one that threads
    share."""
    for wrapper in _of_thread.all(initialized_only=True):
        if wrapper.connection is not None and not wrapper.allow_thread_sharing:
            try:
                wrapper.close()
            except Exception:   # lost meanwhile: the view has seen the error, if it used it
                pass


live_servers = LiveServers()
