"""examples/django on real servers: under Django's own runner each story fails, under ours it passes
and is reported."""
from __future__ import annotations

import re
import unittest

from tests.integration.django_runner.django_shop import (
    DATABASE,
    DESTROYING,
    OURS,
    OnMariaDB,
    OnPostgreSQL,
    line_of,
)
from tests.tiers import NEWEST, OLDEST, full_on, nightly

MIRROR = ("unittest_leakfix: the aliases 'default' and 'replica' are the same test database, "
          "test_shop: "
          "DATABASES['replica'][\"TEST\"] = {\"MIRROR\": 'default'}\n")
IN_YOUR_CODE = ("in your code: end the thread with the test, self.addCleanup(thread.join); "
                "connections.close_all() at the end of the thread's work\n")
DROP = """\
unittest_leakfix: closed the connection 'replica' to "test_shop", which was opened in \
shop.tests.test_replica.ReportTests.test_report at shop/tests/test_replica.py:{replica} in test_report
unittest_leakfix: before it is destroyed, 5 sessions on "test_shop", PostgreSQL N: N of N connections in use

  id user client state for
  ID leakfix 127.0.0.1:PORT idle N s
      SELECT COUNT(*) AS "__count" FROM "shop_order"
      held by pid N: python CUT
      opened by shop.tests.test_thread.OrderTests.test_worker, thread 'worker' (still running),
          shop/tests/test_thread.py:{worker} in worker
  ID leakfix 127.0.0.1:PORT idle N s
      SELECT set_config('TimeZone', 'UTC', false)
      held by pid N: python CUT
"""  # noqa: E501
DROP += """\
  ID leakfix 127.0.0.1:PORT idle N s
      SELECT COUNT(*) AS "__count" FROM "shop_order"
      held by pid N: python CUT
      opened by shop.tests.test_audit.AuditTests.test_audits, thread 'audit' (still running),
          shop/views.py:{audit} in go_on_auditing
""" * 3 + """
ended 5 sessions on "test_shop": ID, ID, ID, ID, ID
""" + IN_YOUR_CODE + DESTROYING
CLOSED = """\
unittest_leakfix: closed 40 connections of threads that were over
  20 x connection 'default' to leakfix@127.0.0.1/test_shop
      opened at django/db/models/manager.py:N in manager_method, in thread counter_0
      in shop.tests.test_finished_threads.OrderTests.test_count_00 and 19 others
  20 x connection 'default' to leakfix@127.0.0.1/test_shop
      opened at shop/views.py:{view} in look_over, in thread look-over
      in shop.tests.test_checkout.CheckoutTests.test_checkout_00 and 19 others
in your code: connections.close_all() at the end of the thread's work
"""
FULL = ("finished_threads", "pages", "checkout", "failing")
LEFT = ("thread", "process", "replica", "audit")


