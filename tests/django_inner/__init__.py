"""A Django project whose tests look at `unittest_leakfix.django` from within (run by
tests/test_django_*.py)."""
