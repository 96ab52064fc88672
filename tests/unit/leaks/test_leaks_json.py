"""Findings as JSON: the whole text against tests/golden/, and there and back."""

from __future__ import annotations

import io
import json
import os
import unittest
from dataclasses import replace

from tests.support.paths import ROOT
from tests.support.schema import problems, schema, strict_problems
from tests.unit.leaks.leak_kinds import every_kind
from tests.unit.leaks.leak_samples import Acquisition, TextCase, chain
from tests.unit.leaks.page_samples import timeline_of
from unittest_leakfix.leaks.model.leak import (
    Findings,
    Leak,
    Overhead,
    RecordedChange,
    RuleUse,
    merge,
)
from unittest_leakfix.leaks.report import json_report as leaks_json
from unittest_leakfix.leaks.report.text_report import render

SCHEMA = "docs/report.schema.json"
DOCUMENT = os.path.join(ROOT, "docs", "json-schema.md")


def keys(value):
    """Return all keys of all objects in a JSON value."""
    if isinstance(value, dict):
        return set(value).union(*map(keys, value.values()))
    return set().union(*map(keys, value)) if isinstance(value, list) else set()


class JsonTests(TextCase):
    def findings(self):
        return replace(
            self.example(), gone=("file x",), unmeasured=(("t.T.test_a", "it forked"),), more=3,
            worker="gw0"
        )

    def test_whole_text(self):
        path = os.path.join(self.root, "leaks.json")
        leaks_json.dump(self.findings(), path)
        with io.open(path, encoding="utf-8", newline="") as file:
            text = file.read()
        self.assertGolden("report.json", text.replace(json.dumps(self.root)[1:-1], "ROOT"))

    def test_there_and_back(self):
        value = leaks_json.to_value(self.findings())
        back = leaks_json.from_value(json.loads(json.dumps(value)))
        self.assertEqual(leaks_json.to_value(back), value)
        for stacks in (False, True):
            self.assertEqual(render(back, self.style, stacks),
                             render(self.findings(), self.style, stacks))

    def test_every_kind_there_and_back(self):
        findings = Findings(tuple(every_kind(self)), tests=9)
        back = leaks_json.from_value(json.loads(json.dumps(leaks_json.to_value(findings))))
        self.assertEqual(render(back, self.style), render(findings, self.style))

    def test_workers_put_together_from_their_files(self):
        parts = [replace(self.findings(), worker="gw%d" % number) for number in range(2)]
        paths = [os.path.join(self.root, part.worker + ".json") for part in parts]
        for part, path in zip(parts, paths):
            leaks_json.dump(part, path)
        self.assertEqual(leaks_json.to_value(merge(map(leaks_json.load, paths))),
                         leaks_json.to_value(merge(parts)))

    def test_every_kind_by_the_schema(self):
        timeline = timeline_of(["t.T.test_%d" % number for number in range(30)])
        findings = Findings(
            tuple(every_kind(self)), known=self.example().known, tests=9,
            overhead=Overhead(phases=(("looks", 0.5),)), timeline=timeline._replace(most=5),
            state=(RecordedChange("shop.DEBUG", ("t",), ("u",)),),
            rules=(RuleUse("thread=\"a\"  # b", "known:3", 0, "thread"),),
            unmeasured=(("t", "it forked"),))
        for found in (findings, self.findings(), Findings()):
            value = json.loads(leaks_json.to_text(found))
            self.assertEqual([], problems(value, SCHEMA))
            # What it does not name is an error here: a new field has to be described.
            self.assertEqual([], strict_problems(value, SCHEMA))

    def test_the_schema_refuses_what_is_no_report(self):
        value = json.loads(leaks_json.to_text(self.findings()))
        for change in ({"version": 2}, {"tests": -1}, {"leaks": [{"kind": "x"}]}, {"known": 3}):
            self.assertNotEqual([], problems(dict(value, **change), SCHEMA))
        del value["more"]
        self.assertNotEqual([], problems(value, SCHEMA))

    def test_the_document_names_every_field_of_the_schema(self):
        with open(DOCUMENT, encoding="utf-8") as file:
            text = file.read()

        def names(part):
            if isinstance(part, dict):
                yield from part.get("properties", ())
                for each in part.values():
                    yield from names(each)
            elif isinstance(part, list):
                for each in part:
                    yield from names(each)
        self.assertEqual([], sorted(name for name in set(names(schema(SCHEMA)))
                                    if "`%s`" % name not in text))

    def test_no_secrets(self):
        secret = "mysql://a:hunter2@h"
        drawn = chain(
            "shop.pool[%r]" % secret,
            ("", "module shop", "", False),
            (".pool", "dict", "", False),
            ("[%r]" % secret, secret, "", False),
        )
        leak = Leak(
            "connection",
            secret + " was left open",
            ("t",),
            0,
            drawn,
            ((secret, "str", 1),),
            Acquisition("connect", "password=hunter2", "t", "main", ()),
            (("was", secret),),
            "closed for you: " + secret,
            "close(%r)" % secret,
            "connection=%r" % secret,
            0,
            secret,
        )
        value = leaks_json.to_value(Findings((leak,), tests=1))
        self.assertNotIn("hunter2", json.dumps(value))
        self.assertFalse(value["leaks"][0]["chain"]["evaluates"])

    def test_names_outside_unicode(self):
        path = os.path.join(self.root, "odd.json")
        leak = Leak("file", "file 'a\udc80' was left open", ("t.größe",))
        leaks_json.dump(Findings((leak,), tests=1), path)
        self.assertEqual(leaks_json.load(path).leaks, (leak,))

    def test_what_is_no_report(self):
        for value, message in (
            (None, "not a leak report of version 1, but of version None"),
            ({"version": 2}, "not a leak report of version 1, but of version 2"),
            ({"version": 1}, "not a leak report: KeyError: 'leaks'"),
            ({"version": 1, "leaks": [3]}, "not a leak report: TypeError"),
        ):
            with self.subTest(value=value), self.assertRaises(ValueError) as caught:
                leaks_json.from_value(value)
            self.assertTrue(str(caught.exception).startswith(message), caught.exception)

    def test_fields_of_a_later_writer_are_passed_over(self):
        value = leaks_json.to_value(self.findings())
        value["mood"] = value["leaks"][0]["mood"] = value["leaks"][2]["chain"]["mood"] = "good"
        leaks_json.from_value(value)

    def test_a_folder_that_does_not_exist(self):
        with self.assertRaises(OSError):
            leaks_json.dump(Findings(), os.path.join(self.root, "no", "such", "leaks.json"))

    def test_the_document_names_every_field(self):
        with io.open(DOCUMENT, encoding="utf-8") as file:
            document = file.read()
        missing = [
            key for key in sorted(keys(leaks_json.to_value(self.findings())))
            if "| `%s` |" % key not in document
        ]
        self.assertEqual(missing, [])
        self.assertIn("version %d" % leaks_json.VERSION, document)


if __name__ == "__main__":
    unittest.main()
