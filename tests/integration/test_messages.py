"""The pages of docs/messages: each is followed by the letter, in a folder of its own, in an
environment in which the package is installed, and prints what it shows.

A page's blocks of Python are files (the name stands before each); a line after ``$`` is typed, and
what follows it is compared, apart from times; ``...`` stands for any lines or the rest of one.
"""

from __future__ import absolute_import

import glob
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

from tests.support import servers, servers_postgresql
from tests.support.installed import Environment
from tests.support.paths import ROOT

FOLDER = os.path.join(ROOT, "docs", "messages")
BLOCK = re.compile(r"(?:`(\w+\.py)`:\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECONDS = re.compile(r"\d+\.\d+ ?s\b")
WITHOUT_SERVER = ("event-loop-is-closed", "memory-grows", "passes-alone", "resource-warning",
                  "task-destroyed")


def page(name):
    with io.open(os.path.join(FOLDER, name + ".md"), encoding="utf-8") as file:
        return file.read()


def commands(text):
    """Yield each command of a console block with what it should print."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, printed = part.partition("\n")
        yield command, printed


def expected(text):
    """Return the expression that matches the printed *text*."""
    parts = [re.escape(part) for part in SECONDS.sub("N s", text.strip()).split("...")]
    return ".*?".join(parts) + r"\s*\Z"


class MessagesTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.environment = Environment()
        cls.addClassCleanup(cls.environment.remove)

    def follow(self, name, folder=None, between=lambda: None, **variables):
        """Do what the page of that *name* says; call *between* before each command."""
        if folder is None:
            folder = os.path.realpath(tempfile.mkdtemp())
            self.addCleanup(shutil.rmtree, folder)
        for target, language, text in BLOCK.findall(page(name)):
            if language == "python":
                self.assertTrue(target, "a block without the name of its file: " + text)
                with io.open(os.path.join(folder, target), "w", encoding="utf-8") as file:
                    file.write(text)
                continue
            self.assertEqual(language, "console", text)
            for command, printed in commands(text):
                between()
                child = subprocess.Popen(
                    command, shell=True, cwd=folder, stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                    env=dict(self.environment.variables, PYTHONIOENCODING="utf-8", **variables))
                got = SECONDS.sub("N s", child.communicate()[0].decode("utf-8"))
                if not re.match(expected(printed), got.strip(), re.DOTALL):
                    self.assertEqual(got, printed, "%s: $ %s" % (name, command))

    def test_every_page_is_followed_here(self):
        pages = [os.path.basename(path)[:-3] for path in glob.glob(os.path.join(FOLDER, "*.md"))]
        self.assertEqual(sorted(pages), sorted(
            WITHOUT_SERVER + ("too-many-connections", "accessed-by-other-users")))

    def test_each_fits_a_screen_or_two(self):
        for name in WITHOUT_SERVER:
            self.assertLess(len(page(name).splitlines()), 90, name)

    def test_too_many_connections(self):
        try:
            import pymysql  # noqa: F401
        except ImportError:
            self.skipTest("needs PyMySQL")
        server = servers.fresh()    # admits 20, and has no tables
        self.addCleanup(server.stop)
        folder = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        with open(os.path.join(folder, "settings.py"), "w") as file:
            file.write("DATABASE = %r\n" % (server.settings(),))
        administrator = servers.administrator(server)
        self.addCleanup(administrator.close)

        def idle():
            """Wait until the server has noticed that a process with connections is gone."""
            cursor = administrator.cursor()
            for _ in range(600):
                if cursor.execute("SHOW PROCESSLIST") == 1:
                    break
                time.sleep(0.1)

        self.follow("too-many-connections", folder, idle)

    def test_accessed_by_other_users(self):
        try:
            import django  # noqa: F401
            import psycopg  # noqa: F401
        except ImportError as error:
            self.skipTest("needs %s" % error)
        server = servers_postgresql.postgresql()
        servers_postgresql.administrator(server, "psycopg").close()     # it may make databases now
        settings = server.settings()
        folder = os.path.join(os.path.realpath(tempfile.mkdtemp()), "django")
        self.addCleanup(shutil.rmtree, os.path.dirname(folder))
        shutil.copytree(os.path.join(ROOT, "examples", "django"), folder)
        self.follow("accessed-by-other-users", folder, SHOP_ENGINE="postgresql",
                    SHOP_HOST=settings["host"], SHOP_PORT=str(settings["port"]),
                    SHOP_USER=settings["user"], SHOP_PASSWORD=settings["password"])


def _one(name):
    def test(self):
        self.follow(name)
    return test


for _name in WITHOUT_SERVER:
    setattr(MessagesTest, "test_" + _name.replace("-", "_"), _one(_name))


if sys.version_info < (3, 8):
    del MessagesTest    # finding is for 3.8 and later

if __name__ == "__main__":
    unittest.main()
