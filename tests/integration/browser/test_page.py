"""The page as people use it: looked at, filtered, zoomed, copied from, by mouse, keys and thumb."""
from __future__ import annotations

import json
import os
import time
import unittest
from dataclasses import replace

from tests.integration.browser import page_case
from tests.integration.browser.page_case import DESKTOP, PHONE, BrowserCase
from tests.tiers import nightly
from tests.unit.leaks.leak_kinds import every_kind
from tests.unit.leaks.page_samples import HOSTILE, tests_of, timeline_of
from unittest_leakfix.leaks.model.leak import Findings, Known, Leak
from unittest_leakfix.leaks.report.html_page import to_html

setUpModule = page_case.needs_browser


@nightly
class LookTests(BrowserCase):
    def test_both_themes_and_both_widths_are_accessible(self):
        findings = replace(self.page(), leaks=self.page().leaks + tuple(every_kind(self))[:8])
        for theme in ("light", "dark"):
            for size in (DESKTOP, PHONE):
                with self.subTest(theme=theme, size=size):
                    page = self.open(findings, size=size, theme=theme, baseline=True)
                    self.assertAccessible(page)
                    self.assertEqual(size[0], page.evaluate(
                        "document.documentElement.scrollWidth"))

    def test_long_names_stay_within_the_page(self):
        long = "x" * 400
        tests = ("tests.test_%s.T%s.test_%s" % (long, long, long), "t/%s.py::test[x]" % long)
        opened = self.opened(tests[0], ("shop/%s.py" % long, 3, long))
        leak = replace(self.kept(), subject=long, kind=long, tests=tests, notes=((long, long),),
                       holding=((long, long, 3),), acquisition=opened, remedy="self.%s()" % long)
        findings = Findings((leak, replace(leak, cause="x", kind="file")),
                            (Known(leak, long, long),), (long,), 2, ((tests[0], long),),
                            timeline=timeline_of(tests, tests))
        for size in (DESKTOP, PHONE):
            page = self.open(findings, size=size)
            self.assertEqual(size[0], page.evaluate("document.documentElement.scrollWidth"))

    def test_no_leaks_are_accessible_too(self):
        page = self.open(Findings(tests=30, timeline=timeline_of(tests_of(30))), size=PHONE)
        self.assertAccessible(page)
        self.assertEqual("No leaks", page.inner_text("h1"))
        self.assertTrue(page.is_visible("#chart"))

    def test_the_theme_is_the_system_s_until_one_is_chosen(self):
        def background(page):
            return page.evaluate("getComputedStyle(document.body).backgroundColor")
        light = background(self.open(self.page()))
        page = self.open(self.page(), theme="dark")
        dark = background(page)
        self.assertNotEqual(light, dark)
        page.click("#theme")
        self.assertEqual(light, background(page))
        page.click("#theme")
        self.assertEqual(dark, background(page))
        page.reload()
        self.assertEqual("Dark", page.inner_text("#theme"))

    def test_without_scripts(self):
        page = self.open(self.page(), scripts=False, baseline=True)
        text = page.inner_text("body")
        for words in ("OrderTests.test_checkout was kept after it finished",
                      "self.db = pymysql.connect(**settings)", "self.addCleanup(self.db.close)",
                      "the pool lives as long as the process"):
            self.assertIn(words, text)
        for control in ("#theme", "#filters", "#tools", "#readout", "[data-copy]", "#keys"):
            self.assertFalse(page.is_visible(control), control)
        self.assertEqual(5, page.locator(".curve").count())
        page.click("#cause-1 > summary")
        self.assertFalse(page.is_visible("#cause-1 .body"))

    def test_what_the_suite_says_is_not_run(self):
        for text in HOSTILE:
            with self.subTest(text):
                tests = ("t.T%s.test_%s" % (text, text), "t.py::test[%s]" % text)
                leak = replace(self.kept(), subject=text, tests=tests, kind=text, remedy=text,
                               notes=((text, text),))
                findings = Findings((leak, replace(leak, cause="x")), (Known(leak, text, text),),
                                    (text,), 2, timeline=timeline_of(tests, tests))
                page = self.open(findings)
                page.focus("#scrub")
                page.keyboard.press("End")
                page.fill("#find", text.replace("\n", " "))
                self.assertEqual(0, page.locator("img").count())
                self.assertEqual(2, page.locator("script:not([type])").count()
                                 + page.locator("script[type]").count())


