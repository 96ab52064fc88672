"""Chains, source lines and odd texts in the report."""

from __future__ import annotations

import ast
import os
import unittest
from dataclasses import replace

from tests.unit.leaks.leak_samples import ORDERS, Acquisition, Frame, TextCase, chain
from unittest_leakfix.leaks.model.leak import Findings, Leak
from unittest_leakfix.leaks.report.text_report import one_line, render


class ChainTests(TextCase):
    def leak(self, drawn, **more):
        return Leak(
            "kept test",
            "OrderTests.test_checkout was kept after it finished",
            (ORDERS + "test_checkout",),
            chain=drawn,
            **more,
        )

    def test_a_module_global(self):
        self.assertRenders(
            "chain_short",
            self.leak(
                chain(
                    "shop.last",
                    ("", "module shop", "", False),
                    (".last", "OrderTests.test_checkout", "tests/test_orders.py:24", True),
                )
            ),
        )

    def test_a_root_without_a_name(self):
        self.assertRenders(
            "chain_unknown_root",
            self.leak(
                chain(
                    "<something in C> cached value.order",
                    ("", "something in C that Python cannot name", "", False),
                    (" cached value", "Order", "", True),
                    (".test", "OrderTests.test_checkout", "", False),
                    evaluates=False,
                )
            ),
        )

    def test_a_single_step(self):
        self.assertRenders(
            "chain_single",
            self.leak(chain("", ("", "OrderTests.test_checkout", "", False), evaluates=False))
        )

    def test_no_chain(self):
        self.assertRenders("chain_none", self.leak(None, holding=((".client", "Client", 0),)))

    def test_a_long_expression_can_still_be_pasted(self):
        names = [".registry_of_all_the_handlers_number_%d" % n
                 for n in range(9)] + ["['a key of some length']"]
        steps = [("", "module shop", "", False)] + [(name, "Node", "", False) for name in names]
        leak = self.leak(chain("shop" + "".join(names), *steps))
        self.assertRenders("chain_long", leak)
        lines = render(Findings(leaks=(leak,), tests=1), self.style).splitlines()[3:]
        pasted = "\n".join(lines[: next(n for n, line in enumerate(lines) if line.endswith(")"))
                                 + 1]).strip()
        self.assertEqual(
            ast.dump(ast.parse(pasted, mode="eval")),
            ast.dump(ast.parse("shop" + "".join(names), mode="eval"))
        )

    def test_many_steps(self):
        steps = [("", "module shop", "", False),
                 (".head", "Node", "", False)] + [(".next", "Node", "", True)] * 1200
        self.assertRenders("chain_many_steps", self.leak(chain("shop.walk(1200)", *steps)))

    def test_secrets_in_a_key_are_hidden(self):
        text = render(
            Findings(
                leaks=(
                    self.leak(
                        chain(
                            "shop.pool['mysql://a:hunter2@h']",
                            ("", "module shop", "", False),
                            (".pool", "dict", "", False),
                            ("['mysql://a:hunter2@h']", "Connection", "", False),
                        )
                    ),
                ),
                tests=1,
            ),
            self.style,
            stacks=True,
        )
        self.assertNotIn("hunter2", text)


