"""What is closed after a test: what counts as open, how it is closed and described. Python 2.7, 3.6
and later."""

from __future__ import absolute_import

__unittest = True
