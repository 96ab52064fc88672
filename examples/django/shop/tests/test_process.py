"""Another process, here a report that was left running, is on the test database."""

import os
import subprocess
import sys

from django.db import connection
from django.test import TransactionTestCase

REPORT = """
import sys, django
from django.conf import settings
try:
    import MySQLdb
except ImportError:
    import pymysql
    pymysql.version_info = (2, 2, 1, "final", 0)
    pymysql.install_as_MySQLdb()
settings.configure(USE_TZ=True, TIME_ZONE="UTC", DATABASES={"default": eval(sys.stdin.readline())})
django.setup()
from django.db import connection
connection.ensure_connection()
print("ready", flush=True)
sys.stdin.read()
"""


class OrderTests(TransactionTestCase):
    running = []

    def test_report(self):
        report = subprocess.Popen([sys.executable, "-c", REPORT], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, universal_newlines=True)
        self.running.append(report)
        wanted = ("ENGINE", "NAME", "HOST", "PORT", "USER", "PASSWORD")
        found = {name: connection.settings_dict[name] for name in wanted}
        found["USER"] = os.environ.get("SHOP_REPORT_USER", found["USER"])
        report.stdin.write("%r\n" % found)
        report.stdin.flush()
        self.assertEqual(report.stdout.readline(), "ready\n")
