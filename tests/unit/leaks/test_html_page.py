"""The report as a page: its structure, as a browser reads it, and that nothing in it is a tag."""
from __future__ import annotations

import re
import unittest
from dataclasses import replace

from tests.unit.leaks.leak_kinds import every_kind
from tests.unit.leaks.leak_samples import ORDERS
from tests.unit.leaks.page_samples import HOSTILE, Page, PageCase, tests_of, timeline_of
from unittest_leakfix.leaks.model.kinds import amount
from unittest_leakfix.leaks.model.leak import Findings, Known, Leak, Overhead
from unittest_leakfix.leaks.model.timeline import joined
from unittest_leakfix.leaks.report import html_page, html_text, html_timeline
from unittest_leakfix.leaks.report.html_page import to_html
from unittest_leakfix.leaks.report.html_text import Anchors, Markup, code_frame, data, element
from unittest_leakfix.leaks.report.text_report import render


def columns(page):
    """Return the columns of a page's timeline, as its script makes them."""
    value = page.data()
    lanes = [(lane["key"], lane["values"]) for lane in value["lanes"]]
    return {name: summed(column) for name, column in [
        *lanes, ("kept", value["kept"]), ("peak", value["peak"]), ("places", value["places"])]}


def summed(differences):
    """Return the numbers of which these are each less the one before it."""
    before, found = 0, []
    for each in differences or ():
        before += each or 0
        found.append(None if each is None else before)
    return found


