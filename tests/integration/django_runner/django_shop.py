"""examples/django for its tests: a server for it, its commands, and its output without what
varies."""
from __future__ import annotations

import os
import re
import subprocess
import sys
import unittest

from tests.support import servers, servers_postgresql
from tests.support.paths import ROOT

FOLDER = os.path.join(ROOT, "examples", "django")
OURS = ("--testrunner", "unittest_leakfix.django.LeakFixDiscoverRunner")
DATABASE = "test_shop"
DESTROYING = "Destroying test database for alias 'default'...\n"
_VARIES = (
    (r"(MariaDB|PostgreSQL) [0-9.]+: \d+ of \d+", r"\1 N: N of N"),
    (r"(127\.0\.0\.1:|localhost:)\d+", r"\1PORT"),
    (r"\b\d+ s$", "N s"), (r"pid \d+: python\S* .*", "pid N: python CUT"),
    (r"^  \d+ (?!x )", "  ID "),
    (r"(?<=: |, )\d+(?=, |$)", "ID"), (r"(?<=could not end session )\d+", "ID"),
    (r"^ +(?=held|opened|SELECT|INSERT|ROLLBACK)", "      "),
    (r"^ +(?=shop/)", "          "), (r"(?<=\S) +", " "),
)


def without_what_varies(text):
    """The output without ports, ids, versions and the widths of columns."""
    for found, shown in _VARIES:
        text = re.sub("(?m)" + found, shown, text)
    return text


def line_of(path, text):
    """The number of the one line of an example that has the text in it."""
    with open(os.path.join(FOLDER, path), encoding="utf-8") as source:
        number, = [number for number, line in enumerate(source, 1) if text in line]
    return number


def started(fresh):
    """A server for the classes of one module, made by *fresh*: counts of sessions want one that
    nothing else is on."""
    if fresh not in _started:
        _started[fresh] = fresh()
        unittest.addModuleCleanup(lambda: _started.pop(fresh).stop())
    return _started[fresh]


_started = {}


class ShopCase(unittest.TestCase):
    """A test that runs the shop's tests in a child process, on a server of this class's own."""

    maxDiff = None
    engine = "sqlite3"
    server = None

    @classmethod
    def setUpClass(cls):
        try:
            import django
        except ImportError:
            raise unittest.SkipTest("Django is missing")
        cls.django = django.VERSION

    def environment(self):
        """What the shop's settings read."""
        shop = {"SHOP_ENGINE": self.engine}
        if self.server is not None:
            shop.update(SHOP_HOST=self.server.host, SHOP_PORT=str(self.server.port),
                        SHOP_USER=self.server.user,
                        SHOP_PASSWORD=self.server.password)
        return shop

    def manage(self, *arguments, patience=120, **shop):
        """Run ``manage.py test``; return its status (None: it had to be killed) and its output."""
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith(("SHOP_", "DJANGO_", "PYTHON"))}
        environment.update(self.environment(), PYTHONPATH=ROOT, PYTHONUTF8="1",
                           PYTHONUNBUFFERED="1", **shop)
        child = subprocess.Popen([sys.executable, "manage.py", "test", "--noinput"]
                                 + list(arguments), cwd=FOLDER,
                                 env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            printed = child.communicate(timeout=patience)[0].decode("utf-8", "replace")
        except subprocess.TimeoutExpired:
            child.kill()
            return None, child.communicate()[0].decode("utf-8", "replace")
        if self.server is not None:
            self.assertNotIn(self.server.password, printed)
        return child.returncode, printed

    def labels(self, *names):
        """The labels of the shop's test modules."""
        return ["shop.tests.test_" + name for name in names]

    def ended(self, printed):
        """What was said between unittest's own result and the end, without what varies."""
        text = re.search(r"(?s)\nRan \d+ tests? in .*?\n\n(?:OK|FAILED)[^\n]*\n(.*)\Z", printed)
        self.assertIsNotNone(text, printed)
        return without_what_varies(text.group(1))


class OnPostgreSQL(ShopCase):
    """On a PostgreSQL that admits 20 connections, 3 of them for superusers only."""

    engine = "postgresql"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = started(servers_postgresql.fresh)
        cls.admin = servers_postgresql.administrator(cls.server, "psycopg")
        cls.addClassCleanup(cls.admin.close)

    def tearDown(self):
        for name in self.databases():
            self.admin.execute('DROP DATABASE "%s" WITH (FORCE)' % name)

    def databases(self):
        """The test databases that are there now."""
        found = self.admin.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE 'test%' ORDER BY 1")
        return [name for name, in found.fetchall()]


class OnMariaDB(ShopCase):
    """On a MariaDB that admits 20 connections."""

    engine = "mysql"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server = started(servers.fresh)
        cls.admin = servers.administrator(cls.server)
        cls.addClassCleanup(cls.admin.close)

    def tearDown(self):
        # What was killed in mid-DROP may be dropped yet.
        for number, in self.wanted(
                "SELECT id FROM information_schema.processlist WHERE db LIKE 'test%'"):
            self.wanted("KILL %d" % number)
        for name in self.databases():
            self.wanted("DROP DATABASE IF EXISTS `%s`" % name)

    @classmethod
    def wanted(cls, statement):
        """Run a statement as root; its rows."""
        with cls.admin.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()

    def databases(self):
        """The test databases that are there now."""
        return [name for name, in self.wanted("SHOW DATABASES LIKE 'test%'")]
