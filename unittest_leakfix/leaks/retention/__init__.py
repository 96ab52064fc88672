"""What keeps an object alive: the search for its holders. Python 3.8 and later."""

__unittest = True