class StructureTests(PageCase):
    def checked(self, findings, **options):
        """Return the page of *findings*, after what holds for each."""
        text = to_html(findings, style=self.style, **options)
        page = Page(text)
        self.assertEqual([], page.faults)
        ids = page.ids()
        self.assertEqual(sorted(set(ids)), sorted(ids))
        for link in page.links():
            self.assertTrue(link == "data:," or link.startswith("#"), link)
            self.assertTrue(link == "data:," or link[1:] in ids, link)
        scripts = [attributes for tag, attributes, _ in page.elements if tag == "script"]
        self.assertEqual([{}], [each for each in scripts if "type" not in each])
        for tag, attributes, _ in page.elements:
            self.assertFalse([name for name in attributes if name.startswith("on")], tag)
            self.assertNotIn("style", attributes)
        return page

    def test_every_cause_of_the_text_is_on_the_page(self):
        findings = self.page()
        page = self.checked(findings)
        shown = render(findings, self.style)
        for number, subject in re.findall(r"^\[(\d+)\] (.*?)(?:   .*)?$", shown, re.M):
            summary, = [text for text in page.texts("summary")
                        if text.startswith("#%s" % number)]
            self.assertIn(subject.strip(), summary)
            self.assertIn("cause-" + number, page.ids())

    def test_each_block_has_the_text_of_its_cause(self):
        findings = self.page()
        page = self.checked(findings)
        texts = page.texts("pre", class_="text")
        for block in render(findings, self.style).split("\n\n")[1:4]:
            self.assertIn(block.split(), [text.split() for text in texts])

    def test_every_kind(self):
        page = self.checked(Findings(tuple(every_kind(self)), tests=9))
        details = page.texts("details", class_="cause")
        self.assertEqual(len(details), len(every_kind(self)))
        for leak in every_kind(self):
            subject = self.style.plain(leak.subject)
            self.assertTrue(any(subject in text for text in details), subject)

    def test_no_leaks(self):
        page = self.checked(Findings(tests=12, timeline=timeline_of(tests_of(12))))
        self.assertEqual(["No leaks"], page.texts("h1"))
        self.assertIn("timeline-data", page.ids())
        self.assertNotIn("causes", page.ids())
        self.assertEqual([], page.texts("div", data_strip="marks"))

    def test_without_a_timeline(self):
        page = self.checked(replace(self.page(), timeline=None))
        self.assertNotIn("timeline", page.ids())
        self.assertNotIn("tests", page.ids())
        self.assertEqual(4, len(page.texts("details", class_="cause")))

    def test_nothing_at_all(self):
        self.assertEqual(["No leaks"], self.checked(Findings()).texts("h1"))

    def test_what_is_known_and_why(self):
        page = self.checked(self.page(), baseline=True)
        known, = page.texts("section", id="known")
        for text in ("the pool lives as long as the process", "tests/__init__.py:9",
                     "file: gone.txt", "it has thawed the heap"):
            self.assertIn(text, known)
        listed, = [text for text in page.texts("details", class_="cause") if "old.txt" in text]
        self.assertIn("in the baseline", listed)
        self.assertIn("new", page.ids())

    def test_what_was_closed(self):
        page = self.checked(self.page())
        self.assertIn("closed for you: nothing else referred to it",
                      page.texts("p", class_="closed"))
        self.assertEqual(1, len([text for text in page.texts("dt") if text == "Closed for you"]))

    def test_the_heaviest_is_first(self):
        page = self.checked(self.page())
        order = [attributes["id"] for tag, attributes, _ in page.elements
                 if attributes.get("class") == "cause"]
        self.assertEqual(["cause-1", "cause-2", "cause-3", "known-1"], order)
        light = replace(self.kept(), size=10, cause="light")
        heavy = Leak("state", "shop.rows has grown", (ORDERS + "test_x",), size=99000000)
        page = self.checked(Findings((light, heavy), tests=3))
        order = [attributes["id"] for tag, attributes, _ in page.elements
                 if attributes.get("class") == "cause"]
        self.assertEqual(["cause-2", "cause-1"], order)     # the number is that of the text

    def test_what_is_not_the_whole_truth(self):
        findings = replace(self.page(), failed=2, old_baseline="old.json",
                           overhead=Overhead(skipped=3))
        warnings, = self.checked(findings).texts("ul", class_="warnings")
        for text in ("Not measured: 1 test (it has thawed the heap)",
                     "Failing tests left 2 more causes (--leaks-failed shows them)",
                     "old.json is a baseline of version 1", "To save time, finding left the look"):
            self.assertIn(text, warnings)

    def test_options_as_they_are_called(self):
        text = to_html(self.page(), style=self.style, mark="@pytest.mark.leakfix_ignore",
                       options="--leakfix")
        more, = Page(text).texts("dl", class_="more")
        self.assertIn("@pytest.mark.leakfix_ignore(thread=", more)
        self.assertIn("--leakfix=fail", more)

    def test_very_many_causes_are_lines_and_then_a_number(self):
        leaks = tuple(replace(self.connection(2), cause="c%d" % number) for number in range(60))
        old = html_page.CauseBlocks.all.__globals__
        for most, lines in ((30000, 10 ** 6), (30000, 2000)):
            with self.subTest(lines):
                self.addCleanup(old.__setitem__, "MOST_CHARACTERS", old["MOST_CHARACTERS"])
                self.addCleanup(old.__setitem__, "_MOST_LINES", old["_MOST_LINES"])
                old["MOST_CHARACTERS"], old["_MOST_LINES"] = most, lines
                page = self.checked(Findings(leaks, tests=9))
                whole = len(page.texts("details", class_="cause"))
                short = len(page.texts("div", class_="cause brief"))
                self.assertGreater(60, whole)
                self.assertTrue(short)
                left = 60 - whole - short
                self.assertEqual(["and %d more causes, which the JSON report describes" % left]
                                 if left else [], page.texts("p", class_="more"))

    def test_two_causes_of_one_fingerprint(self):
        self.checked(Findings((self.connection(1), replace(self.connection(1), size=3)), tests=1))

    def test_a_permanent_link_is_the_same_in_the_next_run(self):
        def link(*leaks):
            page = self.checked(Findings(leaks, tests=9))
            return [attributes["href"] for tag, attributes, text in page.elements
                    if tag == "a" and "".join(text) == "Permanent link"]
        self.assertEqual(link(self.connection(3)), link(self.thread(), self.connection(5))[:1])
        self.assertNotEqual(link(self.thread()), link(self.connection()))

    def test_a_policy_that_lets_in_nothing_else(self):
        page = self.checked(self.page())
        policy, = [attributes["content"] for tag, attributes, _ in page.elements
                   if attributes.get("http-equiv") == "Content-Security-Policy"]
        self.assertIn("default-src 'none'", policy)
        style, = page.texts("style")
        script, = [text for text, attributes in (
            ("".join(text), attributes) for tag, attributes, text in page.elements
            if tag == "script") if "type" not in attributes]
        self.assertIn("style-src %s;" % html_text.checksum(style), policy)
        self.assertIn("script-src %s;" % html_text.checksum(script), policy)
        self.assertNotIn("unsafe", policy)


