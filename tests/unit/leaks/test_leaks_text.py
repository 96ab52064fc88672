"""The report as a whole, compared with the texts in tests/golden/."""

from __future__ import annotations

import re
import unittest
from dataclasses import replace

from tests.unit.leaks.leak_kinds import every_kind
from tests.unit.leaks.leak_samples import ORDERS, TextCase, chain
from unittest_leakfix.leaks.model.kinds import KINDS
from unittest_leakfix.leaks.model.leak import Findings, Known, Leak
from unittest_leakfix.leaks.report.text_report import failure_text, one_line, render


class ExampleTests(TextCase):
    def test_the_example_of_the_design(self):
        self.assertGolden("example", render(self.example(), self.style))

    def test_in_ascii(self):
        text = render(self.example(), replace(self.style, encoding="ascii"))
        text.encode("ascii")
        self.assertGolden("example_ascii", text)

    def test_in_colour(self):
        self.assertGolden("example_colour",
                          render(self.example(), replace(self.style, colour=True)))

    def test_colour_changes_nothing_but_colour(self):
        coloured = render(self.example(), replace(self.style, colour=True))
        self.assertEqual(re.sub("\033\\[[0-9;]*m", "", coloured),
                         render(self.example(), self.style))

    def test_on_a_narrow_terminal(self):
        self.assertGolden("example_narrow", render(self.example(), replace(self.style, width=60)))

    def test_on_a_terminal_of_80_columns(self):
        self.assertGolden("example_80", render(self.example(), replace(self.style, width=80)))

    def test_with_stacks(self):
        self.assertGolden("example_stacks", render(self.example(), self.style, stacks=True))

    def test_when_leaks_are_failures_and_known_ones_are_asked_for(self):
        self.assertGolden("example_failing",
                          render(self.example(), self.style, verbose=True, failing=True))

    def test_order_does_not_depend_on_the_order_of_finding(self):
        findings = self.example()
        turned = replace(findings, leaks=findings.leaks[::-1])
        self.assertEqual(render(turned, self.style), render(findings, self.style))


class BlockTests(TextCase):
    def test_each_block_names_its_file(self):
        blocks = render(Findings((self.connection(2), replace(self.connection(1), cause="other")),
                                 tests=3), self.style).split("\n[")[1:]
        self.assertEqual([block.count("tests/test_orders.py:17") for block in blocks], [1, 1])

    def test_what_was_closed_had_no_holder(self):
        leak = Leak("object", "Archive was left open", (ORDERS + "test_x",),
                    closed="closed for you: nothing else referred to it")
        self.assertNotIn("what holds it", render(Findings((leak,), tests=1), self.style))
        self.assertIn("what holds it",
                      render(Findings((replace(leak, closed=""),), tests=1), self.style))

    def test_the_options_as_the_command_line_at_hand_spells_them(self):
        text = render(Findings((self.connection(1),), tests=1, gone=("one",), failed=2),
                      self.style, options="--leakfix")
        self.assertEqual(re.findall(r"--\w+[-=]\w+(?:-\w+)?", text),
                         ["--leakfix-update-baseline", "--leakfix-failed", "--leakfix-stacks",
                          "--leakfix=fail"])

    def test_a_long_expression_is_cut_in_its_middle(self):
        names = ["step_%02d_of_a_long_chain" % number for number in range(40)]
        long = chain("shop." + ".".join(names), ("", "module shop", "", False),
                     *((".%s" % name, "Order", "", False) for name in names))
        leak = replace(self.kept(), chain=long)
        line = render(Findings((leak,), tests=3), self.style).splitlines()[3]
        self.assertTrue(line.startswith("    for reading only: shop.step_00_of_a_long_chain."))
        self.assertTrue(line.endswith("39_of_a_long_chain"), line)
        self.assertIn(" \N{HORIZONTAL ELLIPSIS} ", line)
        self.assertNotIn("reading only", render(Findings((leak,), tests=3), self.style,
                                                stacks=True))


