"""A small application, for the tests beside it."""
