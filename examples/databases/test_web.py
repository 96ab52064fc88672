"""A threaded server under test: each worker thread opens a connection and keeps it.

It needs PyMySQL and a server that you may connect to. From the clone::

    export MYSQL_HOST=127.0.0.1 MYSQL_PORT=3306 MYSQL_USER=shop MYSQL_PASSWORD=...
    python -m unittest discover -s examples/databases -p test_web.py
    python -m unittest_leakfix --max-connections 5 discover -f -s examples/databases -p test_web.py
    python -m unittest_leakfix --leaks=report discover -k page_0 -s examples/databases -p test_web.py

With fewer than 40 connections to be had (``SET GLOBAL max_connections = 20``) the first ends in
``Too many connections``, for whichever page comes then. The second stops at the sixth page and says
what holds the five. The third says for every page's connection which thread holds it.
"""  # noqa: E501 (a command stands in one line)

import http.client
import http.server
import os
import threading
import traceback
import unittest

try:
    import pymysql
except ImportError:
    raise unittest.SkipTest("PyMySQL is missing: pip install PyMySQL")

if "MYSQL_HOST" not in os.environ:
    raise unittest.SkipTest("no server is named: set MYSQL_HOST (and MYSQL_PORT, MYSQL_USER, "
                            "MYSQL_PASSWORD, MYSQL_DATABASE)")

OF_THREAD = threading.local()
BROWSERS = []       # a browser keeps its connection, and so the server keeps the browser's thread


def connection():
    """One connection for each thread, as Django and Flask extensions have it."""
    if not hasattr(OF_THREAD, "db"):
        OF_THREAD.db = pymysql.connect(
            host=os.environ["MYSQL_HOST"],
            port=int(os.environ.get("MYSQL_PORT", "3306")),
            user=os.environ.get("MYSQL_USER", "root"),
            password=os.environ.get("MYSQL_PASSWORD", ""),
            database=os.environ.get("MYSQL_DATABASE"))
    return OF_THREAD.db


class Page(http.server.BaseHTTPRequestHandler):
    """The application."""

    protocol_version = "HTTP/1.1"    # with keep-alive

    def do_GET(self):
        try:
            with connection().cursor() as cursor:
                cursor.execute("SELECT %s", (self.path,))
                self.answer(200, cursor.fetchone()[0])
        except Exception:
            self.answer(500, traceback.format_exc())

    # A finish() that closes the thread's connection would mend it, with browsers that are closed.

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class PageTests(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
        threading.Thread(target=cls.server.serve_forever, args=(0.01,), daemon=True).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()
        cls.server.server_close()

    def check(self, path):
        BROWSERS.append(http.client.HTTPConnection(*self.server.server_address, timeout=10))
        BROWSERS[-1].request("GET", path)
        answer = BROWSERS[-1].getresponse()
        text = answer.read().decode()
        self.assertEqual(answer.status, 200, text)
        self.assertEqual(text, path)


for number in range(40):
    setattr(PageTests, "test_page_%02d" % number,
            lambda self, number=number: self.check("/page/%d" % number))


if __name__ == "__main__":
    unittest.main()
