"""What only PostgreSQL has: its transactions, privileges and socket files."""
from __future__ import annotations

from tests.integration.databases.session_case import POSTGRESQL_DRIVERS, PostgreSQL, each_driver
from unittest_leakfix.databases import postgresql
from unittest_leakfix.databases.server_sessions import MissingPrivilege


class PostgreSQLOnly:
    """Over each driver."""

    def test_transactions(self):
        writer, watcher = self.connect(autocommit=False), self.connect(admin=True)
        self.run_sql(writer, "CREATE TABLE orders (id INT)")
        found, = postgresql.sessions(watcher, self.server.database)
        self.assertEqual((found.state, found.statement),
                         ("idle in transaction", "CREATE TABLE orders (id INT)"))
        # Asked over the very connection that has the transaction: it goes on as it was, though
        # one session may not be ended.
        other = self.connect()
        self.assertEqual(len(postgresql.sessions(writer, self.server.database)), 2)
        ended = postgresql.terminate_sessions(writer, self.server.database)
        self.assertEqual((len(ended.ended), len(ended.refused)), (1, 1))
        self.assertFalse(self.alive(other))
        self.assertEqual(self.run_sql(writer, "SELECT count(*) FROM orders"), [(0,)])
        writer.rollback()
        with self.assertRaises(Exception):
            self.run_sql(writer, "SELECT count(*) FROM orders")
        with self.assertRaisesRegex(RuntimeError, "roll it back first"):
            postgresql.sessions(writer)

    def test_leaves_no_transaction(self):
        server_on = self.connect(autocommit=False)
        postgresql.sessions(server_on, self.server.database)
        self.assertEqual(int(server_on.info.transaction_status), 0)

    def test_sees_new_sessions_within_a_transaction(self):
        server_on = self.connect(autocommit=False)
        self.run_sql(server_on, "SELECT 1")
        self.assertEqual(len(postgresql.sessions(server_on, self.server.database)), 0)
        new = self.connect()
        self.assertEqual([each.id for each in postgresql.sessions(server_on, self.server.database)],
                         [self.id_of(new)])

    def test_unprivileged(self):
        admin, plain = self.connect(admin=True), self.connect()
        found = postgresql.sessions(plain, self.server.database)
        self.assertEqual(found.notes, (
            'leakfix sees little of other roles\' sessions; to see all: GRANT pg_read_all_stats TO '
            '"leakfix"',))
        self.assertEqual([(each.id, each.client, each.age, each.statement) for each in found],
                         [(self.id_of(admin), "?", None, "")])

    def test_missing_privilege(self):
        admin = self.connect(admin=True)
        self.run_sql(admin, "CREATE ROLE clerk LOGIN PASSWORD '%s'" % self.server.password)
        self.addCleanup(lambda: self.run_sql(self.connect(admin=True), "DROP ROLE clerk"))
        clerk, plain, ours = self.connect(user="clerk"), self.connect(), self.connect()
        ids = [self.id_of(each) for each in (admin, clerk, plain)]
        ended = postgresql.terminate_sessions(ours, self.server.database)
        self.assertEqual(self.shown(ended).splitlines(), [
            'ended 1 session on "leakfix": %d' % ids[2],
            "could not end session %d (leakfix_admin): it is a superuser's, and only a superuser "
            "may end it: "
            "connect as one" % ids[0],
            "could not end session %d (clerk): it is another role's: GRANT pg_signal_backend TO "
            "\"leakfix\"" % ids[1]])
        self.assertEqual([type(each.error) for each in ended.refused], [MissingPrivilege] * 2)
        # The GRANT that was named mends it.
        self.run_sql(admin, 'GRANT pg_signal_backend TO "leakfix"')
        ended = postgresql.terminate_sessions(ours, self.server.database)
        self.run_sql(admin, 'REVOKE pg_signal_backend FROM "leakfix"')
        self.assertEqual([each.id for each in ended.ended], [ids[1]])

    def test_socket_file_is_held_by(self):
        child = self.hold(host=self.server.socket)
        found, = postgresql.sessions(self.connect(admin=True), self.server.database)
        self.assertEqual((found.client, found.pid_here), ("socket file", child.pid))

    def test_database_can_be_dropped_afterwards(self):
        name = self.database("dropped")
        self.connect(database=name), self.connect(database=name)
        admin = self.connect(admin=True)
        postgresql.terminate_sessions(admin, name)
        self.run_sql(admin, "DROP DATABASE dropped")
        self.run_sql(admin, "CREATE DATABASE dropped")


globals().update(each_driver(PostgreSQLOnly, PostgreSQL, *POSTGRESQL_DRIVERS))
