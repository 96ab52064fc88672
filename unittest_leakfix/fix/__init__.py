"""The command ``fix``: the remedies of a report, typed into the test files. Python 3.8 and later.

`mending` says which lines of a file change for a remedy, `edits` changes them, `command` is the
command line.
"""