@nightly
class CauseTests(BrowserCase):
    def test_filter_by_kind_and_text_and_baseline(self):
        page = self.open(self.page(), baseline=True)
        self.assertEqual(["cause-1", "cause-2", "cause-3", "known-1"], self.shown(page))
        page.click("[data-kind=thread].chip")
        self.assertEqual(["cause-3"], self.shown(page))
        self.assertEqual("1 of 4 causes", page.inner_text("#shown"))
        page.click("[data-kind=connection].chip")
        self.assertEqual(["cause-2", "cause-3"], self.shown(page))
        page.fill("#find", "PYMYSQL setup")
        self.assertEqual(["cause-2"], self.shown(page))
        page.fill("#find", "no such test")
        self.assertEqual([], self.shown(page))
        page.click("#show-all")
        self.assertEqual(4, len(self.shown(page)))
        page.check("#new")
        self.assertEqual(["cause-1", "cause-2", "cause-3"], self.shown(page))

    def test_filter_by_a_test(self):
        findings = self.page()
        page = self.open(findings)
        test = findings.leaks[1].tests[20]
        page.fill("#find", test.rpartition(".")[2])
        self.assertEqual(["cause-2"], self.shown(page))

    def test_order(self):
        page = self.open(self.page())
        page.select_option("#order", "tests")
        self.assertEqual(["cause-2", "cause-1"], self.shown(page)[:2])
        page.select_option("#order", "size")
        self.assertEqual(["cause-1", "cause-2", "cause-3", "known-1"], self.shown(page))

    def test_folding(self):
        page = self.open(self.page())
        tests = page.locator("#cause-2 .tests")
        self.assertFalse(tests.locator("p").first.is_visible())
        tests.locator("summary").click()
        self.assertTrue(tests.locator("p").first.is_visible())
        page.click("#unfold")
        self.assertEqual(0, page.locator(".cause[open]").count())
        page.click("#unfold")
        self.assertEqual(4, page.locator(".cause[open]").count())

    def test_a_link_unfolds_its_cause(self):
        leaks = tuple(replace(self.connection(2), cause="c%d" % number) for number in range(30))
        page = self.open(Findings(leaks, tests=9), anchor="#cause-28")
        self.assertTrue(page.is_visible("#cause-28 .body"))
        self.assertFalse(page.is_visible("#cause-27 .body"))
        page.wait_for_function("document.getElementById('cause-28').contains("
                               "document.activeElement)")
        permanent = page.locator("#cause-20 [title]").get_attribute("href")
        page.evaluate("name => { location.hash = name; }", permanent)
        page.wait_for_selector("#cause-20 .body")

    def test_copying(self):
        page = self.open(self.page())

        def copied():
            return page.evaluate("navigator.clipboard.readText()")
        page.click("#cause-2 .rest [data-copy=text]")
        page.wait_for_selector("#cause-2 .rest :text('Copied')")
        self.assertEqual(page.locator("#cause-2 pre.text").text_content(), copied())
        self.assertTrue(copied().startswith("[2] pymysql connection"))
        page.click("#cause-2 [aria-label='Copy this line']")
        self.assertEqual("self.addCleanup(self.db.close)", copied())
        page.click("#cause-1 [aria-label='Copy this expression']")
        self.assertEqual("shop.signals.post_save.receivers[0].__self__", copied())
        page.click("#cause-1 .rest a")
        self.assertTrue(copied().endswith("/leaks.html#cause-1"))
        self.assertTrue(page.url.endswith("#cause-1"))

    def test_keys(self):
        page = self.open(self.page())
        page.keyboard.press("j")
        page.keyboard.press("j")
        self.assertEqual("cause-2", page.evaluate("document.activeElement.closest('.cause').id"))
        page.keyboard.press("k")
        page.keyboard.press("Enter")
        self.assertFalse(page.is_visible("#cause-1 .body"))
        page.keyboard.press("/")
        page.keyboard.type("thread")
        self.assertEqual(["cause-3"], self.shown(page))
        page.keyboard.press("Escape")
        self.assertEqual(4, len(self.shown(page)))


