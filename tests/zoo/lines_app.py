"""An application that opens one thing of each kind, apart from its tests.

The line that a report has to show is marked with the name of its function.
"""
from __future__ import annotations

import asyncio
import bz2
import codecs
import concurrent.futures
import contextlib
import dbm.dumb
import fcntl
import ftplib
import gzip
import http.client
import http.server
import imaplib
import importlib.util
import io
import logging
import logging.handlers
import lzma
import mmap
import multiprocessing
import multiprocessing.connection
import multiprocessing.managers
import multiprocessing.pool
import multiprocessing.shared_memory
import os
import poplib
import pty
import select
import selectors
import shelve
import smtplib
import socket
import socketserver
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import threading
import urllib.request
import zipfile
from unittest import mock

CONFIG = {"mode": "live"}


def path(name):
    return os.path.join(os.environ["ZOO"], name)


def made(name, text="x" * 100):
    """Return the path of a file that is there."""
    with open(path(name), "w") as file:
        file.write(text)
    return path(name)


def answering(reply=b""):
    """Return the port of a server in a daemon thread that says *reply* to all who come."""
    listener = socket.create_server(("127.0.0.1", 0))  # server
    port = listener.getsockname()[1]

    def serve():
        with listener, listener.accept()[0] as peer:  # server
            peer.sendall(reply)
            peer.recv(1000)
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes")
            peer.recv(1000)
    threading.Thread(target=serve, daemon=True).start()  # server
    return port


# What the system gives a number for.

def os_open():
    return os.open(made("opened"), os.O_RDONLY)  # opens: os_open


def os_dup():
    with open(made("copied")) as file:
        return os.dup(file.fileno())  # opens: os_dup


def os_pipe():
    return os.pipe()  # opens: os_pipe


def os_openpty():
    return os.openpty()  # opens: os_openpty


def pty_openpty():
    return pty.openpty()  # opens: pty_openpty


def fcntl_dup():
    with open(made("copied high")) as file:
        return fcntl.fcntl(file.fileno(), fcntl.F_DUPFD_CLOEXEC, 30)  # opens: fcntl_dup


def memfd():
    return os.memfd_create("orders")  # opens: memfd


def eventfd():
    return os.eventfd(0)  # opens: eventfd


def pidfd():
    return os.pidfd_open(os.getpid())  # opens: pidfd


def timerfd():
    return os.timerfd_create(0)  # opens: timerfd


def epoll():
    return select.epoll()  # opens: epoll


def selector():
    return selectors.DefaultSelector()  # opens: selector


def socket_dup():
    with socket.socket() as here:
        return here.dup()  # opens: socket_dup


# Files, archives, small databases

def open_of_descriptor():
    number = os.open(made("wrapped"), os.O_RDONLY)
    return open(number)  # opens: open_of_descriptor


def fdopen_of_pipe():
    reader, writer = os.pipe()
    os.close(writer)
    return os.fdopen(reader)  # opens: fdopen_of_pipe


def temporary_file():
    return tempfile.TemporaryFile()  # opens: temporary_file


def named_temporary_file():
    return tempfile.NamedTemporaryFile()  # opens: named_temporary_file


def spooled_file():
    file = tempfile.SpooledTemporaryFile(1)  # opens: spooled_file
    file.write(b"more than one")
    return file


def temporary_folder():
    return tempfile.TemporaryDirectory()  # opens: temporary_folder


def zip_archive():
    return zipfile.ZipFile(path("a.zip"), "w")  # opens: zip_archive


def tar_archive():
    return tarfile.open(path("a.tar"), "w")  # opens: tar_archive


def gzip_file():
    return gzip.open(path("a.gz"), "wb")  # opens: gzip_file


def gzip_text():
    return gzip.open(path("a.gz"), "wt")  # opens: gzip_text


def bz2_file():
    return bz2.open(path("a.bz2"), "wb")  # opens: bz2_file


def lzma_file():
    return lzma.open(path("a.xz"), "wb")  # opens: lzma_file


def codecs_file():
    return codecs.open(made("a.txt"), encoding="utf-8")  # opens: codecs_file


def path_file():
    import pathlib
    return pathlib.Path(made("a.txt")).open()  # opens: path_file


def memory_map():
    with open(made("a.map"), "r+b") as file:
        return mmap.mmap(file.fileno(), 0)  # opens: memory_map


def anonymous_map():
    return mmap.mmap(-1, 4096)  # opens: anonymous_map


def shared_memory():
    return multiprocessing.shared_memory.SharedMemory(create=True, size=64)  # opens: shared_memory


def shelf():
    return shelve.open(path("shelf"))  # opens: shelf


def dbm_any():
    import dbm
    return dbm.open(path("any"), "c")  # opens: dbm_any


def dbm_dumb():
    return dbm.dumb.open(path("dumb"), "c")  # opens: dbm_dumb


def sqlite():
    return sqlite3.connect(path("a.db"))  # opens: sqlite


def sqlite_blob():
    db = sqlite3.connect(path("b.db"))  # opens: sqlite_blob (its connection)
    db.execute("create table t (b blob)")
    db.execute("insert into t values (zeroblob(9))")
    db.commit()
    return db.blobopen("t", "b", 1)  # opens: sqlite_blob


# Threads, children, executors

def executor():
    pool = concurrent.futures.ThreadPoolExecutor(1)  # opens: executor
    pool.submit(int).result()
    return pool


