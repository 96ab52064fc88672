"""Which test breaks another: the search, and the child processes."""

from tests.support.python import needs

needs(3, 8)
