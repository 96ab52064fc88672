"""What still runs when its test is over."""
from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import subprocess
import threading
import unittest

from tests.zoo import shop

never = threading.Event()


def wait():
    never.wait(60)


class Mailer:
    """Starts a thread for all that sends mail."""

    def start(self):
        threading.Thread(target=wait, name="mailer-1", daemon=True).start()


class Running(unittest.TestCase):

    def test_thread(self):
        threading.Thread(target=wait, name="importer").start()

    def test_daemon_thread(self):
        Mailer().start()

    def test_timer(self):
        threading.Timer(60, print).start()

    def test_executor(self):
        self.executor = concurrent.futures.ThreadPoolExecutor(2, thread_name_prefix="fetch")
        self.executor.submit(int).result()
        shop.pool.append(self.executor)

    def test_executor_on_self(self):
        self.executor = concurrent.futures.ThreadPoolExecutor(2, thread_name_prefix="fetch")
        self.executor.submit(int).result()

    def test_child_process(self):
        shop.last = subprocess.Popen(["cat"], stdin=subprocess.PIPE)

    def test_child_process_on_self(self):
        self.child = subprocess.Popen(["sleep", "60"])

    def test_child_process_ended(self):
        if os.fork() == 0:
            os._exit(0)

    def test_multiprocessing_process(self):
        process = multiprocessing.get_context("fork").Process(target=wait, name="importer")
        process.start()

    def test_multiprocessing_pool(self):
        shop.last = multiprocessing.get_context("fork").Pool(2)
