"""Who blocks whom: a session that waits for a lock is shown with the one that holds it."""
from __future__ import annotations

import time
import unittest

from tests.integration.databases.session_case import (
    MYSQL_DRIVERS,
    POSTGRESQL_DRIVERS,
    MySQL,
    PostgreSQL,
    each_driver,
)
from unittest_leakfix.databases.server_sessions import Session, Sessions, table


class Waiting:
    """Over each driver: a row, a table, and a DROP of that."""

    def held(self, statement, waits):
        """Return the sessions of who holds and of who waits, while *waits* waits."""
        admin = self.connect(admin=True)
        self.addCleanup(self.run_sql, admin, "DROP TABLE waited")
        self.run_sql(admin, "CREATE TABLE waited (id INT PRIMARY KEY)"
                     + (" ENGINE=InnoDB" if self.kind is MySQL else ""))
        self.run_sql(admin, "GRANT ALL ON waited TO %s" % self.server.user
                     if self.kind is PostgreSQL else "INSERT INTO waited VALUES (8)")
        if self.kind is PostgreSQL:
            self.run_sql(admin, "INSERT INTO waited VALUES (8)")
            self.run_sql(admin, "ALTER TABLE waited OWNER TO %s" % self.server.user)
        holder, waiter = self.connect(autocommit=False), self.connect()
        holds, wanted = self.id_of(holder), self.id_of(waiter)
        self.run_sql(holder, statement)
        self.in_thread(waiter, waits)
        self.addCleanup(holder.rollback)

        def look():
            # InnoDB reads its tables of transactions anew only where nobody has for 0.1 seconds.
            time.sleep(0.2)
            found = {each.id: each
                     for each in self.kind.module.sessions(admin, self.server.database)}
            return found[holds], found[wanted], found.values()
        return self.until(look, lambda seen: seen[1].waits_for)

    def proven(self, statement, waits, guess=False):
        holder, waiter, every = self.held(statement, waits)
        self.assertEqual((holder.id,), waiter.waits_for)
        self.assertEqual((True, guess, False),
                         (waiter.waits, waiter.is_guess, holder.waits), every)
        self.assertIsNotNone(holder.transaction)
        text = self.shown(Sessions(tuple(every)))
        self.assertIn("waits for %ssession %d" % ("perhaps " * guess, holder.id), text)
        self.assertIn("in the way of session %d: its transaction began " % waiter.id, text)

    def test_row(self):
        self.proven("UPDATE waited SET id = 9", "UPDATE waited SET id = 7 WHERE id = 8")

    def test_drop(self):
        self.proven("SELECT * FROM waited", "ALTER TABLE waited ADD name INT",
                    guess=self.kind is MySQL)

    def test_truncate(self):
        self.proven("SELECT * FROM waited", "TRUNCATE TABLE waited", guess=self.kind is MySQL)



class TextTest(unittest.TestCase):
    def test_of_who_waits(self):
        holder = Session(17, "app", database="shop", state="idle in transaction",
                         transaction=7300.0)
        one = Session(18, "app", database="shop", state="active: waiting for a lock", waits=True,
                      waits_for=(17,))
        for session, text in ((one, "waits for session 17"),
                              (Session(18, waits=True, waits_for=(17, 19)),
                               "waits for sessions 17, 19"),
                              (Session(18, waits=True, waits_for=(17,), is_guess=True),
                               "waits for perhaps session 17"),
                              (Session(18, waits=True, waits_for=(17, 19), is_guess=True),
                               "waits for one of the sessions 17, 19"),
                              (Session(18, waits=True, waits_for=(0,)),
                               "waits for a prepared transaction")):
            with self.subTest(text):
                self.assertEqual(text, table(Sessions((session,))).splitlines()[-1].strip())
        lines = [line.strip() for line in table(Sessions((holder, one))).splitlines()]
        self.assertIn("is in the way of session 18: its transaction began 2 h ago", lines)


globals().update(each_driver(Waiting, PostgreSQL, *POSTGRESQL_DRIVERS),
                 **each_driver(Waiting, MySQL, *MYSQL_DRIVERS))
del Waiting