class CountTests(TextCase):
    def test_one_leak_in_one_test(self):
        self.assertRenders("one", self.connection(1), tests=1)

    def test_few_tests_of_a_fixture_are_named(self):
        self.assertRenders("few_of_a_fixture", self.connection(3), tests=40)

    def test_many_tests(self):
        self.assertRenders(
            "many_tests",
            replace(
                self.kept(),
                tests=tuple(ORDERS + "test_%02d" % n for n in range(37)),
                subject="OrderTests.test_00 was kept after it finished",
            ),
        )

    def test_a_fixture_inherited_by_many_classes(self):
        tests = tuple(
            "tests.test_%s.%sTests.test_it" % (name, name.title())
            for name in ("cart", "mail", "order", "shop", "user")
        )
        leak = replace(
            self.connection(),
            tests=tests,
            acquisition=self.opened(tests[0], ("tests/test_orders.py", 17, "BaseTests.setUp")),
        )
        self.assertRenders("inherited_fixture", leak)

    def test_one_fixture_alone(self):
        leaks = [
            Leak(
                "class attribute",
                "%s still holds its client" % name,
                ("setUpClass (t.%s)" % name,),
                holding=tuple((".a%d" % number, "Client", 900 - number) for number in range(9)),
                silence="class_attribute=%r" % name,
                cause=name,
            )
            for name in ("ATests", "BTests")
        ]
        self.assertRenders("fixtures", *leaks)
        self.assertRenders("fixtures_stacks", *leaks, stacks=True)

    def test_within_a_kind_most_tests_come_first(self):
        few, many = (
            Leak("file", "file %s was left open" % name, tests, cause=name)
            for name, tests in (("a", ("t.T.a",)), ("b", ("t.T.a", "t.T.b")))
        )
        text = render(Findings(leaks=(few, many), tests=2), self.style)
        self.assertLess(text.index("file b"), text.index("file a"))

    def test_a_million_survivors(self):
        leaks = [
            Leak("object", "Order was kept: number %d" % n, tests=(ORDERS + "test_all",),
                 cause="Order %02d" % n)
            for n in range(10)
        ]
        self.assertRenders("million", *leaks, more=999990)

    def test_more_causes_than_are_described(self):
        leaks = [
            Leak("file", "file %d was left open" % n, tests=(ORDERS + "test_%d" % n,),
                 cause="file %04d" % n)
            for n in range(1234)
        ]
        text = render(Findings(leaks=tuple(leaks), tests=2041), self.style)
        self.assertIn("\n[50] file 49 was left open", text)
        self.assertNotIn("\n[51] ", text)
        self.assertIn("\nand 1,184 more\n", text)

    def test_same_short_name_in_two_modules(self):
        tests = ("tests.a.OrderTests.test_it", "tests.b.OrderTests.test_it",
                 "tests.b.OrderTests.test_other")
        leak = replace(self.kept(), tests=tests,
                       subject="a.OrderTests.test_it was kept after it finished")
        self.assertRenders("same_names", leak)


class KindTests(TextCase):
    """One block for each kind, as its finder would word it."""

    def test_every_kind(self):
        leaks = every_kind(self)
        self.assertEqual({leak.kind for leak in leaks},
                         {name for name, kind in KINDS.items() if kind.ranked} | {"zeppelin"})
        self.assertRenders("kinds", *leaks)

    def test_every_kind_on_one_line(self):
        self.assertGolden("one_line",
                          "".join(one_line(leak, self.style) + "\n" for leak in every_kind(self)))

    def test_failure_text(self):
        self.assertGolden(
            "failure",
            failure_text(every_kind(self)[:1], self.style) + "\n\n"
            + failure_text(every_kind(self), self.style) + "\n",
        )

    def test_every_block_names_a_test_or_its_fixture(self):
        for leak in every_kind(self):
            with self.subTest(leak.kind):
                text = render(Findings(leaks=(leak,), tests=1), self.style)
                self.assertRegex(text, r"(OrderTests|MailTests)")


class RestTests(TextCase):
    def known(self):
        leak = Leak("thread", 'thread "pool-1" was still running', cause="thread pool-*")
        return (
            Known(leak, "the pool lives on", "tests/__init__.py:9"),
            Known(leak, "ticket 12", "tests/test_a.py:3"),
            Known(leak, "", "leaks-baseline.json"),
            Known(leak, "", "leaks-baseline.json"),
        )

    def test_known(self):
        self.assertRenders("known", self.thread(), known=self.known())
        self.assertRenders("known_verbose", self.thread(), known=self.known(), verbose=True)

    def test_known_alone_is_reported_only_when_asked(self):
        self.assertEqual(render(Findings(known=self.known(), tests=9), self.style), "")
        self.assertRenders("known_alone_verbose", known=self.known(), verbose=True)

    def test_gone_and_unmeasured(self):
        self.assertRenders("gone", gone=("connection pymysql OrderTests.setUp",))
        self.assertRenders(
            "gone_and_unmeasured",
            self.thread(),
            gone=("a", "b"),
            unmeasured=(
                ("tests.t.GcTests.test_a", "it asked gc for its objects"),
                ("tests.t.GcTests.test_b", "it asked gc for its objects"),
                ("tests.t.ForkTests.test_c", "it forked"),
            ),
        )

    def test_nothing_found(self):
        self.assertEqual(render(Findings(tests=2041), self.style), "")
        self.assertEqual(render(Findings(tests=2041), self.style, verbose=True),
                         "LEAKS  none in 2,041 tests\n")
        self.assertEqual(render(Findings(tests=1), self.style, verbose=True),
                         "LEAKS  none in 1 test\n")

    def test_of_a_worker(self):
        self.assertTrue(
            render(Findings(leaks=(self.thread(),), tests=7, worker="gw1"), self.style).startswith(
                "LEAKS of worker gw1  1 cause in 1 of 7 tests: 1 thread\n"
            )
        )


if __name__ == "__main__":
    unittest.main()
