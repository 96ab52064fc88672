"""What a finished test leaves behind, case by case.

``harness`` runs one case in one *column* and lists by name what outlived its test;
the other modules hold the cases, one theme each. ``python -m tests.retention`` prints
the table of docs/retention.md.

A case is a function that makes a small test class. Six tests, ``test_1`` to ``test_6``,
run its method ``test``; each takes a `Payload` that bears its name.
"""

from __future__ import absolute_import
