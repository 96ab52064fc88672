"""Prose and names are plain: what once was a dialect of this project is not written any more.

`PROSE` is looked for in the docstrings, comments and documents, and in all that the package prints;
`WORDS` in the names of the code, word by word. `ALLOWED` has the exceptions with their reasons. One
that is not needed any more fails the test, so that the list can only become shorter.
"""

from __future__ import absolute_import

import io
import os
import re
import tokenize
import unittest

from tests.support.paths import ROOT
from tests.tiers import NEWEST, full_on

# A pattern of the old prose, and what is written in its place.
PROSE = [(re.compile(pattern, re.I), instead) for pattern, instead in (
    (r"(?<!there )\b(?:is|are|was|were) no (?!longer\b|more\b|way\b|doubt\b)[a-z`*]",
     '"is not a ...", or a sentence without "is no"'),
    (r"\bso many\b", '"as many", "this many", or the number'),
    (r"\btold\b", '"reported", "notified"'),
    (r"\bnought\b", '"zero", "nothing"'),
    (r"\bdear(?:er|est)?\b", '"expensive"'),
    (r"\bnobody's\b", "what it is: not a test's, not a holder"),
    (r"\b(?:hears?|heard) of\b", '"records", "is notified of"'),
    (r"\b(?:no|is|are) news\b", '"not reported again"'),
    (r"\b(?:overheard|belongings|holdings)\b", "the word of the glossary"),
    (r"\b(?:objects?|resources?|connections?|modules?|class(?:es)?|tests?|threads?|files?|functions?"
     r"|librar(?:y|ies)|process(?:es)?|sessions?|things?|what) (?:who|whom)\b", '"that", "which"'),
    (r"\bwhoever\b", '"what", "whatever"'),
)]
WORDS = {"told": "reported", "said": "printed, text", "asked": "wanted, given", "heard": "recorded",
         "overheard": "recorded", "nought": "zero", "spoken": "described", "standing": "defaults",
         "belongings": "resources", "holdings": "resources", "news": "reported"}
OURS = re.compile(r"(?:^|_)own$", re.I)     # as a noun; own_attribute and the like are fine
FOLDERS = ("unittest_leakfix", "docs", "tests", "benchmarks", "examples")
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
# The file, what is found in it, and why it may stay.
ALLOWED = {
    ("unittest_leakfix/instance_release.py", "kept"): "tally.kept is public, by the runner's docs",
    ("unittest_leakfix/runner.py", "kept"): "it reads tally.kept",
    ("unittest_leakfix/held_release.py", "kept"): "as in instance_release",
    ("unittest_leakfix/leaks/model/timeline.py", "kept"): "timeline.kept is a column of reports",
    ("unittest_leakfix/leaks/report/html_timeline.py", "kept"): "it reads timeline.kept",
    ("unittest_leakfix/leaks/report/memory_report.py", "kept"): "it reads timeline.kept",
    ("unittest_leakfix/polluter/explanation.py", "kept"): "it reads timeline.kept",
}


def _files():
    for folder in FOLDERS:
        for place, folders, names in os.walk(os.path.join(ROOT, folder)):
            folders[:] = [each for each in folders if each not in ("__pycache__", "golden")]
            for name in names:
                if name.endswith((".py", ".pyi", ".md")) and name != "test_prose.py":
                    yield os.path.join(place, name)
    for name in PAGES:
        yield os.path.join(ROOT, name)


def _is_sentence(name):
    """Tell whether *name*, the name of a test, is one: "test_asked_for" is plain English there."""
    return name.startswith("test_")


def _names_found(name, package):
    """Return what of the old dialect is in the name *name*."""
    words = name.strip("_").split("_")
    if _is_sentence(name):
        return [word for word in words if word in ("told", "news", "nought")]
    found = [word for word in words if word.lower() in WORDS]
    if OURS.search(name):
        found.append("own")
    # In tests things are kept on purpose; the report's word for that is "kept" too.
    if package and "kept" in words:
        found.append("kept")
    return found


def _texts(path, package):
    """Yield what is to be read of a file: (line, text, whether it is a name)."""
    if path.endswith(".md"):
        with io.open(path, encoding="utf-8") as file:
            yield 1, file.read(), False
        return
    with io.open(path, encoding="utf-8") as file:
        for token in tokenize.generate_tokens(file.readline):
            if token[0] == tokenize.NAME:
                yield token[2][0], token[1], True
            elif token[0] == tokenize.COMMENT:
                yield token[2][0], token[1], False
            elif token[0] == tokenize.STRING and (package or '"""' in token[1]):
                yield token[2][0], token[1], False


def _found():
    """Yield what is found: (file, line, the words, what is written instead)."""
    for path in _files():
        short = os.path.relpath(path, ROOT).replace(os.sep, "/")
        package = short.startswith("unittest_leakfix/")
        for line, text, is_name in _texts(path, package):
            if is_name:
                for word in _names_found(text, package):
                    yield short, line, word, "%s (in the name %s)" % (
                        WORDS.get(word.lower(), "another word"), text)
                continue
            for pattern, instead in PROSE:
                for match in pattern.finditer(text):
                    yield short, line + text.count("\n", 0, match.start()), match.group(), instead


@full_on(NEWEST)
class ProseTests(unittest.TestCase):
    maxDiff = None

    def test_the_old_dialect_is_gone(self):
        used = set()
        faults = []
        for path, line, words, instead in _found():
            if (path, words.lower()) in ALLOWED:
                used.add((path, words.lower()))
            else:
                faults.append('%s:%d: "%s"; write %s' % (path, line, words, instead))
        self.assertEqual([], faults)
        self.assertEqual(set(), set(ALLOWED) - used, "these exceptions are not needed any more")

    def test_it_finds_what_it_looks_for(self):
        for text in ("It is no leak.", "So many tests", "what it was told", "a test who ran",
                     "too dear", "whoever has it", "it hears of each", "nobody's fault"):
            self.assertTrue(any(pattern.search(text) for pattern, _ in PROSE), text)
        for text in ("There is no such file.", "It is no longer open.", "a person who reads it",
                     "it is not a leak"):
            self.assertFalse(any(pattern.search(text) for pattern, _ in PROSE), text)
        for name in ("told", "_own", "was_asked", "IS_OWN", "test_what_is_no_news"):
            self.assertTrue(_names_found(name, True), name)
        for name in ("own_attribute", "asks", "test_asked_for", "outlived"):
            self.assertFalse(_names_found(name, True), name)


if __name__ == "__main__":
    unittest.main()
