"""More of examples/django: what waits for a transaction, the API under Schemathesis, and the shop
without a server."""
from __future__ import annotations

import os
import re
import unittest

from tests.integration.django_runner.django_shop import (
    DESTROYING,
    FOLDER,
    OURS,
    OnMariaDB,
    OnPostgreSQL,
    ShopCase,
    line_of,
    without_what_varies,
)
from tests.tiers import NEWEST, OLDEST, full_on, nightly

FLUSH = """\
unittest_leakfix: OrderTests.test_worker is over, and its flush has waited 1 s for 1 session on "test_shop", \
{server} N: N of N connections in use

  id user client state for
  ID leakfix 127.0.0.1:PORT {state} N s
{statement}      held by pid N: python CUT
      opened by shop.tests.test_transaction.OrderTests.test_worker, thread 'worker' (still running),
          shop/tests/test_transaction.py:{line} in worker
{note}
ended 1 session on "test_shop": ID
in your code: end the transaction with the test, self.addCleanup(thread.join)
"""  # noqa: E501
NOTE = ("\nNote: 'leakfix'@'%' sees its own sessions only, and no open transactions; to see all: "
        "GRANT PROCESS ON *.* TO 'leakfix'@'%'\n")


class WaitsToFlush:
    """What is written of a flush that waits for the transaction of a thread."""

    def flushes(self, **printed):
        status, output = self.manage(*OURS, *self.labels("transaction"), SHOP_PATIENCE="1")
        self.assertEqual(status, 0, output)
        self.assertEqual(self.databases(), [])
        reported = without_what_varies(output).partition("unittest_leakfix: ")
        self.assertEqual((reported[1] + reported[2]).partition("\n\n---")[0] + "\n", FLUSH.format(
            line=line_of("shop/tests/test_transaction.py", "with transaction.atomic()"), **printed))


class Flush(WaitsToFlush, OnPostgreSQL):
    """The flush after a test, behind the transaction of a thread."""

    @nightly
    def test_plain(self):
        status, printed = self.manage(*self.labels("transaction"), patience=8)
        self.assertIsNone(status, printed)

    @full_on(OLDEST)
    def test_ours(self):
        self.flushes(
            server="PostgreSQL", state="idle in transaction", note="",
            statement="      INSERT INTO \"shop_order\" (\"item\", \"number\") VALUES ('tea', 1) "
                      "RETURNING "
                      "\"shop_order\".\"id\"\n")


class FlushMariaDB(WaitsToFlush, OnMariaDB):
    """The same on MariaDB; and the drop, which there waits for a transaction."""

    @full_on(NEWEST)
    def test_ours(self):
        self.flushes(
            server="MariaDB", state="idle", statement="", note=NOTE)

    @nightly
    def test_busy(self):
        status, printed = self.manage(*OURS, *self.labels("busy"))
        self.assertEqual(status, 0, printed)
        self.assertEqual(self.databases(), [])

    @nightly
    def test_drop_plain(self):
        status, printed = self.manage(*self.labels("open_transaction"), patience=8)
        self.assertIsNone(status, printed)
        self.assertTrue(printed.endswith("\nOK\n" + DESTROYING), printed)

    @full_on(NEWEST)
    def test_drop(self):
        status, printed = self.manage(*OURS, *self.labels("open_transaction"))
        self.assertEqual(status, 0, printed)
        self.assertEqual(self.databases(), [])
        self.assertIn("opened by shop.tests.test_open_transaction.OrderTests.test_worker, "
                      "thread 'worker' (still running),\n", printed)
        self.assertRegex(printed, r"\nended 1 session on \"test_shop\": \d+\n")


class Api(OnPostgreSQL):
    """Schemathesis with an open session for each case; channels' live server."""

    @full_on(NEWEST)
    def test_plain(self):
        self.needs("schemathesis")
        status, printed = self.manage(*self.labels("api"), SHOP_CONN_MAX_AGE="60")
        self.assertEqual(status, 1, printed)
        self.assertIn("remaining connection slots are reserved", printed)

    @full_on(NEWEST)
    def test_ours(self):
        self.needs("schemathesis")
        status, printed = self.manage(*OURS, *self.labels("api"), SHOP_CONN_MAX_AGE="60")
        self.assertEqual(status, 0, printed)
        self.assertEqual(self.databases(), [])
        self.assertEqual(self.ended(printed), DESTROYING)

    @full_on(NEWEST)
    def test_channels(self):
        self.needs("channels")
        status, printed = self.manage(*OURS, *self.labels("channels"), SHOP_CONN_MAX_AGE="60")
        self.assertEqual(status, 0, printed)
        self.assertEqual(self.databases(), [])
        self.assertEqual(self.ended(printed), DESTROYING)

    def needs(self, name):
        try:
            __import__(name)
        except ImportError:
            self.skipTest("%s is missing" % name)


@full_on(OLDEST)
class WithoutServers(ShopCase):
    """Where no server is named, the shop's tests run on SQLite in memory, which threads share in
    live servers."""

    def test_same_verdicts(self):
        names = self.labels("thread", "pages", "replica", "finished_threads", "audit", "process")
        printed = [self.manage(*runner, "-v2", *names, SHOP_CONN_MAX_AGE="60")
                for runner in ((), OURS + ("--leaks=report",))]
        verdicts = [(status, re.findall(r"(?m)^(test_\w+ \(.*?\)) \.\.\. (\w+)", text))
                    for status, text in printed]
        self.assertEqual(verdicts[0], verdicts[1])
        self.assertEqual(len(verdicts[0][1]), 45, printed[0][1])
        leaks = re.findall(r"(?m)^\[\d+\] (thread|\w+ \w+) [\"']([^\"'(]*\w)", printed[1][1])
        self.assertEqual([(kind, name) for kind, name in leaks if kind == "thread"],
                         [("thread", "Thread-2"), ("thread", "audit"), ("thread", "worker")],
                         printed[1][1])
        self.assertEqual([kind for kind, name in leaks], ["thread"] * 3 + ["child process"],
                         printed[1][1])
        self.assertIn("close the client: it keeps the server waiting for one more request",
                      printed[1][1])

    def test_readme_names_each(self):
        with open(os.path.join(FOLDER, "README.md"), encoding="utf-8") as source:
            text = source.read()
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            self.assertTrue(os.path.exists(os.path.join(FOLDER, target)), target)
        tests = [name for name in os.listdir(os.path.join(FOLDER, "shop", "tests"))
                 if name.startswith("test_")]
        self.assertEqual([name for name in sorted(tests) if "](shop/tests/%s)" % name not in text],
                         [])


if __name__ == "__main__":
    unittest.main()
