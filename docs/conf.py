"""How Sphinx makes a site of these pages: ``python -m sphinx -W docs build/site``.

Needs what docs/requirements.txt names, and no network. The pages are written to be read
in the sources as well, so a link that leaves docs/ points into the sources.
"""

import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, ROOT)

with open(os.path.join(ROOT, "unittest_leakfix", "version.py"), encoding="utf-8") as _file:
    release = re.search(r'__version__ = "([^"]+)"', _file.read()).group(1)

project = "unittest_leakfix"
author = "unittest_leakfix contributors"
copyright = author
extensions = ["myst_parser", "sphinx.ext.autodoc"]
html_theme = "furo"
html_title = "unittest_leakfix " + release
html_static_path = []
exclude_patterns = ["requirements.txt"]
myst_heading_anchors = 3
# Single backticks in docstrings are names of this package.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "description"
# Blocks without a language are terminals.
highlight_language = "none"
pygments_style = "friendly"
pygments_dark_style = "monokai"


def _within(app, name, source):
    """A link that leaves docs/ has no page to go to: its text stays, with the file's name."""
    folder = os.path.dirname(os.path.join(HERE, name))

    def kept(match):
        text, target = match.groups()
        path = os.path.normpath(os.path.join(folder, target.partition("#")[0]))
        if "://" in target or target.startswith("#") or path.startswith(HERE + os.sep):
            return match.group(0)
        inside = os.path.relpath(path, ROOT)
        return text if text == inside else "%s (`%s`)" % (text, inside)

    source[0] = re.sub(r"(?<!!)\[([^\]]+)\]\(([^)]+)\)", kept, source[0])


def setup(app):
    app.connect("source-read", _within)
    return {"parallel_read_safe": True}
