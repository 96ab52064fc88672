"""The small parts of reports: names, figures, secrets, grouping, and what a stream can show."""

from __future__ import annotations

import io
import os
import unittest
from dataclasses import replace

from unittest_leakfix._core.redacted_source import redact_code
from unittest_leakfix._core.redaction import redact
from unittest_leakfix.leaks.model.ids import Names
from unittest_leakfix.leaks.model.kinds import amount, listed
from unittest_leakfix.leaks.model.leak import Findings, Known, Leak, group, merge
from unittest_leakfix.leaks.report.terminal import Style, cells, style_for


class WordTests(unittest.TestCase):
    def test_amounts(self):
        self.assertEqual(
            [
                amount(size)
                for size in (
                    1,
                    999,
                    1000,
                    1049,
                    99949,
                    99950,
                    310000,
                    999499,
                    999500,
                    12900000,
                    41200000,
                    5 * 10**9,
                    7 * 10**15,
                )
            ],
            [
                "1 B",
                "999 B",
                "1.0 kB",
                "1.0 kB",
                "99.9 kB",
                "100 kB",
                "310 kB",
                "999 kB",
                "1.0 MB",
                "12.9 MB",
                "41.2 MB",
                "5.0 GB",
                "7000 TB",
            ],
        )

    def test_listed_never_says_and_one_more(self):
        self.assertEqual(listed(list("abcd"), 3), list("abcd"))
        self.assertEqual(listed(list("abcde"), 3), ["a", "b", "c and 2 more"])

    def test_names(self):
        ids = [
            "a.b.CTests.test_x",
            "a.b.CTests.test_y (i=1.5)",
            "tests/t.py::DTests::test_z[1.5]",
            "setUpClass (a.b.CTests)",
            "setUpModule (a.b)",
            "e.FTests.test_x",
            "g.FTests.test_x",
        ]
        names = Names(ids)
        self.assertEqual(
            [names.short(test) for test in ids],
            [
                "CTests.test_x",
                "CTests.test_y (i=1.5)",
                "tests/t.py::DTests::test_z[1.5]",
                "CTests.setUpClass",
                "b.setUpModule",
                "e.FTests.test_x",
                "g.FTests.test_x",
            ],
        )
        self.assertEqual(names.owner(ids[1]), "CTests")
        self.assertEqual(names.method(ids[2]), "test_z")

    def test_cells(self):
        self.assertEqual([cells(text) for text in ("abc", "größe", "注文", "e\u0301")],
                         [3, 5, 4, 1])


class RedactTests(unittest.TestCase):
    def test_secrets(self):
        for text, expected in (
            ("mysql://shop:hunter2@db:3306/x", "mysql://shop:***@db:3306/x"),
            ("mysql://shop:hun/t@r2@db/x", "mysql://shop:***@db/x"),
            ("redis://:hunter2@db", "redis://:***@db"),
            ("host=db password=hunter2 user=x", "host=db password=*** user=x"),
            ("dbname=x password='a b\\'c' y=1", "dbname=x password=*** y=1"),
            ("{'password': 'hunter2', 'port': 1}", "{'password': ***, 'port': 1}"),
            ('{"api_key": "x", "AUTH_TOKEN": "y"}', '{"api_key": ***, "AUTH_TOKEN": ***}'),
            ("Authorization: Bearer abc.def", "Authorization: ***"),
            ("tool --password hunter2 --port 1", "tool --password *** --port 1"),
            ("tool --password=hunter2", "tool --password=***"),
            ("DB_PASSWORD=hunter2", "DB_PASSWORD=***"),
            ("https://h/x?token=abc&y=1", "https://h/x?token=***&y=1"),
            ("MYSQL_PWD=hunter2 mysql", "MYSQL_PWD=*** mysql"),
            ("PGPASSWORD='hunter2' psql", "PGPASSWORD=*** psql"),
            ("dbpassword=hunt(er2, x", "dbpassword=***, x"),
            ("user='a' password='a''hunter2' x", "user='a' password=*** x"),
            ("{'password': b'hunter2", "{'password': ***"),
            ("password => \"hunter2\", password == 'hunter2'", "password => ***, password == ***"),
            ('{\\"password\\": \\"hunter2\\"', '{\\"password\\": ***'),
            ("tool --db-password 'a hunter2' -x", "tool --db-password *** -x"),
            ("x-api-key: hunter2", "x-api-key: ***"),
            ("AWS_KEY=hunter2 key=hunter2", "AWS_KEY=*** key=***"),
        ):
            with self.subTest(text):
                self.assertEqual(redact(text), expected)
                self.assertEqual(redact(expected), expected)

    def test_what_is_no_secret_stays(self):
        for text in (
            "OrderTests.test_token was kept after it finished",
            "tests/test_password.py:20",
            "db@127.0.0.1:3306/shop",
            "http://127.0.0.1:8080/x",
            "shop.tokens['a'].secret",
            "monkey=1",
            "compass: north",
            "file '/tmp/secret' was left",
        ):
            with self.subTest(text):
                self.assertEqual(redact(text), text)

    def test_by_the_name_of_its_variable(self):
        for name in ("DB_PASSWORD", "PGPASSWORD", "MYSQL_PWD", "DB_PASS", "AWS_KEY"):
            self.assertEqual(redact("hunter2", name), "***", name)
        self.assertEqual(redact("/tmp", "OLDPWD"), "/tmp")
        leak = Leak(
            "environment",
            'environment variable "API_TOKEN" was changed',
            notes=(("was", "a"), ("is", "b"), ("so", "c")),
        )
        self.assertEqual(leak.notes, (("was", "***"), ("is", "***"), ("so", "c")))

    def test_code(self):
        self.assertEqual(
            redact_code("connect(password=self.password, token=make(), key='x')"),
            "connect(password=self.password, token=make(), key='x')",
        )
        self.assertEqual(
            redact_code("connect(password='hunter2', url='my://a:b@c')"),
            "connect(password=\"***\", url='my://a:***@c')",
        )


