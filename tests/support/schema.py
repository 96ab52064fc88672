"""Checks values against the JSON Schemas in tests/support/schemas and docs, where jsonschema is
installed."""
from __future__ import absolute_import

import io
import json
import os
import unittest

from tests.support.paths import ROOT

try:
    import jsonschema
except ImportError:
    jsonschema = None

_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "schemas")


def schema(name):
    """Return the schema in the file *name*: of our folder, or "docs/..."."""
    path = os.path.join(ROOT, *name.split("/")) if "/" in name else os.path.join(_FOLDER, name)
    with io.open(path, encoding="utf-8") as file:
        return json.load(file)


def problems(value, name):
    """Return what is wrong with *value* by the schema *name*. Skips the test without jsonschema."""
    return _problems(value, schema(name))


def strict_problems(value, name):
    """As `problems`, and what the schema does not name is wrong too."""
    return _problems(value, _strict(schema(name)))


def _strict(part):
    if isinstance(part, list):
        return list(map(_strict, part))
    if not isinstance(part, dict):
        return part
    found = {key: _strict(each) for key, each in part.items()}
    if isinstance(part.get("properties"), dict) and part.get("type") == "object":
        found.setdefault("additionalProperties", False)
    return found


def _problems(value, found):
    if jsonschema is None:
        raise unittest.SkipTest("needs jsonschema")
    kind = jsonschema.validators.validator_for(found)
    kind.check_schema(found)
    return ["%s: %s" % ("/".join(map(str, each.absolute_path)), each.message)
            for each in kind(found).iter_errors(value)]
