"""Write docs/pictures/page.png: the page of a real run, as a browser shows it.

    python docs/page_picture.py

Runs examples/ with ``--leaks-html``, and takes the picture with Chromium, driven by Playwright (see
CONTRIBUTING.md).
"""

import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARGET = os.path.join(ROOT, "docs", "pictures", "page.png")
COMMAND = ["-m", "unittest_leakfix", "discover", "-s", "examples"]


def main():
    """Take the picture."""
    from playwright.sync_api import sync_playwright
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        page = os.path.join(folder, "leaks.html")
        subprocess.check_call([sys.executable] + COMMAND + ["--leaks-html", page], cwd=ROOT)
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"),
                                         args=["--no-sandbox"])
        view = browser.new_page(viewport={"width": 1200, "height": 1150})
        view.goto("file://" + page)
        view.screenshot(path=TARGET)
        browser.close()


if __name__ == "__main__":
    main()