class HostileTests(PageCase):
    def hostile(self, text):
        """Return the page of findings that have *text* wherever a suite can put it."""
        tests = ("tests.test_x.T%s.test_%s" % (text, text), "t.py::test[%s]" % text)
        opened = self.opened(tests[0], ("shop/%s.py" % text, 3, text), thread=text)
        leak = replace(
            self.kept(), subject=text, tests=tests, acquisition=opened, remedy=text,
            closed="closed " + text, silence=text, cause=text, notes=((text, text),),
            holding=((text, text, 3),), kind="kept test")
        return Page(to_html(Findings(
            (leak, replace(leak, kind=text, cause="2")), (Known(leak, text, text),), (text,), 2,
            ((tests[0], text),), worker=text, timeline=timeline_of(tests, tests)),
            style=self.style))

    def test_what_the_suite_says_is_text(self):
        harmless = self.hostile("x")
        for text in HOSTILE:
            with self.subTest(text):
                page = self.hostile(text)
                self.assertEqual([], page.faults)
                self.assertEqual({tag for tag, _, _ in harmless.elements},
                                 {tag for tag, _, _ in page.elements})
                for tag, _, texts in page.elements:
                    if tag not in ("style", "script", "html", "head", "body"):
                        self.assertTrue("".join(texts).replace("\n", "").isprintable(), tag)
                self.assertEqual(2, len(page.data()["names"]))

    def test_the_names_of_tests_in_the_data(self):
        for text in HOSTILE:
            tests = ["t.T.test_%s" % text]
            raw = to_html(Findings(tests=1, timeline=timeline_of(tests)), style=self.style)
            block = raw.partition('id="timeline-data">')[2].partition("</script>")[0]
            self.assertNotIn("<", block)
            self.assertTrue(block.isascii())

    def test_a_million_characters(self):
        text = "x<" * 500000
        leak = replace(self.kept(), subject=text, tests=("t.T.test_" + text,),
                       notes=(("is", text),), remedy=text, holding=((text, text, 1),))
        page = to_html(Findings((leak,), (Known(leak, text, text),), (text,), 1,
                                timeline=timeline_of(leak.tests)), style=self.style)
        self.assertEqual([], Page(page).faults)
        self.assertLess(len(page), 200000)

    def test_secrets_are_hidden_as_in_the_text(self):
        opened = self.opened(ORDERS + "test_x", ("tests/secret.py", 2, "OrderTests.test_x"))
        leak = Leak("connection", "connection to my://a:hunter2@h was left open",
                    ("t.py::test[password=hunter2]",), acquisition=opened,
                    notes=(("is", "password=hunter2"),), holding=(("password=hunter2", "str", 3),),
                    remedy="connect(password='hunter2')", silence="x=\"my://a:hunter2@h\"")
        findings = Findings((leak,), (Known(leak, "password=hunter2", "x"),),
                            ("my://a:hunter2@h",), 1, (("t.T.test", "password=hunter2"),),
                            timeline=timeline_of(leak.tests, leak.tests))
        self.assertNotIn("hunter2", to_html(findings, style=self.style))


