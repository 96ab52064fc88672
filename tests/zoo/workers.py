"""A worker that nobody ends, and that keeps its last job while it waits for the next."""
from __future__ import annotations

import queue
import threading
import unittest

jobs = queue.Queue()


def work():
    while True:
        job = jobs.get()
        job()
        jobs.task_done()


worker = threading.Thread(target=work, name="worker", daemon=True)
worker.start()


class KeptByThread(unittest.TestCase):

    def test_in_frame(self):
        jobs.put(self.job)
        jobs.join()

    def job(self):
        self.done = True
