"""An end to the sessions on one database, on real servers, over each driver."""
from __future__ import annotations

from dataclasses import replace

from tests.integration.databases.session_case import (
    MYSQL_DRIVERS,
    POSTGRESQL_DRIVERS,
    MySQL,
    PostgreSQL,
    each_driver,
)

WEIRD = """we"ird`%na'me;\\ %s é☃"""


class Ending:
    """An end to those of one database."""

    def test_only_that_database_and_not_those_kept(self):
        other = self.connect(database=self.database("other"))
        alike = self.connect(database=self.database(self.server.database.upper()))
        left, kept, ours = self.connect(), self.connect(), self.connect(admin=True)
        ids = [self.id_of(each) for each in (left, kept)]
        ended = self.kind.module.terminate_sessions(ours, self.server.database, keep=[ids[1]])
        self.assertEqual([each.id for each in ended.ended], ids[:1])
        self.assertEqual(self.shown(ended), 'ended 1 session on "leakfix": %d' % ids[0])
        self.assertEqual([self.alive(each) for each in (left, kept, ours, other, alike)],
                         [False, True, True, True, True])

    def test_kept_by_value_and_nothing_but_only(self):
        kept, left, ours = self.connect(), self.connect(), self.connect(admin=True)
        found = self.server_on(ours).look(self.server.database).sessions
        first = [each for each in found if each.id == self.id_of(kept)]
        late = self.connect()
        ended = self.kind.module.terminate_sessions(ours, self.server.database, keep=first,
                                                    only=found)
        self.assertEqual([each.id for each in ended.ended],
                         [each.id for each in found if each not in first])
        self.assertEqual([self.alive(each) for each in (kept, left, late)], [True, False, True])

    def test_names_are_names(self):
        name = self.database(WEIRD)
        plain, weird = self.connect(), self.connect(admin=True, database=name)
        ended = self.kind.module.terminate_sessions(self.connect(admin=True), name)
        self.assertEqual([each.database for each in ended.ended], [name])
        self.assertEqual([self.alive(each) for each in (plain, weird)], [True, False])

    def test_no_name(self):
        ours, other = self.connect(admin=True), self.connect()
        for wrong in ("", "  ", None, 7, b"leakfix"):
            with self.assertRaises(ValueError):
                self.kind.module.terminate_sessions(ours, wrong)
        with self.assertRaises(TypeError):
            self.kind.module.terminate_sessions(ours, self.server.database, keep=["1"])
        self.assertTrue(self.alive(other))

    def test_in_the_middle_of_a_query(self):
        busy, ours = self.connect(), self.connect(admin=True)
        thread, errors = self.in_thread(busy, self.kind.sleep)
        self.until(lambda: [each.state[:6] for each in
                            self.server_on(ours).look(self.server.database)],
                   lambda seen: seen == ["active"])
        ended = self.kind.module.terminate_sessions(ours, self.server.database)
        self.assertEqual((len(ended.ended), ended.complete), (1, True))
        thread.join(10)
        self.assertEqual(len(errors), 1)

    def test_gone_already(self):
        closed, ours = self.connect(), self.connect(admin=True)
        found, = self.server_on(ours).look(self.server.database)
        closed.close()
        self.until(lambda: len(self.server_on(ours).look(self.server.database)),
                   lambda seen: not seen)
        self.assertFalse(self.server_on(ours).end(found))
        self.assertEqual(self.server_on(ours).wait(self.server.database, [found], 0), ())

    def test_another_session_with_the_same_id(self):
        # Looked at before, and since then another client's, or on another database.
        mine, ours = self.connect(), self.connect(admin=True)
        found, = self.server_on(ours).look(self.server.database)
        before = {"mysql": {"client_port": 1},
                  "postgresql": {"started": "2001-01-01 00:00:00.000000"}}
        for change in (before[self.kind.dialect], {"database": "other"}):
            self.assertFalse(self.server_on(ours).end(replace(found, **change)))
        self.assertTrue(self.alive(mine))
        self.assertEqual(self.kind.module.terminate_sessions(
            ours, self.server.database, only=[replace(found, **change)]).ended, ())
        self.assertTrue(self.alive(mine))

    def test_never_its_own(self):
        ours = self.connect(admin=True)
        found = self.server_on(self.connect(admin=True)).look(self.server.database)
        mine = [each for each in found if each.id == self.id_of(ours)][0]
        self.assertFalse(self.server_on(ours).end(mine))
        self.assertTrue(self.alive(ours))


globals().update(each_driver(Ending, MySQL, *MYSQL_DRIVERS))
globals().update(each_driver(Ending, PostgreSQL, *POSTGRESQL_DRIVERS))
