"""What is watched and put back around a test."""

from tests.support.python import needs

needs(3, 8)