@nightly
class TimelineTests(BrowserCase):
    def at(self, page, place, number):
        """Return where the test at *place*, of that *number* of tests, is drawn."""
        page.locator("#scrub").scroll_into_view_if_needed()
        box = page.locator("#scrub").bounding_box()
        return box["x"] + (place + .5) * box["width"] / number, box["y"] + box["height"] / 2

    def range(self, page):
        page.evaluate("new Promise(requestAnimationFrame)")
        return page.inner_text("#range")

    def test_hover_shows_the_test_and_what_it_left(self):
        findings = self.page()
        page = self.open(findings)
        page.mouse.move(*self.at(page, 110, 200))
        self.assertEqual("test_110", page.inner_text("#readout .test"))
        self.assertIn("#2  pymysql connection", page.text_content("#readout ul"))
        tip = page.inner_text(".tip")
        self.assertIn("test_110", tip)
        self.assertIn("left pymysql connection", tip)
        page.mouse.move(*self.at(page, 60, 200))
        self.assertIn("left nothing behind", page.inner_text("#readout"))
        self.assertIn("Resident memory", page.inner_text("#readout dl"))
        page.mouse.move(0, 0)
        self.assertFalse(page.is_visible(".tip"))

    def test_zoom_by_dragging(self):
        page = self.open(self.page())
        self.assertEqual("all 200 tests", self.range(page))
        before = page.locator(".curve").first.get_attribute("d")
        page.mouse.move(*self.at(page, 50, 200))
        page.mouse.down()
        page.mouse.move(*self.at(page, 80, 200))
        self.assertTrue(page.is_visible(".selection"))
        page.mouse.move(*self.at(page, 99, 200))
        page.mouse.up()
        self.assertEqual("tests 51 to 100 of 200", self.range(page))
        self.assertFalse(page.is_visible(".selection"))
        self.assertNotEqual(before, page.locator(".curve").first.get_attribute("d"))
        page.click("[data-do=reset]")
        self.assertEqual("all 200 tests", self.range(page))

    def test_all_of_it_by_keys(self):
        page = self.open(self.page())
        page.keyboard.press("t")
        self.assertEqual("scrub", page.evaluate("document.activeElement.id"))

        def now():
            return page.locator("#scrub").get_attribute("aria-valuetext")
        page.keyboard.press("Home")
        self.assertIn("test_000, tests.test_cart.CartTests0, left nothing", now())
        page.keyboard.press("ArrowRight")
        self.assertIn("test_001", now())
        page.keyboard.press("n")
        self.assertIn("test_005", now())
        self.assertIn("left OrderTests.test_checkout was kept", now())
        page.keyboard.press("Enter")
        self.assertTrue(page.evaluate("document.getElementById('cause-1').contains("
                                      "document.activeElement)"))
        page.keyboard.press("t")
        page.keyboard.press("End")
        page.keyboard.press("p")
        self.assertIn("test_136", now())
        page.keyboard.press("+")
        self.assertIn(" of 200", self.range(page))
        page.keyboard.press("0")
        self.assertEqual("all 200 tests", self.range(page))
        page.keyboard.press("Home")
        for _ in range(5):
            page.keyboard.press("Shift+ArrowRight")
        self.assertTrue(page.is_visible(".selection"))
        page.keyboard.press("Enter")
        self.assertEqual("tests 1 to 51 of 200", self.range(page))
        page.keyboard.press("Escape")
        self.assertEqual("all 200 tests", self.range(page))

    def test_lanes_modules_and_marks(self):
        page = self.open(self.page())
        self.assertEqual(["Modules", "Leaks", "Resident memory", "Python objects", "Descriptors",
                          "Connections", "Threads"], page.locator(".axis .name").all_inner_texts())
        self.assertEqual(5, page.locator("[data-strip=modules] .band").count())
        self.assertIn("tests.test_orders", page.text_content("[data-strip=modules] svg"))
        self.assertIn("MB", page.inner_text("[data-lane=resident] .high"))
        self.assertEqual(1, page.locator("[data-strip=marks] .mark").count())
        self.assertTrue(page.locator(".edge").count())
        self.assertTrue(page.locator(".edge.of-class").count())

    def test_a_thumb(self):
        page = self.open(self.page(), size=PHONE)
        page.mouse.move(*self.at(page, 110, 200))
        page.mouse.down()
        page.mouse.up()
        self.assertIn("pymysql", page.text_content("#readout"))
        page.click("[data-do=next-leak]")
        page.click("[data-do=zoom-in]")
        self.assertIn(" of 200", self.range(page))

    def test_from_a_cause_and_from_the_table_to_the_timeline(self):
        page = self.open(self.page())
        page.click("#cause-2 [data-in-timeline]")
        self.assertEqual("test_100", page.inner_text("#readout .test"))
        self.assertEqual("scrub", page.evaluate("document.activeElement.id"))
        self.assertFalse(page.is_visible("#cause-3 [data-in-timeline]"))    # its test is not there
        name = page.locator("#tests-table tbody button").nth(3)
        text = name.inner_text()
        name.click()
        self.assertEqual(text, page.inner_text("#readout .test"))

    def test_what_one_of_several_tests_left(self):
        tests = tests_of(100)
        leak = Leak("patch", "the patch of shop.send was not stopped",
                    candidates=tuple(tests[20:40]))
        page = self.open(Findings((leak,), tests=100, timeline=timeline_of(tests)))
        page.click("#cause-1 [data-in-timeline]")
        self.assertEqual("tests 21 to 40 of 100", self.range(page))
        self.assertIn("left by this or another of 20 tests: the patch of shop.send",
                      page.text_content("#readout"))
        self.assertAccessible(page)

    def test_the_table_is_sorted_by_any_column(self):
        page = self.open(self.page())

        def column(index):
            return page.evaluate("index => Array.from(document.querySelectorAll('#tests-table tbody"
                                 " tr'), row => +row.cells[index].dataset.value)", index)
        self.assertEqual(sorted(column(1), reverse=True), column(1))
        for index in (2, 3):
            page.locator("#tests-table thead button").nth(index).click()
            self.assertEqual(sorted(column(index), reverse=True), column(index))
            page.locator("#tests-table thead button").nth(index).press("Enter")
            self.assertEqual(sorted(column(index)), column(index))
        self.assertEqual(1, page.locator("#tests-table [aria-sort=ascending]").count())


