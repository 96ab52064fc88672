"""The section MEMORY, letter by letter, and what of it is in JSON."""
from __future__ import annotations

import json
import unittest
from typing import Any, Optional, Sequence, Tuple

from unittest_leakfix.leaks.model import timeline as model
from unittest_leakfix.leaks.report import memory_report
from unittest_leakfix.leaks.report.terminal import Style

KB, MB = 1000, 1000 * 1000


def timeline(*tests: Tuple[str, int, int], start: int = 50 * MB, **more: Any) -> model.Timeline:
    """Return the timeline of *tests*, each with what it kept and its peak."""
    now = [start]
    for _, grown, _ in tests:
        now.append(now[-1] + grown)
    some: Sequence[Optional[int]] = (None,) * len(tests)
    return model.Timeline(
        tuple(name for name, _, _ in tests), (0.0,) * len(tests), (0.0,) * len(tests),
        tuple(now[1:]), tuple(peak for _, _, peak in tests), tuple(grown for _, grown, _ in tests),
        *(tuple(some) for _ in range(4)))._replace(
            **{"source": model.KERNEL, "exact": True, "most": 2, **more})


SHOP = timeline(
    ("shop.tests.OrderTests.test_a", 41_200 * KB, 95 * MB), ("shop.tests.OrderTests.test_b", 0, 0),
    ("shop.tests.UserTests.test_c", -200 * KB, 92 * MB),
    ("other.tests.OrderTests.test_d", 310 * KB, 230 * MB),
    ("other.tests.OrderTests.test_e", 310 * KB, 92 * MB), ("other.tests.OrderTests.test_f", 900, 0))

TEXT = """\
MEMORY  41.6 MB kept by 6 tests: 91.6 MB resident at the end, at most 230 MB

    kept      peak  tests that kept the most
 41.2 MB   95.0 MB  OrderTests.test_a
  310 kB    230 MB  OrderTests.test_d

    took      peak  tests that took the most while they ran
  139 MB    230 MB  OrderTests.test_d
 45.0 MB   95.0 MB  OrderTests.test_a

    kept     tests  classes
 41.2 MB         2  shop.tests.OrderTests
  621 kB         3  other.tests.OrderTests

    kept     tests  modules
 41.0 MB         3  shop.tests
  621 kB         3  other.tests
"""


class TextTests(unittest.TestCase):
    maxDiff = None

    def test_whole(self) -> None:
        self.assertEqual(memory_report.render(SHOP), TEXT)

    def test_nobody_wants_it(self) -> None:
        self.assertEqual(memory_report.render(None), "")
        self.assertEqual(memory_report.render(SHOP._replace(most=None)), "")
        self.assertIsNone(memory_report.to_value(SHOP._replace(most=None)))

    def test_nothing_is_worth_a_line(self) -> None:
        self.assertEqual(memory_report.render(timeline(("a.B.c", 500, 50_000_500))), (
            "MEMORY  500 B kept by 1 test: 50.0 MB resident at the end, at most 50.0 MB\n"))

    def test_traced(self) -> None:
        text = memory_report.render(timeline(("a.B.c", MB, 51 * MB), traced=(900 * KB,)))
        self.assertIn("    kept    traced      peak  tests that kept the most\n"
                      "  1.0 MB    900 kB   51.0 MB  B.c\n", text)
        self.assertIn("\nTraced is what Python's own allocations grew by (tracemalloc).\n", text)

    def test_what_is_approximate_says_so(self) -> None:
        one = ("a.B.c", MB, 51 * MB)
        self.assertIn("Peaks are approximate: the system's counter of them cannot be set back",
                      memory_report.render(timeline(one, exact=False)))
        self.assertIn("The figures are approximate: this system says only the most that was ever",
                      memory_report.render(timeline(one, source=model.RESOURCE, exact=False)))
        self.assertEqual(
            memory_report.render(model.Timeline(("a", ), (0.0,), (0.0,), *((None,),) * 7, most=3)),
            "MEMORY  not known of 1 test\n\nThis system says nothing about the memory of a "
            "process.\n")

    def test_workers(self) -> None:
        self.assertIn("MEMORY  1.0 MB kept by 1 test in 3 processes\n",
                      memory_report.render(timeline(("a.B.c", MB, 51 * MB), processes=3)))

    def test_pytests_names(self) -> None:
        text = memory_report.render(timeline(
            ("tests/test_a.py::B::test_c[x::y]", MB, 51 * MB),
            ("tests/test_a.py::test_d", MB, 52 * MB)))
        self.assertIn(" 2.0 MB         2  tests/test_a.py\n", text)
        self.assertIn(" 1.0 MB         1  tests/test_a.py::B\n", text)

    def test_secrets_and_control_characters(self) -> None:
        evil = timeline(("t.py::test[mysql://joe:hunter2@db/x\x1b[31m]", MB, 51 * MB))
        text = memory_report.render(evil, Style(encoding="ascii"))
        self.assertNotIn("hunter2", text + json.dumps(memory_report.to_value(evil)))
        self.assertNotIn("\x1b", text)

    def test_equal_figures_keep_the_order_of_running(self) -> None:
        same = timeline(*(("a.B.test_%d" % number, MB, 0) for number in range(9, 0, -1)), most=3)
        self.assertEqual([row.name for row in memory_report.summary(same, 3).heaviest],
                         ["a.B.test_9", "a.B.test_8", "a.B.test_7"])

    def test_json(self) -> None:
        value = memory_report.to_value(SHOP)
        assert value is not None
        self.assertEqual(json.loads(json.dumps(value)), value)
        self.assertEqual(value["heaviest"][0], {
            "name": "shop.tests.OrderTests.test_a", "kept": 41_200 * KB, "took": 45 * MB,
            "peak": 95 * MB, "traced": None, "tests": 1})
        self.assertEqual([row["name"] for row in value["modules"]], ["shop.tests", "other.tests"])
        self.assertEqual(value["whole"]["tests"], 6)
