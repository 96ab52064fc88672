"""A leak and what it is made of, as values. Python 3.8 and later."""

__unittest = True