@nightly
class LargeTests(BrowserCase):
    """20,000 tests: below 10 MB, and drawn at once. What is measured is printed by ``-v``'s
    failures only; the bounds are for any machine."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        tests = tests_of(20000)
        case = cls("test_size")
        leaks = tuple(replace(case.connection(), tests=tuple(tests[number::400]), cause=str(number))
                      for number in range(100))
        cls.findings = Findings(
            (*leaks, Leak("file", "file was left open", tuple(tests), cause="all")), tests=20000,
            timeline=timeline_of(tests, tests[::400]))

    def test_size(self):
        self.assertLess(len(to_html(self.findings, style=self.style).encode()), 10 ** 7)

    def test_at_most_two_points_a_pixel(self):
        page = self.open(self.findings)
        width = page.evaluate("document.getElementById('scrub').clientWidth")
        for curve in page.locator(".curve").all():
            self.assertLessEqual(curve.get_attribute("d").count("L"), 2 * width)
        self.assertLess(page.locator("#chart *").count(), 1000)

    def test_it_is_painted_and_drawn_anew_in_time(self):
        page = self.open(self.findings)
        painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]"
                                ".startTime")
        frames = page.evaluate("""async () => {
            const scrub = document.getElementById("scrub"), box = scrub.getBoundingClientRect();
            const found = [];
            for (let at = 0; at < 60; at++) {
                const begun = performance.now();
                scrub.dispatchEvent(new PointerEvent("pointermove",
                    {clientX: box.left + at * box.width / 60, clientY: box.top + 9}));
                document.querySelector(at % 2 ? "[data-do=zoom-in]" : "[data-do=zoom-out]").click();
                await new Promise(requestAnimationFrame);
                scrub.getBoundingClientRect();
                found.push(performance.now() - begun);
            }
            return found.sort((a, b) => a - b);
        }""")
        measured = {"first paint, ms": round(painted), "median frame, ms": round(frames[30], 1),
                    "slowest frame, ms": round(frames[-1], 1)}
        if os.environ.get("LEAKFIX_MEASURED"):
            print(json.dumps(measured), time.strftime("%F"))
        self.assertEqual(60, len(frames))
        self.assertTrue(page.is_visible("#chart .curve >> nth=0"))


if __name__ == "__main__":
    unittest.main()
