"""Findings and timelines for HTML pages, and a reader of these pages."""
from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser

from tests.unit.leaks.leak_samples import TextCase
from unittest_leakfix.leaks.model.leak import Findings, Known, Leak
from unittest_leakfix.leaks.model.timeline import Timeline

_VOID = {"meta", "link", "br", "input"}
HOSTILE = ("<script>alert(1)</script>", "</script><img src=x onerror=alert(1)>", '" autofocus x="',
           "'><b>", "\u202etxt.exe", "a\x00b\x1b[31m\x07", "\udce9", "]]><!--", "&lt;&#60;",
           "\u2028\u2029")
MODULES = ("cart", "mail", "orders", "shop", "user")


class Page(HTMLParser):
    """What a browser would make of a page: its elements, their text, and what is wrong with it."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements = []      # name, attributes, text
        self.faults = []
        self._open = []
        self.feed(text)
        self.close()
        self.faults += ["<%s> is not closed" % self.elements[at][0] for at in self._open]

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes]
        if len(set(names)) < len(names):
            self.faults.append("an attribute of <%s> is given twice" % tag)
        self.elements.append((tag, dict(attributes), []))
        if tag not in _VOID:
            self._open.append(len(self.elements) - 1)

    def handle_endtag(self, tag):
        if not self._open or self.elements[self._open[-1]][0] != tag:
            self.faults.append("</%s> ends another element" % tag)
        else:
            self._open.pop()

    def handle_data(self, text):
        for at in self._open:
            self.elements[at][2].append(text)

    def handle_comment(self, text):
        self.faults.append("a comment: %s" % text[:40])

    def texts(self, tag, **attributes):
        """Return the texts of all elements of that name, with those attributes."""
        wanted = {name.rstrip("_"): value for name, value in attributes.items()}
        return ["".join(text) for name, given, text in self.elements
                if name == tag and wanted.items() <= given.items()]

    def ids(self):
        """Return the ids of all elements."""
        return [given["id"] for _, given, _ in self.elements if "id" in given]

    def links(self):
        """Return where all elements lead, by any attribute that a browser follows."""
        return [given[name] for _, given, _ in self.elements for name in (
            "href", "src", "action", "srcset", "data", "poster", "formaction") if name in given]

    def data(self):
        """Return the columns of the timeline."""
        return json.loads(self.texts("script", id="timeline-data")[0])


def tests_of(number):
    """Return the ids of that many tests, of several classes and modules, in order of running."""
    size = -(-number // len(MODULES))
    return ["tests.test_%s.%sTests%d.test_%03d" % (
        MODULES[at // size], MODULES[at // size].title(), at % size // 20, at)
        for at in range(number)]


def timeline_of(tests, leaking=()):
    """Return what *tests* took, those that are *leaking* more than the others."""
    leaking = set(leaking)
    columns = {name: [] for name in Timeline._fields[1:10]}
    resident, descriptors = 62000000, 9
    for at, test in enumerate(tests):
        gain = 350000 if test in leaking else at * 7919 % 5 * 4096
        resident += gain
        descriptors += test in leaking
        for name, value in (("started", at * .02), ("seconds", at * 31 % 97 / 1000),
                            ("resident", resident), ("peak", resident + at * 7919 % 9000000),
                            ("kept", gain), ("objects", 180000 + at if at % 3 == 0 else None),
                            ("descriptors", descriptors), ("connections", at % 4),
                            ("threads", 1 + (at > len(tests) // 2))):
            columns[name].append(value)
    return Timeline(tuple(tests), **{name: tuple(values) for name, values in columns.items()},
                    source="kernel", exact=True)


class PageCase(TextCase):
    def page(self, number=200):
        """Return findings of a run of that many tests, with all that a page can have."""
        tests = tests_of(number)
        first = tests[number // 2:number // 2 + 37]
        opened = self.opened(first[0], ("tests/test_orders.py", 17, "OrdersTests.setUp"))
        leaks = (self.thread(), replace(self.connection(), tests=tuple(first), acquisition=opened),
                 replace(self.kept(), tests=tuple(tests[5:8])))
        known = (*self.example().known, Known(
            Leak("file", "file 'old.txt' was left open", (tests[9],), cause="file old"), "",
            "known.json"))
        return Findings(
            leaks, known, gone=("file: gone.txt",), tests=number,
            unmeasured=((tests[3], "it has thawed the heap"),),
            timeline=timeline_of(tests, [test for leak in leaks for test in leak.tests]))