def process_executor():
    pool = concurrent.futures.ProcessPoolExecutor(  # opens: process_executor
        1, mp_context=multiprocessing.get_context("fork"))
    pool.submit(int).result()
    return pool


def thread_pool():
    return multiprocessing.pool.ThreadPool(1)  # opens: thread_pool


def process_pool():
    return multiprocessing.get_context("fork").Pool(1)  # opens: process_pool


def manager():
    return multiprocessing.get_context("fork").Manager()  # opens: manager


def process_pipe():
    return multiprocessing.Pipe()  # opens: process_pipe


def process_queue():
    return multiprocessing.get_context("fork").Queue()  # opens: process_queue


def simple_queue():
    return multiprocessing.get_context("fork").SimpleQueue()  # opens: simple_queue


def listener():
    return multiprocessing.connection.Listener()  # opens: listener


def thread():
    thread = threading.Thread(target=threading.Event().wait, args=(20,), daemon=True)
    thread.start()  # opens: thread
    return thread


def timer():
    timer = threading.Timer(20, int)
    timer.daemon = True
    timer.start()  # opens: timer
    return timer


def child():
    return subprocess.Popen(  # opens: child
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE)


# Network

def http_connection():
    connection = http.client.HTTPConnection("127.0.0.1", answering())  # opens: http_connection
    connection.connect()  # opens: http_connection (its socket)
    return connection


def http_response():
    return urllib.request.urlopen("http://127.0.0.1:%d" % answering())  # opens: http_response


def smtp():
    return smtplib.SMTP("127.0.0.1", answering(b"220 here\r\n"))  # opens: smtp


def ftp():
    client = ftplib.FTP()  # opens: ftp
    client.connect("127.0.0.1", answering(b"220 here\r\n"))  # opens: ftp (its socket)
    return client


def pop():
    return poplib.POP3("127.0.0.1", answering(b"+OK here\r\n"))  # opens: pop


def imap():
    with mock.patch.object(imaplib.IMAP4, "_connect"):
        client = imaplib.IMAP4("127.0.0.1", answering())  # opens: imap
    return client


def socket_server():
    return socketserver.TCPServer(("127.0.0.1", 0), None)  # opens: socket_server


def udp_server():
    return socketserver.UDPServer(("127.0.0.1", 0), None)  # opens: udp_server


def http_server():
    return http.server.HTTPServer(("127.0.0.1", 0), None)  # opens: http_server


class OldServer(socketserver.TCPServer):
    """Calls its base's constructor by the class."""

    def __init__(self, address):
        socketserver.TCPServer.__init__(self, address, None)  # opens: old_server


def old_server():
    return OldServer(("127.0.0.1", 0))


# Logging

def file_handler():
    return logging.FileHandler(path("log"))  # opens: file_handler


def rotating_handler():
    return logging.handlers.RotatingFileHandler(path("log"))  # opens: rotating_handler


def socket_handler():
    handler = logging.handlers.SocketHandler("127.0.0.1", answering())  # opens: socket_handler
    handler.createSocket()  # opens: socket_handler (its socket)
    return handler


class OwnHandler(logging.Handler):

    def __init__(self):
        logging.Handler.__init__(self)
        self.seen = []

    def emit(self, record):
        self.seen.append(record)


def added_handler():
    handler = logging.NullHandler()  # opens: added_handler
    logging.getLogger("shop.lines").addHandler(handler)


def own_handler():
    handler = OwnHandler()
    logging.getLogger("shop.lines").addHandler(handler)  # opens: own_handler


def basic_config():
    logging.basicConfig(filename=path("log"))  # opens: basic_config


# Patches

def patch_target():
    mock.patch("tests.zoo.lines_app.CONFIG").start()  # opens: patch_target


def patch_object():
    patcher = mock.patch.object(os, "getpgrp", lambda: "me")
    patcher.start()  # opens: patch_object
    return patcher


def patch_dict():
    mock.patch.dict(CONFIG, mode="test").start()  # opens: patch_dict


def patch_multiple():
    mock.patch.multiple("os", getlogin=None).start()  # opens: patch_multiple


# asyncio and what is closed like it

def loop():
    return asyncio.new_event_loop()  # opens: loop


def runner():
    runner = asyncio.Runner()  # opens: runner
    runner.get_loop()  # opens: runner (its loop)
    return runner


async def fetch():
    return 1


def coroutine():
    fetch()  # opens: coroutine


def coroutine_kept_for_long():
    waiting = fetch()  # opens: coroutine_kept_for_long
    del waiting


def exit_stack():
    stack = contextlib.ExitStack()  # opens: exit_stack
    stack.callback(int)
    return stack


class Session:
    """The application's own, with a file under it."""

    def __init__(self):
        self.file = io.open(__file__)  # opens: session
        self.closed = False

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.close()

    def close(self):
        self.file.close()
        self.closed = True


def session():
    return Session()


def library():
    """Made in an installed package, which opens its socket later."""
    os.mkdir(path("site-packages"))
    client = module(made(os.path.join("site-packages", "client.py"), """
import contextlib
import socket

class Client(contextlib.AbstractContextManager):
    closed = False

    def connect(self):
        self.sock = socket.socket()

    def __exit__(self, *args):
        self.close()

    def close(self):
        self.closed = True
        self.sock.close()
""")).Client()
    client.connect()  # opens: library
    return client


def module(path):
    spec = importlib.util.spec_from_file_location("client", path)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found
