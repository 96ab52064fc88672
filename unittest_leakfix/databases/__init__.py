"""Databases: the connections that tests leave open, and the server's own view of them."""
