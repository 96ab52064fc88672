"""What was opened, by which test, on which of the user's lines. Python 3.8 and later."""

__unittest = True