class TimelineTests(PageCase):
    def test_the_columns_as_the_script_reads_them(self):
        findings = self.page()
        page = Page(to_html(findings, style=self.style))
        timeline, read = findings.timeline, columns(page)
        for name in ("resident", "objects", "descriptors", "connections", "threads", "kept",
                     "peak"):
            self.assertEqual(list(getattr(timeline, name)), read[name], name)
        value = page.data()
        owners = [value["owners"][index] for index, length in value["runs"]
                  for _ in range(length)]
        self.assertEqual(list(timeline.tests),
                         ["%s.%s" % pair for pair in zip(owners, value["names"])])

    def test_who_left_what(self):
        findings = self.page()
        value = Page(to_html(findings, style=self.style)).data()
        left = {findings.timeline.tests[at]: {value["causes"][each][2] for each in causes}
                for at, causes in value["marks"]}
        for leak in findings.leaks:
            for test in leak.tests:
                if test in findings.timeline.tests:
                    self.assertIn(leak.subject, left[test])
        self.assertNotIn(findings.timeline.tests[0], left)

    def test_what_a_fixture_left_is_at_the_first_test_of_its_class(self):
        tests = tests_of(100)
        scopes = {"setUpClass (%s)" % tests[50].rpartition(".")[0]: tests[40],
                  "setUpModule (%s)" % tests[50].rpartition(".")[0].rpartition(".")[0]: tests[40]}
        for fixture, first in scopes.items():
            findings = Findings((Leak("file", "file was left open", (fixture,)),), tests=100,
                                timeline=timeline_of(tests))
            value = Page(to_html(findings, style=self.style)).data()
            self.assertEqual([first], [tests[at] for at, _ in value["marks"]], fixture)

    def test_what_one_of_several_tests_left(self):
        tests = tests_of(100)
        leak = Leak("patch", "the patch of shop.send was not stopped",
                    candidates=tuple(tests[20:40]))
        page = Page(to_html(Findings((leak,), tests=100, timeline=timeline_of(tests)),
                            style=self.style))
        self.assertEqual([[0, 20, 39, 20]], page.data()["perhaps"])
        self.assertEqual([], page.data()["marks"])
        self.assertIn("1 of 20 tests", page.texts("summary")[0])

    def test_several_processes(self):
        """Each begins anew: nothing is more or less than what another one had."""
        one, other = timeline_of(tests_of(30)), timeline_of(tests_of(60)[30:])
        descriptors = tuple(each + 500 for each in other.descriptors)
        both = joined([("gw0", one), ("gw1", other._replace(descriptors=descriptors))])
        page = Page(to_html(Findings(tests=60, timeline=both), style=self.style))
        self.assertEqual([30], page.data()["processes"])
        self.assertIn("60 tests in run order, of 2 processes one after the other.",
                      page.texts("p", class_="faint"))
        table, = page.texts("table", id="tests-table")
        self.assertNotIn("+500", table)
        grown = sum(each.resident[-1] - each.resident[0] for each in (one, other))
        self.assertIn(amount(grown), page.texts("dl", class_="tiles")[0])

    def test_what_was_traced(self):
        traced = tuple(at * 100000 for at in range(20))
        timeline = timeline_of(tests_of(20))._replace(traced=traced)
        page = Page(to_html(Findings(tests=20, timeline=timeline), style=self.style))
        self.assertIn("Traced", page.texts("th"))
        self.assertEqual(list(traced), summed(page.data()["traced"]))

    def test_lanes_that_nobody_recorded(self):
        empty = (None,) * 20
        timeline = timeline_of(tests_of(20))._replace(connections=empty, resident=empty, kept=empty,
                                                      peak=empty, source="")
        text = to_html(Findings(tests=20, timeline=timeline), style=self.style)
        self.assertIn("Not recorded here: resident memory, connections.", text)
        self.assertEqual(["objects", "descriptors", "threads"],
                         [lane["key"] for lane in Page(text).data()["lanes"]])

    def test_more_tests_than_a_page_takes(self):
        tests = tests_of(1000)
        timeline = timeline_of(tests, [tests[777]])
        high = list(timeline.resident)
        high[313] = 10 ** 9
        timeline = timeline._replace(resident=tuple(high))
        self.addCleanup(setattr, html_timeline, "MOST_POINTS", html_timeline.MOST_POINTS)
        html_timeline.MOST_POINTS = 100
        leak = Leak("file", "file was left open", (tests[777],))
        page = Page(to_html(Findings((leak,), tests=1000, timeline=timeline), style=self.style))
        places = columns(page)["places"]
        self.assertLess(len(places), 200)
        self.assertEqual(sorted(set(places)), places)
        for place in (0, 313, 777, 999):        # the ends, the highest, and what leaked
            self.assertIn(place, places)
        self.assertEqual([tests[place].rpartition(".")[2] for place in places],
                         page.data()["names"])

    def test_every_lane_is_drawn_without_scripts(self):
        page = Page(to_html(self.page(), style=self.style))
        curves = [attributes["d"] for _, attributes, _ in page.elements
                  if attributes.get("class") == "curve"]
        self.assertEqual(5, len(curves))
        for curve in curves:
            self.assertRegex(curve, r"^M\d+ [\d.]+(L\d+ [\d.]+)+$")

    def test_the_table_has_the_highest_of_each_figure(self):
        tests = tests_of(300)
        timeline = timeline_of(tests)
        kept, seconds = list(timeline.kept), list(timeline.seconds)
        kept[100], seconds[200] = 10 ** 8, 50.0
        findings = Findings(tests=300, timeline=timeline._replace(kept=tuple(kept),
                                                                  seconds=tuple(seconds)))
        rows = Page(to_html(findings, style=self.style)).texts("tr")
        self.assertIn("test_100", rows[1])
        self.assertIn("100 MB", rows[1])
        self.assertTrue([row for row in rows if "test_200" in row and "50.00 s" in row])


