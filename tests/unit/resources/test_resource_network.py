"""Kinds of resource on the real thing: sockets, servers, clients, selectors, handlers."""
from __future__ import absolute_import

import ftplib
import imaplib
import logging
import logging.handlers
import os
import poplib
import select
import shutil
import smtplib
import socket
import ssl
import sys
import tempfile
import threading
import unittest

from tests.unit.resources.test_resources import KindCase
from unittest_leakfix._core import waiting

try:
    import http.client as http_client
    import socketserver
    from http.server import HTTPServer
    from urllib.request import urlopen
except ImportError:  # Python 2.7
    import httplib as http_client
    import SocketServer as socketserver
    from BaseHTTPServer import HTTPServer
    from urllib2 import urlopen
try:
    import selectors
except ImportError:
    selectors = None
try:
    import telnetlib
except ImportError:  # gone in Python 3.13
    telnetlib = None


class Greet(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(b"x")


class SocketTests(KindCase):
    def pair(self):
        listener = socket.socket()
        self.addCleanup(listener.close)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        client = socket.create_connection(listener.getsockname())
        self.addCleanup(client.close)
        return client, listener.getsockname()

    def test_listening(self):
        value = socket.socket()
        value.bind(("127.0.0.1", 0))
        self.check(value, "socket", "socket ('127.0.0.1', %d)" % value.getsockname()[1])

    def test_fresh(self):
        self.check(socket.socket(), "socket", "socket")
        self.check(socket.socket(socket.AF_UNIX), "socket", "socket")

    def test_connected(self):
        client, server = self.pair()
        here = client.getsockname()[1]
        self.check(client, "socket", "socket ('127.0.0.1', %d) to ('127.0.0.1', %d)"
                   % (here, server[1]))

    def test_pair(self):
        one, other = socket.socketpair()
        self.check(one, "socket")
        self.check(other, "socket")

    def test_ssl(self):
        client, server = self.pair()
        protocol = getattr(ssl, "PROTOCOL_TLS_CLIENT", ssl.PROTOCOL_SSLv23)
        context = ssl.SSLContext(protocol)
        here = client.getsockname()[1]
        value = context.wrap_socket(client, do_handshake_on_connect=False,
                                    server_hostname="localhost")
        self.check(value, "socket", "ssl socket ('127.0.0.1', %d) to ('127.0.0.1', %d)"
                   % (here, server[1]))

    def test_a_fileno_that_raises(self):
        class Odd(socket.socket):
            def fileno(self):
                raise ZeroDivisionError

        value = Odd()
        self.assertIsNone(self.kind(value, "socket").is_open(value))
        value.close()


class ServerTests(KindCase):
    def server(self, cls=socketserver.TCPServer):
        return cls(("127.0.0.1", 0), Greet)

    def test_never_started(self):
        value = self.server()
        self.check(value, "server", "server ('127.0.0.1', %d)" % value.server_address[1])

    def test_serving_in_a_thread(self):
        value = self.server(HTTPServer)
        thread = threading.Thread(target=value.serve_forever, args=(0.01,))
        thread.start()
        client = socket.create_connection(value.server_address)  # accepted: it serves
        self.assertEqual(client.recv(1), b"x")
        client.close()
        self.check(value, "server")
        thread.join(5)
        self.assertFalse(thread.is_alive())

    def test_shut_down_before(self):
        value = self.server()
        thread = threading.Thread(target=value.serve_forever, args=(0.01,))
        thread.start()
        value.shutdown()
        thread.join()
        self.check(value, "server")

    def test_a_shutdown_that_hangs_is_named(self):
        class Hanging(socketserver.TCPServer):
            def server_close(self):
                release.wait()

        release = threading.Event()
        self.addCleanup(release.set)
        before, waiting.CLOSE_TIMEOUT = waiting.CLOSE_TIMEOUT, 0.02
        self.addCleanup(setattr, waiting, "CLOSE_TIMEOUT", before)
        value = self.server(Hanging)
        self.addCleanup(value.socket.close)
        with self.assertRaises(waiting.CloseTimeout) as caught:
            self.kind(value).close(value)
        self.assertEqual(str(caught.exception), "server ('127.0.0.1', %d) did not end "
                         "within 0.02 s" % value.server_address[1])


class ClientTests(KindCase):
    """A tiny server that greets and then falls silent: nothing may wait for it."""

    def serve(self, greeting):
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        accepted = []

        def greet():
            accepted.append(listener.accept()[0])
            accepted[0].sendall(greeting)

        thread = threading.Thread(target=greet)
        thread.start()

        def end():
            thread.join()
            listener.close()
            accepted[0].close()

        self.addCleanup(end)
        return listener.getsockname()[1]

    def test_smtp(self):
        port = self.serve(b"220 hello\r\n")
        value = smtplib.SMTP("127.0.0.1", port)
        self.check(value, "smtp connection")
        self.assertIs(self.kind(value).is_open(smtplib.SMTP()), False)

    def test_ftp(self):
        port = self.serve(b"220 hello\r\n")
        value = ftplib.FTP()
        self.assertIs(self.kind(value).is_open(value), False)
        value.connect("127.0.0.1", port)
        self.check(value, "ftp connection", "ftp connection to 127.0.0.1:%d" % port)

    def test_pop3(self):
        port = self.serve(b"+OK hello\r\n")
        self.check(poplib.POP3("127.0.0.1", port), "pop3 connection",
                   "pop3 connection to 127.0.0.1:%d" % port)

    def test_imap(self):
        port = self.serve(b"* PREAUTH hello\r\n* CAPABILITY IMAP4REV1\r\n"
                          b"ABCD0 OK done\r\n")

        class Fixed(imaplib.IMAP4):
            def _connect(self):
                self.tagpre, self.tagre = b"ABCD", __import__("re").compile(
                    br"(?P<tag>ABCD\d+) (?P<type>[A-Z]+) (?P<data>.*)")
                self._tag_fixed = True
                self.state = "AUTH"
                self.capabilities = ()

            # Python 2.7 connects in __init__ itself.
            def _get_capabilities(self):
                self.capabilities = ("IMAP4REV1",)

            def capability(self):
                return "OK", ["IMAP4REV1"]

        value = Fixed("127.0.0.1", port)
        self.check(value, "imap connection", "imap connection to 127.0.0.1:%d" % port)

    @unittest.skipIf(telnetlib is None, "gone in 3.13")
    def test_telnet(self):
        port = self.serve(b"hello")
        self.check(telnetlib.Telnet("127.0.0.1", port), "telnet connection",
                   "telnet connection to 127.0.0.1:%d" % port)

    def test_http(self):
        port = self.serve(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        value = http_client.HTTPConnection("127.0.0.1", port)
        self.assertIs(self.kind(value).is_open(value), False)
        value.request("GET", "/")
        response = value.getresponse()
        self.check(response, "http response")
        self.check(value, "http connection", "http connection to 127.0.0.1:%d" % port)

    def test_http_response_read_to_its_end(self):
        port = self.serve(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        value = http_client.HTTPConnection("127.0.0.1", port)
        self.addCleanup(value.close)
        value.request("GET", "/")
        response = value.getresponse()
        response.read()
        self.assertIs(self.kind(response).is_open(response), False)

    @unittest.skipIf(sys.version_info[0] == 2, "Python 2.7 ends it by deallocation")
    def test_urlopen(self):
        port = self.serve(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        self.check(urlopen("http://127.0.0.1:%d/" % port), "http response")
        self.check(urlopen("file:///dev/null"), "response")


class SelectorTests(KindCase):
    @unittest.skipIf(selectors is None, "Python 2.7 has none")
    def test_selectors(self):
        for name in ("DefaultSelector", "SelectSelector", "PollSelector", "EpollSelector"):
            self.check(getattr(selectors, name)(), "selector")

    @unittest.skipUnless(hasattr(select, "epoll"), "no epoll")
    def test_epoll(self):
        self.check(select.epoll(), "selector")


class HandlerTests(KindCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = os.path.join(self.folder, "x.log")

    def test_file_handler(self):
        self.check(logging.FileHandler(self.path), "logging handler",
                   "logging FileHandler %s" % self.path)
        self.check(logging.handlers.RotatingFileHandler(self.path), "logging handler")

    def test_a_delayed_file_handler(self):
        value = logging.FileHandler(self.path, delay=True)
        self.assertIs(self.kind(value).is_open(value), False)

    def test_handlers_with_a_socket(self):
        listener = socket.socket()
        self.addCleanup(listener.close)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        value = logging.handlers.SocketHandler(*listener.getsockname())
        self.assertIs(self.kind(value).is_open(value), False)
        value.createSocket()
        self.check(value, "logging handler", "logging SocketHandler")
        value = logging.handlers.SysLogHandler(listener.getsockname())
        self.check(value, "logging handler")

    def test_any_other_handler(self):
        class Mine(logging.Handler):
            ended = False

            def close(self):
                logging.Handler.close(self)
                self.ended = True

        value = Mine()
        self.kind(value, "logging handler").close(value)
        self.assertIs(value.ended, True)

    def test_a_handler_without_a_close_of_its_own(self):
        class Collect(logging.Handler):
            pass

        value = Collect()
        self.assertIs(self.kind(value).is_open(value), False)
        self.assertIsNot(self.kind(value).is_open(logging.handlers.MemoryHandler(1)), False)

    def test_a_stream_handler_owns_nothing(self):
        from unittest_leakfix.resources import registry
        self.assertIsNone(registry.kind_of(logging.StreamHandler()))


if __name__ == "__main__":
    unittest.main()
