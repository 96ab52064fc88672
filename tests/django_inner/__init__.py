"""A Django project whose tests look at `unittest_leakfix.django` from within (run by
tests/integration/django_runner/)."""

from tests.support.python import needs

needs(3, 8)
