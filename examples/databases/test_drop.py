"""The tests of test_drop_fails.py with a mixin: the database is dropped, each session is named.

    export PGHOST=127.0.0.1 PGPORT=5432 PGUSER=shop PGPASSWORD=...
    python -m unittest_leakfix --leaks=report discover -s examples/databases -p test_drop.py

After the class its sessions are listed and ended: each with the test and the line that opened it,
or with the other process that holds it. Under plain unittest they are listed and ended as well;
which test opened them is known where finding is on.
"""

import orders

from unittest_leakfix.databases.session_mixins import PostgreSQLLeakFixMixin


def setUpModule():
    orders.on_the_server("DROP DATABASE IF EXISTS " + orders.DATABASE,
                         "CREATE DATABASE " + orders.DATABASE)


def tearDownModule():
    orders.on_the_server("DROP DATABASE " + orders.DATABASE)


class OrderTests(PostgreSQLLeakFixMixin, orders.OrderTests):
    leakfix_database = orders.DATABASE
    # leakfix_fail_on_sessions = True    would make them an error of the class
