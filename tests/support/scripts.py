"""The scripts of docs/, which write parts of its pages (Python 3.8 and later)."""

from __future__ import absolute_import

import importlib.util
import os
import sys

from tests.support.paths import ROOT

DOCS = os.path.join(ROOT, "docs")


def load(name):
    """Return the script of that *name* as a module. It finds its neighbour, as when it is run."""
    spec = importlib.util.spec_from_file_location("docs_" + name, os.path.join(DOCS, name + ".py"))
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, DOCS)
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(DOCS)
        sys.modules.pop("written_part", None)
    return module
