"""What Django keeps on its own account is not a leak of a test; what a test left there is."""
from __future__ import annotations

import unittest

from tests.integration.django_runner.django_project import SETTINGS, ProjectCase, wanted

try:
    import django.test.runner  # noqa: F401
except ImportError:
    raise unittest.SkipTest("needs Django")

MORE = '''\
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "shop"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
ROOT_URLCONF = "shop.urls"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
'''  # noqa: E501
MODELS = '''\
from django.db import models


class Customer(models.Model):
    name = models.CharField(max_length=20)


class Order(models.Model):
    name = models.CharField(max_length=20)
    customer = models.ForeignKey(Customer, models.CASCADE, null=True)


class Refund(models.Model):
    order = models.OneToOneField(Order, models.CASCADE)
    others = models.ManyToManyField(Order, related_name="+")
'''
URLS = '''\
from django.shortcuts import render
from django.urls import path

urlpatterns = [path("a/<int:number>", lambda request, number: render(request, "%d.html" % number), name="a")]
'''  # noqa: E501
QUIET = '''\
from django import forms
from django.apps import apps
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.core.files.storage import default_storage
from django.db import connection
from django.db.models.signals import post_save
from django.template import engines, loader
from django.test import RequestFactory, SimpleTestCase, TestCase, TransactionTestCase, override_settings
from django.urls import get_resolver, resolve, reverse
from django.utils import translation
from shop.models import Customer, Order, Refund

payloads = []


class Caches(TestCase):
    def test_content_types(self):
        self.kind = ContentType.objects.get_for_model(Order)

    def test_managers(self):
        self.orders, self.refunds = Order.objects, Refund.objects

    def test_fields(self):
        self.meta = Order._meta.get_fields(), Refund._meta.related_objects, Customer._meta.fields_map
        self.field = Order._meta.get_field("customer")

    def test_requests(self):
        for number in (1, 2, 3):
            self.answer = self.client.get("/a/%d" % number)

    def test_resolvers(self):
        self.resolver = get_resolver()
        self.match = resolve("/a/1")
        self.assertEqual(reverse("a", args=[1]), "/a/1")

    def test_templates(self):
        self.template = loader.get_template("1.html")
        self.engine = engines["django"]

    def test_translation(self):
        with translation.override("de"):
            self.text = translation.gettext("yes")
            self.catalog = translation.trans_real.translation("de") if hasattr(translation, "trans_real") else None

    def test_users(self):
        self.user = User.objects.create_user("someone", password="secret")
        self.client.login(username="someone", password="secret")

    def test_forms(self):
        class OrderForm(forms.ModelForm):
            class Meta:
                model = Order
                fields = ["name"]
        self.form = OrderForm({"name": "a"})
        self.form.save()

    def test_rows(self):
        customer = Customer.objects.create(name="a")
        self.order = Order.objects.create(name="b", customer=customer)
        Refund.objects.create(order=self.order).others.add(self.order)
        self.rows = list(Order.objects.select_related("customer").prefetch_related("refund"))

    def test_other_things(self):
        self.storage, self.cache, self.connection = default_storage, cache, connection
        cache.set("a", "b")
        self.operations = connection.ops, connection.features, connection.introspection
        self.model = apps.get_model("shop", "Order")

    @override_settings(LANGUAGE_CODE="de")
    def test_settings(self):
        with self.settings(USE_TZ=True):
            self.answer = RequestFactory().get("/")

    async def test_asynchronous(self):
        self.answer = await self.async_client.get("/a/1")


class Again(Caches):
    pass


class OnceMore(Caches):
    pass


class Truncated(TransactionTestCase):
    def test_one(self):
        self.order = Order.objects.create(name="a")


class Simple(SimpleTestCase):
    def test_one(self):
        self.form = forms.Form()
'''  # noqa: E501
LOUD = '''\
from django.db.models.signals import post_save
from django.test import TestCase
from shop.models import Order

payloads = []
seen = []


class Signals(TestCase):
    def test_signal(self):
        post_save.connect(self.saved, sender=Order, weak=False)
        Order.objects.create(name="a")

    def saved(self, instance, **_):
        pass


class Rows(TestCase):
    def test_row(self):
        self.order = Order.objects.create(name="a")
        seen.append(self.order)
'''


class NoiseTest(ProjectCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.write("settings.py", SETTINGS + MORE)
        cls.write("shop/models.py", MODELS)
        cls.write("shop/urls.py", URLS)
        for number in (1, 2, 3):
            cls.write("shop/templates/%d.html" % number, "{% if true %}{{ text }}{% endif %}")

    def test_what_django_keeps_is_no_leak(self):
        self.write("shop/tests.py", QUIET)
        ran, = self.run_all([wanted("--leaks=report", "-v2")])
        self.assertIn("LEAKS  none in 41 tests", ran.text)
        self.assertEqual(ran.status, 0)

    def test_what_tests_left_with_django_is(self):
        self.write("shop/tests.py", LOUD)
        ran, = self.run_all([wanted("--leaks=report")])
        self.assertEqual([line for line in ran.report().splitlines() if line.startswith("[")], [
            "[1] Signals.test_signal was kept after it finished                   1 test",
            "[2] Order was kept after Rows.test_row (its self.order)              1 test"])


if __name__ == "__main__":
    unittest.main()
