"""Real servers: who opened the connections, how many, and how they are ended."""

from tests.support.python import needs

needs(3, 8)
