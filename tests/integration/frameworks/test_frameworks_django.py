"""The mixins on Django's classes, under its runner and under unittest, with sqlite."""

from __future__ import absolute_import

import unittest

from tests.integration.frameworks.framework_case import FrameworkCase

try:
    import django
except ImportError:
    raise unittest.SkipTest("needs Django")

SETTINGS = '''\
SECRET_KEY = "of a test"
INSTALLED_APPS = ["shop"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "urls"
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
USE_TZ = False
'''

MODELS = '''\
from django.db import models


class Order(models.Model):
    name = models.CharField(max_length=20)
'''

URLS = '''\
from django.http import HttpResponse
try:
    from django.urls import re_path
except ImportError:
    from django.conf.urls import url as re_path

urlpatterns = [re_path("^hello$", lambda request: HttpResponse("hello"))]
'''

RUN = '''\
import os, sys, unittest
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django
django.setup()
from django.conf import settings
from django.test.utils import get_runner
runner = get_runner(settings)(verbosity=2, **eval(sys.argv[1]))
sys.exit(bool(runner.run_tests(["test_sample"])))
'''

DATABASE = '''
from django.db import connection
from shop.models import Order


class Orders(Base):
    def setUp(self):
        super(Orders, self).setUp()
        self.connection = connection
        self.cursor = connection.cursor()

    def check(self, name):
        self.assertEqual(Order.objects.filter(name="fresh").count(), 0)
        self.order = Order.objects.create(name="fresh")
        self.orders = Order.objects.all()
        self.answer = self.client.get("/hello")
        self.assertEqual(self.answer.content, b"hello")
        self.cursor.execute("select 1")

    def test_one(self):
        self.check("one")

    def test_two(self):
        self.check("two")

    def test_fails_with_an_order(self):
        self.check("three")
        self.fail("with an order")
'''

CLASS_DATA = '''

class ClassData(Base):
    @classmethod
    def setUpTestData(cls):
        cls.data = Order.objects.create(name="of the class")

    def test_changes_it(self):
        self.data.name = "changed"
        self.data.save()
        self.assertEqual(self.data.name, "changed")

    def test_finds_it_unchanged(self):
        self.assertEqual(self.data.name, "of the class")
        self.assertEqual(Order.objects.get().name, "of the class")
'''

SIMPLE = '''

class Simple(Base):
    def test_client(self):
        self.answer = self.client.get("/hello")
        self.assertEqual(self.answer.content, b"hello")

    def test_settings(self):
        with self.settings(LANGUAGE_CODE="de"):
            self.more = Payload()
'''

# "async def" cannot be compiled on 2.7; this is the text of another module.
ASYNC = '''

class Asynchronous(Base):
    async def test_async_client(self):
        self.answer = await self.async_client.get("/hello")
        self.assertEqual(self.answer.content, b"hello")

    async def test_async_fails(self):
        self.fail("asynchronously")

    @unittest.skip("asynchronously")
    async def test_async_skip(self):
        pass
'''


class DjangoTest(FrameworkCase):
    imports = "import django.test"
    base = "django.test.TestCase"
    more = (FrameworkCase.more + DATABASE + CLASS_DATA
            + ASYNC * (django.VERSION >= (3, 1)))
    command = ["run.py", "{}"]

    def setUp(self):
        super(DjangoTest, self).setUp()
        self.write("settings.py", SETTINGS)
        self.write("urls.py", URLS)
        self.write("run.py", RUN)
        self.write("shop/__init__.py", "")
        self.write("shop/models.py", MODELS)

    def test_outcomes(self):
        self.check()

    def test_debug_sql(self):
        self.command = ["run.py", "{'debug_sql': True}"]
        self.check()


class TransactionTest(DjangoTest):
    base = "django.test.TransactionTestCase"
    more = (FrameworkCase.more + DATABASE + ASYNC * (django.VERSION >= (3, 1)))
    test_debug_sql = None


class SimpleTest(DjangoTest):
    base = "django.test.SimpleTestCase"
    more = FrameworkCase.more + SIMPLE + ASYNC * (django.VERSION >= (3, 1))
    test_debug_sql = None


if __name__ == "__main__":
    unittest.main()
