"""Limits of memory: how they are written, whom they are of, what follows."""
from __future__ import annotations

import unittest
import unittest.mock
from typing import Any

from unittest_leakfix._core.declarations import bytes_of
from unittest_leakfix.leaks import memory_limit
from unittest_leakfix.leaks.model.timeline import OverLimit, Timeline
from unittest_leakfix.leaks.report import memory_report
from unittest_leakfix.options import Options, from_environment, how, options_in

MB = 1000 * 1000


class SizeTests(unittest.TestCase):
    def test_sizes(self) -> None:
        for text, size in (("50 MB", 50 * MB), ("50mb", 50 * MB), ("1.5GB", 1500 * MB),
                           ("512 KiB", 512 << 10), ("700", 700), (" 2 k ", 2000), (0, 0),
                           (5 * MB, 5 * MB)):
            with self.subTest(text):
                self.assertEqual(bytes_of(text), size)

    def test_what_is_none(self) -> None:
        for text in ("", "much", "-5 MB", "5 TiB", "5 MB or so", -1, True, 1.5, None, [5]):
            with self.subTest(text), self.assertRaisesRegex(ValueError, "such as 50MB"):
                bytes_of(text)

    def test_options(self) -> None:
        self.assertEqual(Options(leaks="report", max_memory="5MB").max_memory, 5 * MB)
        with self.assertRaises(ValueError):
            Options(leaks="report", max_memory="much")
        row = next(each for each in options_in("command") if each.name == "max_memory")
        self.assertEqual(how(row, None)["type"]("2kB"), 2000)
        with unittest.mock.patch.dict("os.environ", UNITTEST_LEAKFIX_MAX_MEMORY="3 MB"):
            self.assertEqual(from_environment(), {"max_memory": 3 * MB})


class DeclaredTests(unittest.TestCase):
    def test_nothing(self) -> None:
        self.assertEqual(memory_limit.declared(SizeTests), {})

    def test_class_method_and_base(self) -> None:
        class Base(unittest.TestCase):
            leakfix_max_memory = "5 MB"

            def test_a(self) -> None: ...
            def test_b(self) -> None: ...
        a: Any = Base.test_a
        b: Any = Base.test_b
        a.leakfix_max_memory, b.leakfix_max_memory = "1 MB", None

        class Mine(Base):
            def test_b(self) -> None: ...

        class Other(Base):
            leakfix_max_memory = None
        self.assertEqual(memory_limit.declared(Base), {"": 5 * MB, "test_a": MB, "test_b": None})
        self.assertEqual(memory_limit.declared(Mine), {"": 5 * MB, "test_a": MB})
        self.assertEqual(memory_limit.declared(Other), {"": None})

    def test_it_names_what_makes_no_sense(self) -> None:
        class Wrong(unittest.TestCase):
            leakfix_max_memory = "much"
        with self.assertRaisesRegex(ValueError, "Wrong.leakfix_max_memory = 'much': give"):
            memory_limit.declared(Wrong)


class ConfirmedTests(unittest.TestCase):
    over = [OverLimit("a", 9 * MB, 5 * MB), OverLimit("b", 8 * MB, 5 * MB),
            OverLimit("c", 7 * MB, 5 * MB)]

    def test_the_second_time_counts(self) -> None:
        found = memory_limit.confirmed(self.over, lambda tests: ({"a": 9 * MB, "b": 4096}, "gone"))
        self.assertEqual([each.fails for each in found], [True, False, False])
        self.assertEqual([each.why for each in found], ["", "", "gone"])
        self.assertEqual(memory_limit.message(found[0]),
                         "kept 9.0 MB, and 9.0 MB when it ran again: more than 5.0 MB "
                         "(leakfix_max_memory)")
        self.assertEqual(memory_report.render(Timeline(limits=tuple(found))), """\
MEMORY  3 tests were above their limits; confirmed: 1
    a kept 9.0 MB, more than 5.0 MB; when it ran again, 9.0 MB
    b kept 8.0 MB, more than 5.0 MB; when it ran again, 4.1 kB: the first time fills a cache
    c kept 7.0 MB, more than 5.0 MB; unconfirmed, so it does not fail: gone
""")

    def test_where_nothing_runs_again_nothing_fails(self) -> None:
        def raises(tests: Any) -> Any:
            raise OSError("no process left")
        for runs_again, why in ((None, "because"), (raises, "")):
            found = memory_limit.confirmed(self.over, runs_again, why)
            self.assertFalse(any(each.fails for each in found))
            self.assertIn(why or "no process left", found[0].why)

    def test_nothing_is_above_its_limit(self) -> None:
        self.assertEqual(memory_limit.confirmed([], lambda tests: self.fail("not to be run")), [])
