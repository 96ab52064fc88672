"""Look-alikes at the pipeline, the web shop and the service: nothing must be said of them."""
from __future__ import annotations

import asyncio
import contextlib
import contextvars
import copy
import gzip
import io
import logging
import os
import queue
import shelve
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
import warnings
import zipfile
from unittest import mock

from tests.zoo import pipeline_app, service_app, web_app


class Pipeline(unittest.TestCase):

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(lambda: [os.remove(os.path.join(self.folder, each))
                                 for each in os.listdir(self.folder)] + [os.rmdir(self.folder)])

    def test_sink_closed_by_the_pipeline(self):
        sink = pipeline_app.open_sink(os.path.join(self.folder, "out.csv"))
        self.addCleanup(pipeline_app.sinks.remove, sink)
        self.addCleanup(sink.close)

    def test_rows_read_to_the_end(self):
        self.assertTrue(list(pipeline_app.rows_of(__file__)))

    def test_reader_given_up_and_closed(self):
        rows = pipeline_app.rows_of(__file__)
        next(rows)
        rows.close()

    def test_counted(self):
        pipeline_app.count("rows")

    def test_schema_cached(self):
        self.assertEqual("orders", pipeline_app.schema("orders")["name"])

    def test_stage_made_when_it_is_asked_for(self):
        self.assertIs(pipeline_app.stage("load"), pipeline_app.stage("load"))

    def test_last_batch_of_a_stage(self):
        self.batch = pipeline_app.Batch([1, 2])
        pipeline_app.clean.run(self.batch)

    def test_listener_taken_away(self):
        pipeline_app.clean.listeners.append(self.received)
        self.addCleanup(pipeline_app.clean.listeners.remove, self.received)

    def test_size_put_back(self):
        self.addCleanup(setattr, pipeline_app, "batch_size", pipeline_app.batch_size)
        pipeline_app.batch_size = 2

    def test_converters_put_back_as_a_copy(self):
        saved = pipeline_app.converters
        try:
            pipeline_app.converters = {"upper": str.upper}
        finally:
            pipeline_app.converters = copy.copy(saved)

    def test_watcher_stopped(self):
        stop = pipeline_app.watch(print, 0.01)
        stop()

    def test_compressed(self):
        path = os.path.join(self.folder, "a.gz")
        with gzip.open(path, "wt") as file:
            file.write("row")
        with gzip.open(path, "rt") as file:
            self.assertEqual("row", file.read())

    def test_archive(self):
        with zipfile.ZipFile(os.path.join(self.folder, "a.zip"), "w") as archive:
            archive.writestr("a", "row")

    def test_shelf(self):
        with shelve.open(os.path.join(self.folder, "shelf")) as shelf:
            shelf["row"] = 1

    def test_streams_of_memory(self):
        self.text, self.data = io.StringIO("row"), io.BytesIO(b"row")

    def test_pipe_of_a_child(self):
        child = subprocess.Popen([sys.executable, "-c", "print(1)"], stdout=subprocess.PIPE)
        self.assertEqual(b"1", child.communicate()[0].strip())

    def test_queue_with_what_the_test_has(self):
        self.jobs = queue.Queue()
        self.jobs.put(self)

    def received(self, batch):
        return batch


class Web(unittest.TestCase):

    def test_session_in_a_weak_map(self):
        self.session = web_app.Session("ann")

    def test_visitor_reset(self):
        token = web_app.request.set(self)
        self.addCleanup(web_app.request.reset, token)

    def test_visitor_in_a_context_of_its_own(self):
        contextvars.copy_context().run(web_app.request.set, self)

    def test_receiver_disconnected(self):
        web_app.order_paid.connect(self.paid)
        self.addCleanup(web_app.order_paid.disconnect, self.paid)
        self.assertEqual([{"order": 1}], web_app.order_paid.send(order=1))

    def test_price_cached(self):
        self.assertEqual(4, web_app.price(1000))

    def test_mail_counted(self):
        web_app.mailer.send("hello")

    def test_settings_patched(self):
        with mock.patch.object(web_app.Settings, "debug", True), mock.patch.dict(
                web_app.Settings.timeouts, payment=1), mock.patch.object(
                    web_app.Settings, "backends", ["sms"]):
            web_app.handle("/")

    def test_event_set_and_cleared(self):
        web_app.ready.set()
        web_app.ready.clear()

    def test_job_put_and_taken(self):
        web_app.jobs.put(self)
        self.assertIs(self, web_app.jobs.get())

    def test_outbox_emptied(self):
        web_app.outbox.append(self)
        self.addCleanup(web_app.outbox.clear)

    def test_logs_caught(self):
        with self.assertLogs(web_app.log, logging.INFO):
            web_app.log.info("paid")

    def test_warning_caught(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")

    def test_thread_that_raises_into_the_stream_of_the_test(self):
        with contextlib.redirect_stderr(io.StringIO()) as printed:
            thread = threading.Thread(target=int, args=("paid",))
            thread.start()
            thread.join()
        self.assertIn("ValueError", printed.getvalue())

    def test_connected_and_hung_up(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            with socket.create_connection(server.getsockname()) as client:
                server.accept()[0].close()
                self.assertEqual(b"", client.recv(1))

    def paid(self, **event):
        return event


class Service(unittest.IsolatedAsyncioTestCase):

    async def test_polling_that_ends(self):
        async with service_app.polling() as self.task:
            await asyncio.sleep(0)

    async def test_all_numbers(self):
        self.assertEqual([0, 1, 2], [each async for each in service_app.numbers()])

    async def test_subscriber_discarded(self):
        service_app.subscribers.add(self)
        self.addCleanup(service_app.subscribers.discard, self)

    async def test_task_cancelled_by_its_loop(self):
        self.task = asyncio.ensure_future(service_app.poll())
        await asyncio.sleep(0)

    async def test_thread_of_the_loop(self):
        loop = asyncio.get_running_loop()
        self.assertEqual(3, await loop.run_in_executor(None, sum, [1, 2]))

    async def test_event_waited_for(self):
        event = asyncio.Event()
        asyncio.get_running_loop().call_soon(event.set)
        await event.wait()
