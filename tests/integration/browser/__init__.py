"""The HTML page in a real browser: Chromium, driven by Playwright. Both must be installed:

    apt-get install chromium && pip install playwright axe-playwright-python
    LEAKFIX_TIER=nightly python -m unittest tests.integration.browser.test_page
"""

from tests.support.python import needs

needs(3, 8)
