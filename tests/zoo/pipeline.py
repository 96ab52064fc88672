"""Tests of the pipeline: each leaves one thing."""
from __future__ import annotations

import os
import sqlite3
import tempfile
import unittest
import zipfile
from unittest import mock

from tests.zoo import pipeline_app

ROWS = [(1, "a"), (2, "b")]


class Files(unittest.TestCase):

    def test_sink_of_the_test(self):
        self.sink = pipeline_app.Sink(os.path.join(os.environ["ZOO"], "out.csv"))
        self.sink.write(ROWS[0])

    def test_reader_on_self(self):
        self.source = open(__file__, newline="")
        self.assertTrue(self.source.readline())

    def test_archive(self):
        self.archive = zipfile.ZipFile(os.path.join(os.environ["ZOO"], "rows.zip"), "w")
        self.archive.writestr("rows.csv", "1,a")

    def test_spool_folder(self):
        folder = pipeline_app.spool()
        self.assertTrue(os.path.isdir(folder))

    def test_two_files_on_one_line(self):
        left, right = open(__file__), open(pipeline_app.__file__)
        pipeline_app.batches.append((left, right))

    def test_spooled_descriptor(self):
        descriptor, path = tempfile.mkstemp(suffix=".part")
        os.write(descriptor, b"1,a")
        os.remove(path)


class Stages(unittest.TestCase):

    def test_listener_stays(self):
        pipeline_app.clean.listeners.append(self.received)
        pipeline_app.clean.run(pipeline_app.Batch(ROWS))

    def test_stage_of_a_test(self):
        stage = pipeline_app.Stage("mine")
        stage.listeners.append(self.received)
        pipeline_app.stages["mine"] = stage

    def test_converter_by_hand(self):
        pipeline_app.converters["upper"] = self.received

    def test_size_of_batches(self):
        pipeline_app.batch_size = 2

    def test_strict(self):
        pipeline_app.strict = True

    def test_sink_mocked_by_hand(self):
        pipeline_app.Sink = mock.Mock()

    def test_rows_kept(self):
        pipeline_app.batches.append([bytearray(1500000)])

    def received(self, batch):
        return batch


class Stores(unittest.TestCase):

    def test_store_replaced(self):
        pipeline_app._store = sqlite3.connect(":memory:")

    def test_function_of_the_store(self):
        store = sqlite3.connect(":memory:")
        store.create_function("clean", 1, self.cleaned)
        pipeline_app.batches.append(store)

    def cleaned(self, value):
        return value


class Runs(unittest.TestCase):

    def test_watcher(self):
        self.stop = pipeline_app.watch(print)
