"""Schemathesis tries what the API's description allows, over a live server, with an open session
for each case."""

import unittest

from django.conf import settings
from django.db import connection

try:
    import requests
    import schemathesis
    from hypothesis import HealthCheck, Phase, given, strategies
    from hypothesis import settings as tries
    from hypothesis.extra.django import LiveServerTestCase
except ImportError:
    raise unittest.SkipTest("needs hypothesis, schemathesis and requests")
if "rest_framework" not in settings.INSTALLED_APPS or not connection.settings_dict["CONN_MAX_AGE"]:
    raise unittest.SkipTest("needs djangorestframework, drf-spectacular, and SHOP_CONN_MAX_AGE=60")


class ApiTests(LiveServerTestCase):
    sessions = []

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        while cls.sessions:
            cls.sessions.pop().close()

    @tries(max_examples=24, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
           suppress_health_check=list(HealthCheck))
    @given(strategies.data())
    def test_any_operation(self, data):
        schema = schemathesis.openapi.from_url(self.live_server_url + "/api/schema/")
        operations = [each.ok() for each in schema.get_all_operations()]
        self.assertGreaterEqual(len(operations), 12)
        case = data.draw(data.draw(strategies.sampled_from(operations)).as_strategy())
        session = requests.Session()
        self.sessions.append(session)
        self.assertLess(case.call(session=session).status_code, 500, case)