class MergeTests(unittest.TestCase):
    def test_group(self):
        one = Leak("file", "first", ("a",), 3, growth=1, cause="x")
        two = Leak("file", "other", ("c",), cause="y")
        three = Leak("file", "again", ("b", "a"), 4, growth=2, cause="x")
        self.assertEqual(group([one, two, three]),
                         [Leak("file", "first", ("a", "b"), 7, growth=3, cause="x"), two])

    def test_without_a_cause_the_headline_decides(self):
        self.assertEqual(len(group([Leak("file", "a"), Leak("file", "b"), Leak("socket", "a")])), 3)

    def test_merge(self):
        shared = Leak("file", "f", ("t1",), cause="f")
        known = Known(Leak("thread", "k", ("t1",), cause="k"), "why", "here")
        parts = [
            Findings((replace(shared, tests=("t3",)),), (), ("a", "b"), 3, (("t", "w"),), 5,
                     "gw10"),
            Findings((shared,), (known,), ("b", "a", "c"), 2, (), 0, "gw2"),
        ]
        merged = merge(parts)
        self.assertEqual(
            merged, Findings((replace(shared, tests=("t1", "t3"), notes=(
                ("in worker", "gw2, gw10"),)),), (known,), ("b", "a"), 5, (("t", "w"),), 5, "")
        )
        self.assertEqual(merge(parts[::-1]), merged)
        self.assertEqual(merge(parts[:1]), parts[0])
        self.assertEqual(merge([]), Findings())


class StyleTests(unittest.TestCase):
    class Terminal(io.StringIO):
        encoding = "ascii"

        def isatty(self):
            return True

    def test_colour_only_on_a_terminal(self):
        terminal = self.Terminal()
        self.assertTrue(style_for(terminal, {}).colour)
        self.assertFalse(style_for(io.StringIO(), {}).colour)
        self.assertFalse(style_for(terminal, {"NO_COLOR": "1"}).colour)
        self.assertTrue(style_for(terminal, {"NO_COLOR": ""}).colour)
        self.assertFalse(style_for(terminal, {"TERM": "dumb"}).colour)
        self.assertEqual(style_for(terminal, {}).encoding, "ascii")

    @unittest.skipUnless(hasattr(os, "openpty"), "needs a pseudo-terminal")
    def test_a_real_terminal(self):
        master, slave = os.openpty()
        self.addCleanup(os.close, master)
        with open(slave, "w", encoding="utf-8") as stream:
            self.assertEqual(style_for(stream, {}), Style(width=80, colour=True))

    def test_streams_that_are_none(self):
        closed = io.StringIO()
        closed.close()
        for stream in (closed, object(), None):
            self.assertEqual(style_for(stream, {}), Style())


if __name__ == "__main__":
    unittest.main()
