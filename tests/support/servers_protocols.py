"""Small servers inside the test process for clients of HTTP, websockets and SSH: they end with it.

    host, port = servers_protocols.http_server()
"""

from __future__ import absolute_import

import logging
import socket
import threading
import unittest

_running = {}


def _once(name, start):
    if name not in _running:
        _running[name] = start()
    return _running[name]


def _serve(function):
    thread = threading.Thread(target=function, name="server for the tests")
    thread.daemon = True
    thread.start()


def http_server():
    """The host and port of a server that keeps connections open (HTTP 1.1), started when first
    asked for."""
    return _once("http", _http)


def _http():
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.send_header("Content-Type", "application/json")
            self.send_header("X-Elastic-Product", "Elasticsearch")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(b"{}")

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    _serve(server.serve_forever)
    return "127.0.0.1", server.server_port


def websocket_server():
    """The host and port of a server that says nothing. Raises unittest.SkipTest without
    websockets."""
    try:
        from websockets.sync.server import serve
    except ImportError:
        raise unittest.SkipTest("websockets is missing")

    def start():
        # A client that does not hang up is not reported here.
        logging.getLogger("websockets.server").setLevel(logging.CRITICAL)
        server = serve(lambda connection: [None for _ in connection], "127.0.0.1", 0)
        _serve(server.serve_forever)
        return server.socket.getsockname()[:2]
    return _once("websocket", start)


def ssh_server():
    """The host and port of a server that lets everybody in. Raises unittest.SkipTest without
    paramiko."""
    try:
        import paramiko
    except ImportError:
        raise unittest.SkipTest("paramiko is missing")

    class Everybody(paramiko.ServerInterface):
        def check_auth_password(self, username, password):
            return paramiko.AUTH_SUCCESSFUL

        def get_allowed_auths(self, username):
            return "password"

    def start():
        key, listener, sessions = paramiko.ECDSAKey.generate(), socket.socket(), []
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)

        def accept():
            while True:
                session = paramiko.Transport(listener.accept()[0])
                session.add_server_key(key)
                session.start_server(server=Everybody())
                sessions.append(session)
        _serve(accept)
        return listener.getsockname()[:2]
    return _once("ssh", start)
