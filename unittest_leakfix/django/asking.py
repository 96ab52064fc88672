"""Asking the server of one of Django's wrappers who is on its databases."""
from __future__ import annotations

import time
import warnings
from contextlib import contextmanager
from typing import Any, Iterator

from django.conf import settings

from unittest_leakfix._core.early import bind
from unittest_leakfix._core import redaction
from unittest_leakfix.databases.connecting import is_full, server
from unittest_leakfix.databases.server import Server

__unittest = True
bind(globals())

#: The vendors that can be asked, as Django calls them.
ASKED = ("postgresql", "mysql")
_PATIENCE = 2.0
"""So long a full server is asked for a place: our own connections may have been closed just now."""
_clock, _sleep = time.monotonic, time.sleep


def may_terminate() -> bool:
    """Tell whether sessions may be ended: ``settings.LEAKFIX_TERMINATE_SESSIONS``, True where it is not set."""
    return bool(getattr(settings, "LEAKFIX_TERMINATE_SESSIONS", True))


@contextmanager
def asking(wrapper: Any) -> Iterator[Server]:
    """Give the server, over a connection of Django's own that is on none of the test databases."""
    end = _clock() + _PATIENCE
    while True:
        context = wrapper._nodb_cursor()
        try:
            with warnings.catch_warnings():
                # On a full server Django tries another database, and says so.
                warnings.simplefilter("ignore", RuntimeWarning)
                cursor = context.__enter__()
            break
        except Exception as error:
            if not is_full(error) or _clock() >= end:
                raise
        _sleep(0.05)
    try:
        yield server(wrapper.vendor, cursor.db.connection)
    finally:
        context.__exit__(None, None, None)


def said(error: Exception, wrapper: Any) -> str:
    """Return what an error says, without the wrapper's password."""
    return redaction.error(error, str(wrapper.settings_dict.get("PASSWORD") or ""))
