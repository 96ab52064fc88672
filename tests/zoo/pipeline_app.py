"""A data pipeline: reads files, works on batches in threads and processes, keeps checkpoints."""
from __future__ import annotations

import concurrent.futures
import csv
import functools
import logging
import sqlite3
import tempfile
import threading

log = logging.getLogger("pipeline")
sinks = []
stages = {}
batches = []
converters = {"int": int}
batch_size = 500
strict = False
_metrics = {}
_schemas = {}
_workers = None
_store = None


class Sink:
    """Writes rows to a file."""

    def __init__(self, path):
        self.path = path
        self.file = open(path, "a")

    def write(self, row):
        """Write one row."""
        self.file.write(",".join(map(str, row)) + "\n")

    def close(self):
        """Write what is left."""
        self.file.close()


class Batch:
    """Rows, and what is known of them."""

    def __init__(self, rows):
        self.rows = rows


class Stage:
    """Works on batches; those who want to know are called."""

    def __init__(self, name):
        self.name = name
        self.listeners = []
        self.last = None

    def run(self, batch):
        """Work on one batch."""
        self.last = batch
        for listener in self.listeners:
            listener(batch)
        return len(batch.rows)


def stage(name):
    """Return the stage of this name."""
    if name not in stages:
        stages[name] = Stage(name)
    return stages[name]


clean = stage("clean")


def open_sink(path):
    """Return a sink, which the pipeline flushes at its end."""
    sink = Sink(path)
    sinks.append(sink)
    return sink


def rows_of(path):
    """Yield the rows of a file."""
    with open(path, newline="") as file:
        yield from csv.reader(file)


def workers():
    """Return the threads that all stages share."""
    global _workers
    if _workers is None:
        _workers = concurrent.futures.ThreadPoolExecutor(2)
    return _workers


def store():
    """Return the store of checkpoints."""
    global _store
    if _store is None:
        _store = sqlite3.connect(":memory:", check_same_thread=False)
    return _store


def spool():
    """Return a new folder for what does not fit into memory."""
    return tempfile.mkdtemp(prefix="spool-")


def count(name):
    """Count something."""
    _metrics[name] = _metrics.get(name, 0) + 1


@functools.lru_cache(maxsize=None)
def schema(name):
    """Return what the columns of a source are."""
    return {"name": name}


def watch(function, seconds=60):
    """Call a function regularly; returns what ends that."""
    stop = threading.Event()

    def run():
        while not stop.wait(seconds):
            function()
    threading.Thread(target=run, name="watch", daemon=True).start()
    return stop.set