class RemedyTests(PageCase):
    def test_code_can_be_copied_and_a_sentence_is_one(self):
        for text, code in (
            ("self.addCleanup(self.db.close)", True), ("with open('x') as file:", True),
            ("await send(...)", True), ("self.addCleanup(os.chdir, os.getcwd())  # before", True),
            ("let it end with the test, and join it", False), ("open it in setUp", False),
            ("keep the file in self.file, then self.addCleanup(self.file.close)", False),
        ):
            page = Page(to_html(Findings((Leak("file", "x", ("t.T.test",), remedy=text),), tests=1),
                                style=self.style))
            self.assertEqual([text] if code else [], page.texts("code", class_="remedy"))
            self.assertIn(text, page.texts("p", class_="copied")[0])
            self.assertEqual(code, "Copy" in page.texts("p", class_="copied")[0])


class TextTests(unittest.TestCase):
    """Elements, code and data."""

    def test_elements(self):
        self.assertEqual('<a href="#&quot;" class="x" data-no="1" hidden>&lt;b&gt;<i>1</i></a>',
                         element("a", "<b>", [element("i", "1"), None], href='#"', class_="x",
                                 data_no=1, hidden=True, title=None, open=False))
        self.assertEqual("<br>", element("br"))

    def test_code_in_colours(self):
        for line, found in (
            ('    self.db = connect("a", 3)  # b',
             '    self.db = connect(<span class="s">&quot;a&quot;</span>, '
             '<span class="n">3</span>)  <span class="c"># b</span>'),
            ("    def x(self):", '    <span class="k">def</span> x(self):'),
            ('"""', "&quot;&quot;&quot;"), ("x = (", "x = ("), ("$ ?", "$ ?"), ("", ""),
            ("\udce9 <", "\\udce9 &lt;"),
        ):
            self.assertEqual(found, html_text.coloured(line), line)

    def test_code_of_several_lines(self):
        frame = code_frame([(8, '"""'), (9, "x = open("), (10, '    "<a>",'), (11, ")")], 9)
        self.assertEqual(['8"""\n', '10    "<a>",\n', "11)\n"],
                         Page(frame).texts("span", class_="line"))
        self.assertEqual(["9x = open(\n"], Page(frame).texts("span", class_="line marked"))
        self.assertEqual(['"<a>"'], Page(frame).texts("span", class_="s"))

    def test_data(self):
        self.assertEqual(r'["\u003c/script\u003e","\u0026","\u2028","\udce9"]',
                         data(["</script>", "&", "\u2028", "\udce9"]))

    def test_anchors(self):
        anchors = Anchors()
        self.assertEqual(["a", "a-2", "a-3", "a-2-2"],
                         [anchors.unique(name) for name in ("a", "a", "a", "a-2")])

    def test_markup_is_what_was_made_here(self):
        self.assertNotIsInstance(element("a") + "<b>", Markup)
