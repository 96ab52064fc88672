"""Writes the map in docs/architecture.md, from the first sentences of the modules' docstrings.

    python docs/architecture_map.py      # needs Python 3.8; says whether it was stale

What stands between the two markers is written by this script; all else stays as it is.
"""

import ast
import io
import os

from written_part import ROOT, Part

PACKAGE = os.path.join(ROOT, "unittest_leakfix")
BEGIN = "<!-- The map: written by docs/architecture_map.py -->\n"
END = "<!-- The end of the map -->\n"
# From the bottom up: a folder imports those above it here.
FOLDERS = ("_core", "resources", ".", "tracing", "leaks/model", "process_state", "leaks/retention",
           "leaks/report", "leaks", "databases", "django", "pytest_plugin", "polluter", "fix")


def first_sentence(path):
    """Return the first sentence of a module's docstring, on one line."""
    with io.open(path, encoding="utf-8") as source:
        text = ast.get_docstring(ast.parse(source.read())) or ""
    text = " ".join(text.split("\n\n")[0].split())
    end = text.find(". ")
    return (text if end < 0 else text[:end]).rstrip(".:").replace("|", "\\|")


def written():
    """Return the map as Markdown."""
    parts = []
    for folder in FOLDERS:
        where = os.path.join(PACKAGE, folder)
        parts.append("\n### `%s`\n\n%s.\n\n| file | |\n|---|---|\n" % (
            os.path.normpath(os.path.join("unittest_leakfix", folder)).replace(os.sep, "/"),
            first_sentence(os.path.join(where, "__init__.py"))))
        for name in sorted(os.listdir(where)):
            if name.endswith(".py") and name != "__init__.py":
                parts.append("| `%s` | %s |\n" % (name, first_sentence(os.path.join(where, name))))
    return "".join(parts) + "\n"


PART = Part("architecture.md", BEGIN, END, written)

if __name__ == "__main__":
    PART.write()