class Drop(OnPostgreSQL):
    """Sessions that keep the test database: a thread, another process, a second alias, threads of a
    view."""

    @full_on(NEWEST)
    def test_plain(self):
        status, printed = self.manage(*self.labels(*LEFT), SHOP_REPLICA=self.server.host)
        self.assertEqual(status, 1, printed)
        self.assertRegex(printed, r"Ran 5 tests in .*\n\nOK\n")
        self.assertIn('database "test_shop" is being accessed by other users', printed)
        self.assertIn("There are 6 other sessions using the database.", printed)
        self.assertEqual(self.databases(), [DATABASE])

    @full_on(OLDEST, NEWEST)
    def test_ours(self):
        status, printed = self.manage(*OURS, "--leaks=report", *self.labels(*LEFT),
                                   SHOP_REPLICA=self.server.host)
        self.assertEqual(status, 0, printed)
        self.assertRegex(printed, r"Ran 5 tests in .*\n\nOK\n")
        self.assertEqual(printed.count(MIRROR), 1, printed)
        lines = {"replica": line_of("shop/tests/test_replica.py", 'using("replica")'),
                 "worker": line_of("shop/tests/test_thread.py", "Order.objects.count()"),
                 "audit": line_of("shop/views.py", "    Order.objects.count()\n")}
        reported, _, end = self.ended(printed).partition("unittest_leakfix: closed")
        self.assertEqual("unittest_leakfix: closed" + end, DROP.format(**lines))
        self.assertEqual(self.databases(), [])
        self.assertIn("connection 'default' to leakfix@127.0.0.1:PORT/test_shop was left open",
                      reported)
        self.assertRegex(reported,
                         r"opened by OrderTests.test_worker shop/tests/test_thread.py:%(worker)d "
                         r"in worker" % lines)
        self.assertIn("    in thread worker (still running)\n", reported)
        self.assertRegex(reported,
                         r"opened by AuditTests.test_audits shop/views.py:%(audit)d in "
                         r"go_on_auditing" % lines)

    @nightly
    def test_not_ended(self):
        status, printed = self.manage(*OURS, *self.labels("thread"), SHOP_TERMINATE="no")
        self.assertEqual(status, 1, printed)
        self.assertIn(
            "shop.tests.test_thread.OrderTests.test_worker, thread 'worker' (still running),",
            printed)
        self.assertIn("\nnot ended: LEAKFIX_TERMINATE_SESSIONS is False\n", printed)
        self.assertIn('database "test_shop" is being accessed by other users', printed)
        self.assertEqual(self.databases(), [DATABASE])

    @nightly
    def test_superusers_session(self):
        status, printed = self.manage(*OURS, *self.labels("process", "thread"),
                                   SHOP_REPORT_USER=self.server.admin)
        self.assertEqual(status, 1, printed)
        self.assertRegex(printed, r"\nended 1 session on \"test_shop\": \d+\n")
        self.assertRegex(printed,
                         r"\ncould not end session \d+ \(leakfix_admin\): it is a superuser's, "
                               r"and only a superuser may end it: connect as one\n")
        self.assertIn('database "test_shop" is being accessed by other users', printed)

    @nightly
    def test_another_name_of_the_server(self):
        for runner in (), OURS:
            status, printed = self.manage(*runner, *self.labels("replica"),
                                          SHOP_REPLICA="localhost")
            self.assertEqual(status, 2, printed)
            self.assertIn("Got an error recreating the test database", printed)
            self.assertEqual(MIRROR in printed, runner == OURS, printed)

    @full_on(NEWEST)
    def test_pool(self):
        if self.django < (5, 1):
            self.skipTest("pools came with Django 5.1")
        status, printed = self.manage(*OURS, "--leaks=report", *self.labels("replica", "thread"),
                                   SHOP_POOL="1",
                                   SHOP_REPLICA=self.server.host)
        self.assertEqual(status, 0, printed)
        self.assertEqual(self.databases(), [])
        self.assertIn("unittest_leakfix: closed the pool of 'replica' on \"test_shop\"\n", printed)
        self.assertIn("LEAKS  2 causes in 1 of 3 tests: 1 connection, 1 thread\n", printed)
        self.assertRegex(printed, r"\nended 1 session on ")

    @nightly
    def test_pool_plain(self):
        if self.django < (5, 1):
            self.skipTest("pools came with Django 5.1")
        status, printed = self.manage(*self.labels("replica"), SHOP_POOL="1",
                                   SHOP_REPLICA=self.server.host)
        self.assertEqual(status, 1, printed)
        self.assertIn('database "test_shop" is being accessed by other users', printed)

    @nightly
    def test_parallel(self):
        status, printed = self.manage(*OURS, "--parallel=2",
                                   *self.labels("thread", "process", "audit"))
        self.assertEqual(status, 0, printed)
        self.assertEqual(self.databases(), [])

    @full_on(NEWEST)
    def test_busy(self):
        status, printed = self.manage(*OURS, *self.labels("busy"))
        self.assertEqual(status, 0, printed)
        self.assertEqual(self.databases(), [])
        ended = self.ended(printed)
        self.assertIn("SELECT PG_SLEEP(60)\n", ended)
        for thread in "long-query", "come-again":
            self.assertIn("thread '%s' (still running)" % thread, ended)
        self.assertRegex(ended, r"\nended [2-9] sessions on \"test_shop\": ")

    @nightly
    def test_kept(self):
        status, printed = self.manage(*OURS, "--keepdb", *self.labels("thread"))
        self.assertEqual(status, 0, printed)
        self.assertNotIn("unittest_leakfix: before", printed)
        self.assertEqual(self.databases(), [DATABASE])


class Full:
    """The server admits no more: finished threads, keep-alive clients, threads of a view, failing
    tests."""

    printed_full = ""

    def test_plain(self):
        status, printed = self.manage(*self.labels(*FULL), SHOP_CONN_MAX_AGE="60")
        self.assertEqual(status, 1, printed)
        self.assertIn(self.printed_full, printed)
        for name in "test_count_19", "test_orders_19":
            self.assertRegex(printed, r"(?m)^(ERROR|FAIL): %s " % name)

    def test_ours(self):
        status, printed = self.manage(*OURS, *self.labels(*FULL), SHOP_CONN_MAX_AGE="60")
        self.assertEqual(status, 1, printed)
        self.assertRegex(printed, r"Ran 80 tests in .*\n\nFAILED \(failures=20\)\n")
        self.assertEqual(printed.count("AssertionError: the report is not written yet"), 20,
                         printed)
        self.assertNotIn(self.printed_full, printed)
        ended = re.sub(r"(manager.py:)\d+", r"\1N", self.ended(printed).replace(":PORT", ""))
        # Nobody waits for the view's thread: it may open its connection when the test is over.
        ended = re.sub(r"(test_checkout_0)\d and \d+", r"\g<1>0 and 19", ended)
        self.assertEqual(ended.partition("unittest_leakfix: closed")[2], (
            CLOSED.format(view=line_of("shop/views.py", "update(number=2)")) + DESTROYING
        ).partition("unittest_leakfix: closed")[2])
        self.assertEqual(self.databases(), [])


@full_on(OLDEST)
class FullPostgreSQL(Full, OnPostgreSQL):
    """PostgreSQL says that the remaining slots are reserved, or "sorry, too many clients
    already"."""

    printed_full = "remaining connection slots are reserved"


@full_on(OLDEST)
class FullMariaDB(Full, OnMariaDB):
    """MariaDB says "Too many connections"."""

    printed_full = "Too many connections"


if __name__ == "__main__":
    unittest.main()
