"""The tests. ``python tests/everywhere.py`` runs them on every interpreter of this machine.

============== ===================================================================================
unit/          one part of the package at a time, in this process; folders as in the package
integration/   whole runs: frameworks, databases, Django, pytest, and the command line
zoo/           small tests that leak on purpose, each one thing, and look-alikes that do not
retention/     what unittest keeps of finished tests, case by case
architecture/  imports, process-wide state, the table of options, names that must stay
project/       the archive, the types, the syntax, and the test command itself
support/       what the tests are written with, and what runs them
golden/        whole texts that reports are compared with
============== ===================================================================================

A folder that says ``needs(3, 8)`` in its ``__init__`` is for that Python and later: an older one
skips each of its modules by name, without reading it. All other files are read by every Python.
"""
