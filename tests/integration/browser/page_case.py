"""A test case with a page in Chromium, which fails for each request and each word on its
console."""
from __future__ import annotations

import os
import shutil
import tempfile
import unittest

from tests.unit.leaks.page_samples import PageCase
from unittest_leakfix.leaks.report.html_page import to_html

try:
    from playwright.sync_api import sync_playwright
except ImportError:
    sync_playwright = None
try:
    from axe_playwright_python.sync_playwright import Axe
except ImportError:
    Axe = None

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
                None)
DESKTOP, PHONE = (1280, 900), (390, 844)


def needs_browser():
    """Skip the tests of a module where there is no browser."""
    if sync_playwright is None:
        raise unittest.SkipTest("playwright is not installed")
    if CHROMIUM is None:
        raise unittest.SkipTest("chromium is not installed")


class BrowserCase(PageCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        driver = sync_playwright().start()
        cls.addClassCleanup(driver.stop)
        # Without a sandbox, which a container has no right to make.
        cls.browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        cls.addClassCleanup(cls.browser.close)

    def open(self, findings, anchor="", size=DESKTOP, theme="light", scripts=True, **options):
        """Return the page of *findings*, loaded from a file."""
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, "leaks.html")
        with open(path, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(to_html(findings, style=self.style, **options))
        return self.load("file://" + path + anchor, size, theme, scripts)

    def load(self, address, size=DESKTOP, theme="light", scripts=True):
        """Return the page at *address*."""
        context = self.browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=theme,
            java_script_enabled=scripts, reduced_motion="reduce")
        self.addCleanup(context.close)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = context.new_page()
        printed = []
        self.addCleanup(lambda: self.assertEqual([], printed))
        page.on("console", lambda message: printed.append(message.text))
        page.on("pageerror", lambda error: printed.append(str(error)))
        page.on("request", lambda request: None if request.url in (
            address, address.partition("#")[0], "data:,") else printed.append(request.url))
        page.goto(address)
        return page

    def shown(self, page):
        """Return the ids of the causes that are shown, in their order."""
        return page.evaluate("Array.from(document.querySelectorAll('#list > .cause'))"
                             ".filter(e => e.offsetParent).map(e => e.id)")

    def assertAccessible(self, page):
        """Fail for what axe-core finds."""
        if Axe is None:
            self.skipTest("axe-playwright-python is not installed")
        found = Axe().run(page)
        self.assertEqual([], [(each["id"], [node["html"][:200] for node in each["nodes"]])
                              for each in found.response["violations"]])
