"""Remedies typed into a source: the whole text before and after."""
from __future__ import annotations

import textwrap
import unittest

from unittest_leakfix.fix.edits import Insert, Replace, Wrap, applied
from unittest_leakfix.fix.mending import ByHand, edits_for
from unittest_leakfix.leaks.model.remedy import IT, Call, CodeScope, Remedy, When
from unittest_leakfix.tracing.stacks import Frame

CLOSE = Remedy((Call(IT + ".close"),), it="self.db", noun="connection", variable="db")


class MendingTest(unittest.TestCase):
    maxDiff = None

    def place(self, source, line, function="setUp"):
        return textwrap.dedent(source).lstrip("\n"), Frame("test_shop.py", line, function)

    def mended(self, remedy, source, line, function="setUp"):
        text, site = self.place(source, line, function)
        return applied(text, edits_for(text, remedy._replace(site=site)))

    def check(self, remedy, line, source, expected, function="setUp"):
        self.assertEqual(self.mended(remedy, source, line, function),
                         textwrap.dedent(expected).lstrip("\n"))

    def by_hand(self, remedy, line, source, why, function="setUp"):
        with self.assertRaises(ByHand) as caught:
            self.mended(remedy, source, line, function)
        self.assertEqual(str(caught.exception), why)

    def test_after_a_statement_of_several_lines(self):
        self.check(CLOSE, 5, """
            class T:
                def setUp(self):
                    # The comment stays.
                    self.db = connect(
                        "shop",   user="me")  # so does this
                    self.other = 1
            """, """
            class T:
                def setUp(self):
                    # The comment stays.
                    self.db = connect(
                        "shop",   user="me")  # so does this
                    self.addCleanup(self.db.close)
                    self.other = 1
            """)

    def test_at_the_end_of_a_file_without_a_newline(self):
        text, site = self.place("class T:\n    def setUp(self):\n        self.db = connect()", 3)
        self.assertEqual(applied(text, edits_for(text, CLOSE._replace(site=site))),
                         text + "\n        self.addCleanup(self.db.close)\n")

    def test_windows_newlines_stay(self):
        text = "class T:\r\n    def setUp(self):\r\n        self.db = connect()\r\n"
        site = Frame("test_shop.py", 3, "setUp")
        self.assertEqual(applied(text, edits_for(text, CLOSE._replace(site=site))),
                         text + "        self.addCleanup(self.db.close)\r\n")

    def test_in_an_inner_block(self):
        self.check(CLOSE, 4, """
            class T:
                def setUp(self):
                    if POOLED:
                        self.db = connect()
                    else:
                        self.db = None
            """, """
            class T:
                def setUp(self):
                    if POOLED:
                        self.db = connect()
                        self.addCleanup(self.db.close)
                    else:
                        self.db = None
            """)

    def test_what_has_no_name_is_given_one(self):
        thread = Remedy((Call(IT + ".join"),), noun="thread", variable="thread")
        self.check(thread, 3, """
            class T:
                def test_one(self):
                    threading.Thread(target=work,
                                     name="mailer").start()
            """, """
            class T:
                def test_one(self):
                    self.thread = threading.Thread(target=work,
                                     name="mailer")
                    self.thread.start()
                    self.addCleanup(self.thread.join)
            """, "test_one")
        self.by_hand(thread, 3, """
            class T:
                def test_one(self):
                    self.run_all([threading.Thread(target=work)])
            """, "its line has several calls", "test_one")

    def test_what_is_returned_has_no_name(self):
        self.by_hand(CLOSE._replace(it="db"), 3, """
            class T:
                def connected(self):
                    return connect()
            """, "what is opened there has no name in the test", "connected")

    def test_several_statements_in_a_line(self):
        for line, source in ((2, "class T:\n    def setUp(self): self.db = connect()\n"),
                             (3, "class T:\n    def setUp(self):\n        self.db = c(); a()"),
                             (3, "class T:\n    def setUp(self):\n        if a: self.db = c()\n")):
            self.by_hand(CLOSE, line, source, "its line has more than one statement")

    def test_it_stands_there_already(self):
        self.by_hand(CLOSE, 3, """
            class T:
                def setUp(self):
                    self.db = connect()
                    self.addCleanup(self.db.close)
            """, "it stands there already")

    def test_the_file_has_changed(self):
        self.by_hand(CLOSE, 3, "class T:\n    def tearDown(self):\n        self.db = connect()\n",
                     "line 3 is not in setUp: the file has changed")

    def test_before_the_change_below_the_docstring(self):
        remedy = Remedy((Call("os.chdir", saved="os.getcwd()"),), when=When.BEFORE,
                        imports=("import os",))
        self.check(remedy, 8, '''
            """Tests."""
            import sys

            import shop

            class T:
                def test_one(self):
                    """Goes away."""
                    shop.go()
            ''', '''
            """Tests."""
            import sys

            import shop
            import os

            class T:
                def test_one(self):
                    """Goes away."""
                    self.addCleanup(os.chdir, os.getcwd())
                    shop.go()
            ''', "test_one")

    def test_in_place_of_the_call(self):
        remedy = Remedy((Call("signals.save.disconnect", (
            "signals.save.connect(self.on_save)",)),), when=When.INSTEAD)
        self.check(remedy, 3, """
            class T:
                def test_one(self):
                    signals.save.connect(self.on_save)
                    done()
            """, """
            class T:
                def test_one(self):
                    self.addCleanup(signals.save.disconnect, signals.save.connect(self.on_save))
                    done()
            """, "test_one")

    def test_a_with_statement_around_all(self):
        self.check(Remedy(manager="mock.patch.dict(shop.SETTINGS)",
                          imports=("from unittest import mock",)), 3, '''
            class T:
                def test_one(self):
                    shop.SETTINGS["a"] = """of
            several lines
                stays"""
                    if shop:

                        check()
            ''', '''
            from unittest import mock
            class T:
                def test_one(self):
                    with mock.patch.dict(shop.SETTINGS):
                        shop.SETTINGS["a"] = """of
            several lines
                stays"""
                        if shop:

                            check()
            ''', "test_one")

    def test_a_function_of_pytest(self):
        remedy = CLOSE._replace(it="db", scope=CodeScope.FUNCTION)
        for head, expected in (("()", "(request)"), ("(tmp_path, b=1)", "(tmp_path, b=1, request)"),
                               ("(request)", "(request)"), ("(a: int)", "(a: int, request)")):
            self.check(remedy, 2, """
                def test_one%s:
                    db = connect()
                """ % head, """
                def test_one%s:
                    db = connect()
                    request.addfinalizer(db.close)
                """ % expected, "test_one")
        self.by_hand(remedy, 2, "def test_one(*, a):\n    db = connect()\n",
                     "the function has parameters of other kinds", "test_one")

    def test_a_fixture_of_pytest(self):
        remedy = CLOSE._replace(it="db", scope=CodeScope.FIXTURE)
        self.check(remedy, 3, """
            @pytest.fixture
            def db():
                db = connect()
                return db
            """, """
            @pytest.fixture
            def db():
                db = connect()
                yield db
                db.close()
            """, "db")
        self.check(remedy, 3, """
            @pytest.fixture
            def db():
                db = connect()
                yield db
                log()
            """, """
            @pytest.fixture
            def db():
                db = connect()
                yield db
                db.close()
                log()
            """, "db")
        self.check(remedy, 3, """
            @pytest.fixture(autouse=True)
            def db():
                db = connect()
            """, """
            @pytest.fixture(autouse=True)
            def db():
                db = connect()
                yield
                db.close()
            """, "db")
        self.by_hand(remedy, 3, """
            @pytest.fixture
            def db():
                db = connect()
                if a:
                    return None
                return db
            """, "the fixture has more than one end", "db")

    def test_after_the_last_statement_that_names_it(self):
        remedy = CLOSE._replace(it="self.archive")
        self.check(remedy, 2, """
            class T:
                def setUp(self):
                    self.archive = None
                    self.archive = Archive()
                    self.more()
            """, """
            class T:
                def setUp(self):
                    self.archive = None
                    self.archive = Archive()
                    self.addCleanup(self.archive.close)
                    self.more()
            """)

    def test_only_words(self):
        self.by_hand(Remedy(advice="let it end with the test, and join it"), 3, "", "")
        self.by_hand(Remedy(awaits="rows.aclose()"), 3, "", "")


class EditsTest(unittest.TestCase):
    def test_all_count_the_lines_as_they_are(self):
        self.assertEqual(
            applied("a\nb\nc\nd\n", [Insert(2, ("x",)), Wrap(2, 3, "with y:"), Insert(3, ("z",)),
                                     Replace(4, 4, ("e", "f")), Insert(5, ("g",))]),
            "a\nx\nwith y:\n    b\n    z\n    c\ne\nf\ng\n")

    def test_two_wraps(self):
        self.assertEqual(applied("a\nb\n", [Wrap(1, 2, "with x:"), Wrap(1, 2, "with y:")]),
                         "with x:\n    with y:\n        a\n        b\n")

    def test_the_same_twice(self):
        self.assertEqual(applied("a\n", [Insert(1, ("import os",)), Insert(1, ("import os",
                                                                                "import re"))]),
                         "import os\nimport re\na\n")

    def test_two_changes_of_a_line(self):
        with self.assertRaisesRegex(ValueError, "two changes of line 1"):
            applied("a\n", [Replace(1, 1, ("b",)), Replace(1, 1, ("c",))])


if __name__ == "__main__":
    unittest.main()
