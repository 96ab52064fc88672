"""Finding what is left: survivors, their chains, their texts."""

from tests.support.python import needs

needs(3, 8)
