"""What is watched, and put back, around a test. Python 3.8 and later."""

__unittest = True
