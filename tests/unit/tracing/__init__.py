"""Who opened what, and where."""

from tests.support.python import needs

needs(3, 8)
