"""What was found is in the pages and files that other plugins of pytest make of a session."""
from __future__ import annotations

import html
import importlib.util
import os
import re
import unittest
import xml.etree.ElementTree as ElementTree

from tests.integration.pytest_plugin.pytest_case import PytestCase

TESTS = """
    import os


    def test_environment():
        os.environ["SHOP"] = "<b>"


    def test_passes():
        pass
    """
HEADLINE = 'environment variable "SHOP" was added'


@unittest.skipIf(importlib.util.find_spec("pytest_html") is None, "needs pytest-html")
class PytestHtmlTest(PytestCase):
    def page(self, *arguments):
        self.write(test_sample=TESTS, test_more="def test_more():\n    pass\n")
        printed, _ = self.pytest("-p", "pytest_metadata.plugin", "-p", "pytest_html.plugin",
                                 "--html=page.html", "--self-contained-html", *arguments)
        with open(os.path.join(self.folder, "page.html"), encoding="utf-8") as file:
            text = file.read()
        return printed, re.findall(r"<h2>leaks</h2><pre>(.*?)</pre>", text, re.DOTALL)

    def test_has_the_section(self):
        printed, found = self.page("--leaks=report")
        self.assertEqual(len(found), 1, printed)
        self.assertNotIn("<", found[0])
        text = html.unescape(found[0]).rstrip()
        self.assertIn("LEAKS  1 cause in 1 of 3 tests: 1 environment change", text)
        self.assertIn(text.partition("\nMore:")[0], printed)

    @unittest.skipIf(importlib.util.find_spec("xdist") is None, "needs pytest-xdist")
    def test_under_xdist(self):
        printed, found = self.page("--leaks=report", "-p", "xdist", "-n2")
        self.assertIn(HEADLINE, html.unescape("".join(found)), printed)

    def test_nothing_found(self):
        printed, found = self.page("--leaks=report", "-k", "passes")
        self.assertEqual(found, [], printed)

    def test_off(self):
        printed, found = self.page()
        self.assertEqual(found, [], printed)


class JUnitTest(PytestCase):
    def test_a_property_of_its_test(self):
        self.write(test_sample=TESTS)
        printed, _ = self.pytest("--leaks=report", "--junitxml=junit.xml")
        root = ElementTree.parse(os.path.join(self.folder, "junit.xml")).getroot()
        found = [(case.get("name"), [each.get("value") for each in case.iter("property")])
                 for case in root.iter("testcase")]
        self.assertEqual(found, [
            ("test_environment", [
                HEADLINE + ", left at test_sample.py:5 in test_sample.py::test_environment"]),
            ("test_passes", [])], printed)

    def test_short_summary(self):
        self.write(test_sample=TESTS)
        printed, _ = self.pytest("--leaks=fail", "-rE")
        self.assertRegex(printed, r"(?m)^ERROR test_sample.py::test_environment - leak: "
                                  "environment variable")


class OnceTest(PytestCase):
    def test_a_change_is_reported_of_its_test_alone(self):
        self.write(test_first=TESTS, test_second="def test_second():\n    pass\n",
                   test_third="def test_third():\n    pass\n")
        printed, _ = self.pytest("--leaks=report")
        self.assertEqual(self.causes(printed), [HEADLINE], printed)
        self.assertNotIn("session", self.section(printed))


if __name__ == "__main__":
    unittest.main()
