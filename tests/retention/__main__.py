"""``python -m tests.retention`` prints docs/retention.md, measured on every interpreter.

``python -m tests.retention 3.12 2.7`` measures on those; ``--json`` on this one alone,
and prints what it found for the first form to read.
"""

from __future__ import absolute_import, print_function

import json
import os
import subprocess
import sys

from tests.retention import cases, harness
from tests.support import interpreters

HEAD = """\
# What a finished test leaves behind

Each case is six tests, `test_1` to `test_6`, that each take a payload of the same name; the cases are in
`tests/retention/`, one small test class each. A probe after the third and after the sixth test lists which payloads
and which instances of finished tests are still alive, first as things are, then after `gc.collect()`. The collector is
off. `tests/integration/test_retention.py` holds every cell to the names of the survivors; this page is printed by
`python -m tests.retention`.

- **stock**: plain unittest. **runner**: our runner, suite or result in the place of unittest's, plain tests.
  **mixin**: our mixins, stock unittest. **both**: both.
- `-`: nothing is left. `all`: payload and instance of all six tests. Else the names.
- `until gc`: gone once somebody collects. With the collector on, that is when it comes by.
- `instances: ...` alone: light instances, their payload is gone.

Measured on CPython %s.
"""  # noqa: E501
TITLES = {
    "outcomes": "Outcomes", "groups": "Exception groups and task groups",
    "fixtures": "Classes, modules and failed imports", "cleanups": "Cleanups and mocks",
    "cycles": "Cycles and other holders", "options": "Runner options",
    "suites": "Suites", "others": "doctest and FunctionTestCase",
    "asynchronous": "IsolatedAsyncioTestCase", "resources": "Real resources"}


def measure():
    """Return [theme, case, {column: text}] for each case that this Python has."""
    return [[case.theme, case.name, dict(
        (column, text(harness.perform(case, column))) for column in harness.COLUMNS)]
        for case in harness.CASES.values() if sys.version_info >= case.needs]


def text(left):
    """Return the cell for a `Left`."""
    payloads = _lived(left.payloads, left.payloads_gc)
    instances = _lived(left.instances, left.instances_gc)
    descriptors = _lived(left.descriptors, left.descriptors_gc)
    parts = [payloads]
    if not payloads or instances != payloads:
        parts = [payloads and "payloads: " + payloads,
                 instances and "instances: " + instances]
    if left.middle is not None:
        parts.append("payloads after test_3: " + _named(left.middle))
    if descriptors:
        parts.append("descriptors: " + descriptors)
    return "; ".join(part for part in parts if part) or "-"


def _lived(names, after):
    if not names:
        return ""
    if names == after:
        return _named(names)
    return _named(names) + " until gc" + (", then " + _named(after) if after else "")


def _named(names):
    return "all" if names == harness.ALL else ", ".join(names)


def _ask(interpreter):
    interpreters.prepare(interpreter, open(os.devnull, "w"))
    output = subprocess.check_output(
        [interpreter.python, "-m", "tests.retention", "--json"],
        cwd=interpreters.ROOT, env=interpreters.environment())
    return json.loads(output.decode("ascii"))


def _merged(found):
    """Return [theme, case, {column: [(first version, last version, text)]}]."""
    rows = {}
    order = []
    for version in found:
        for theme, name, cells in found[version]:
            if name not in rows:
                rows[name] = [theme, name, {}]
                order.append(name)
            for column in cells:
                spans = rows[name][2].setdefault(column, [])
                if spans and spans[-1][2] == cells[column]:
                    spans[-1] = (spans[-1][0], version, cells[column])
                else:
                    spans.append((version, version, cells[column]))
    return [rows[name] for name in order]


def _cell(spans):
    if len(spans) == 1:
        return spans[0][2]
    return "<br>".join("%s: %s" % (
        first if first == last else first + " to " + last, printed)
        for first, last, printed in spans)


def main(arguments):
    """Print the page, or with ``--json`` what this interpreter has to say."""
    if arguments == ["--json"]:
        print(json.dumps(measure()))
        return
    known = interpreters.find()
    found = dict((version, _ask(known[version])) for version in known
                 if not arguments or version in arguments)
    versions = [version for version in interpreters.VERSIONS if version in found]
    print(HEAD % ", ".join(versions), end="")
    rows = _merged(type(harness.CASES)((version, found[version]) for version in versions))
    for theme in cases.THEMES:
        print("\n## %s\n\n| case | from | stock | runner | mixin | both |\n%s" % (
            TITLES[theme], "|---|---|---|---|---|---|"))
        for row in rows:
            if row[0] == theme:
                first = row[2]["stock"][0][0]
                print("| `%s` | %s | %s |" % (row[1], first, " | ".join(
                    _cell(row[2][column]) for column in harness.COLUMNS)))


if __name__ == "__main__":
    main(sys.argv[1:])
