"""The project: its archive, types and syntax, and the test command."""
