"""The report: all sentences, as text and as JSON. Python 3.8 and later."""

__unittest = True
