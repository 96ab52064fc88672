"""A thread with a connection, as the cases want it."""
from __future__ import annotations

import threading

from django.db import connections as of_thread


class Worker:
    """A thread that opens a connection and goes on until it is to end."""

    def __init__(self, alias="default", shared=False):
        self._alias, self._shared = alias, shared
        self._opened, self._end = threading.Event(), threading.Event()
        self.wrapper = None
        self.thread = threading.Thread(target=self._work, name="worker")
        self.thread.start()
        self._opened.wait(10)

    def _work(self):
        self.wrapper = of_thread[self._alias]
        if self._shared:
            self.wrapper.inc_thread_sharing()
        self.wrapper.ensure_connection()
        self._opened.set()
        self._end.wait(10)

    def end(self):
        """End the thread, and wait for it."""
        self._end.set()
        self.thread.join()