class OddTests(TextCase):
    def test_names_that_are_not_ascii(self):
        test = "tests.prüfung.BestellTests.test_größe"
        leak = Leak(
            "kept test",
            "BestellTests.test_größe was kept after it finished",
            (test,),
            5,
            chain(
                "laden.注文",
                ("", "module laden", "", False),
                (".注文", "注文一覧 (3 件)", "läden/注文.py:3", True),
                ("['e\u0301t\u00e9']", "BestellTests.test_größe", "tests/prüfung.py:9", False),
            ),
        )
        file = Leak(
            "file",
            "file '/tmp/größe.txt' was left open",
            (test,),
            acquisition=self.opened(test, ("shop/umlaut.py", 3, "öffne")),
        )
        self.assertRenders("not_ascii", leak, file)
        ascii_only = render(Findings(leaks=(leak, file), tests=2041),
                            replace(self.style, encoding="ascii"))
        ascii_only.encode("ascii")
        self.assertGolden("not_ascii_ascii", ascii_only)

    def test_control_characters_and_line_ends_stay_in_their_line(self):
        leak = Leak("thread", "thread \"a\nb\033[31m\udc80\" was still running", ("t.T.test_x",))
        text = render(Findings(leaks=(leak,), tests=1), self.style)
        self.assertIn(r'[1] thread "a\nb\x1b[31m\udc80" was still running', text)

    def test_a_long_headline(self):
        self.assertRenders(
            "long_headline",
            Leak("file", "file '/tmp/%s' was left open" % ("x" * 120), (ORDERS + "test_a",))
        )

    def test_long_values(self):
        self.assertRenders(
            "long_values",
            Leak(
                "environment",
                'environment variable "PATH" was changed',
                (ORDERS + "test_a",),
                notes=(("was", "/usr/bin:" * 90), ("is", "/usr/bin:" * 90 + "/tmp")),
            ),
        )

    def test_source_lines(self):
        def lines(file, line):
            leak = Leak("file", "f", ("t.T.test_a",),
                        acquisition=self.opened("t.T.test_a", (file, line, "make")))
            return [
                line
                for line in render(Findings(leaks=(leak,), tests=1), self.style).splitlines()
                if line[4:5] in "> " and line[:4] == "    "
            ]

        self.assertEqual(
            lines("tests/test_orders.py", 24),
            [
                "      23         post_save.connect(self.on_save)",
                "    > 24         self.client = Client(",
                "      25             \"shop\",",
                "      26             password=\"***\",",
            ],
        )
        self.assertEqual(
            lines("tests/secret.py", 2),
            ["      1 key = load()", "    > 2 connect(password=key, url='my://a:***@h')"]
        )
        self.assertEqual(lines("tests/test_orders.py", 1), ["    > 1 import unittest"])
        self.assertEqual(lines("tests/test_orders.py", 3), ["    > 3 import pymysql"])
        self.assertEqual(
            lines("shop/umlaut.py", 3),
            ["      2 def öffne(pfad):", "    > 3     return open(pfad)  # größer"]
        )
        for file, line in (
            ("no/such.py", 3),
            ("tests/test_orders.py", 999),
            ("tests/test_orders.py", 0),
            ("<string>", 1),
            ("a\0b", 1),
            ("tests", 1),
            ("tests/test_orders.py", 12),
        ):
            with self.subTest(file, line=line):
                self.assertEqual(lines(file, line), [])

    def test_files_as_the_finder_gives_them(self):
        """Relative to where the run started, and functions without their class (Python before
        3.11)."""
        leak = replace(
            self.connection(),
            acquisition=Acquisition(
                "connect",
                "",
                ORDERS + "test_00",
                "MainThread",
                (Frame(os.path.join("tests", "test_orders.py"), 17, "setUp"),),
            ),
        )
        self.assertEqual(
            render(Findings(leaks=(leak,), tests=40), self.style),
            render(Findings(leaks=(self.connection(),), tests=40), self.style),
        )
        self.assertEqual(one_line(leak, self.style), one_line(self.connection(), self.style))

    def test_a_source_file_that_says_a_wrong_encoding(self):
        for name, source in (
            ("bad.py", b"# coding: klingon\nx = 1\n"),
            ("bytes.py", b"\xff\xfe\nx = 1\n"),
            ("empty.py", b""),
        ):
            with open(self.file(name), "wb") as file:
                file.write(source)
            leak = Leak("file", "f", ("t.T.test_a",),
                        acquisition=self.opened("t.T.test_a", (name, 2, "make")))
            self.assertIn(
                "opened by T.test_a   %s:2 in make\n" % name,
                render(Findings(leaks=(leak,), tests=1), self.style)
            )


if __name__ == "__main__":
    unittest.main()
