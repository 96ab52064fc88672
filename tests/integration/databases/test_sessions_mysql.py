"""What only MySQL and MariaDB have: their transactions and privileges."""
from __future__ import annotations

from tests.integration.databases.session_case import MYSQL_DRIVERS, MySQL, each_driver
from unittest_leakfix.databases import mysql
from unittest_leakfix.databases.server_sessions import MissingPrivilege


class MySQLOnly:
    """Over each driver."""

    def test_transactions(self):
        writer, watcher = self.connect(autocommit=False), self.connect(admin=True)
        self.run_sql(watcher,
                     "CREATE TABLE %s.orders (id INT) ENGINE=InnoDB" % self.server.database)
        self.addCleanup(lambda: self.run_sql(self.root(), "DROP TABLE leakfix.orders"))
        self.run_sql(writer, "INSERT INTO orders VALUES (1)")
        # InnoDB shows its list anew when nobody has looked for 0.1 s.
        self.until(lambda: [each.state for each in mysql.sessions(watcher, self.server.database)],
                   lambda seen: seen == ["idle in transaction"], every=0.15)
        # Asked over the very connection that has the transaction: it goes on as it was.
        self.connect()
        mysql.sessions(writer, self.server.database)
        mysql.terminate_sessions(writer, self.server.database)
        writer.rollback()
        self.assertEqual(self.run_sql(watcher, "SELECT * FROM leakfix.orders"), [])
        mysql.sessions(writer)
        self.assertEqual(self.run_sql(writer, "SELECT @@in_transaction"), [(0,)])

    def test_unprivileged(self):
        self.connect(admin=True)
        plain = self.connect()
        found = mysql.sessions(plain)
        self.assertEqual(found.notes, (
            "'leakfix'@'%' sees its own sessions only, and no open transactions; to see all: "
            "GRANT PROCESS ON *.* TO 'leakfix'@'%'",))
        self.assertEqual(found.sessions, ())

    def test_missing_privilege(self):
        admin = self.connect(admin=True)
        self.run_sql(self.root(), "GRANT PROCESS ON *.* TO '%s'@'%%'" % self.server.user)
        self.addCleanup(lambda: self.run_sql(self.root(), "REVOKE PROCESS ON *.* FROM leakfix@'%'"))
        plain, ours = self.connect(), self.connect()
        ended = mysql.terminate_sessions(ours, self.server.database)
        self.assertEqual([each.id for each in ended.ended], [self.id_of_gone(plain, ended)])
        self.assertEqual([type(each.error) for each in ended.refused], [MissingPrivilege])
        self.assertEqual(self.shown(ended).splitlines()[1:], [
            "could not end session %d (leakfix_admin): it is another account's: "
            "GRANT CONNECTION ADMIN ON *.* TO 'leakfix'@'%%'" % self.id_of(admin)])
        self.assertFalse(ended.complete)
        self.assertTrue(self.alive(admin))

    def id_of_gone(self, connection, ended):
        self.assertFalse(self.alive(connection))
        return ended.ended[0].id

    def test_blanks_at_the_end(self):
        other, ours = self.connect(), self.connect(admin=True)
        self.assertEqual(mysql.terminate_sessions(ours, self.server.database + " ").ended, ())
        self.assertTrue(self.alive(other))


globals().update(each_driver(MySQLOnly, MySQL, *MYSQL_DRIVERS))
