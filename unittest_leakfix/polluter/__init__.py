"""Which test breaks another: ``python -m unittest_leakfix polluter`` (Python 3.8 and later).

`selection`, `pytest_selection` and `django_selection` are loaded by child processes, the other
files by the command.
"""
