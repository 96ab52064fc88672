"""A part of a page that a script writes: what stands between two markers; all else stays."""

import io
import os

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Part(object):
    """The part of the page *name* in docs/ between the lines *begin* and *end*, each of which is
    there once; *written* returns its text."""

    def __init__(self, name, begin, end, written):
        self._name, self._begin, self._end, self._written = name, begin, end, written
        self._path = os.path.join(ROOT, "docs", name)

    def page(self):
        """Return the text of the page as it is, and as it should be."""
        with io.open(self._path, encoding="utf-8") as file:
            text = file.read()
        head, rest = text.split(self._begin)
        return text, head + self._begin + self._written() + self._end + rest.split(self._end)[1]

    def write(self):
        """Write the page, if it is stale, and say so."""
        text, wanted = self.page()
        if text != wanted:
            with io.open(self._path, "w", encoding="utf-8", newline="\n") as file:
                file.write(wanted)
        print("docs/%s %s" % (
            self._name, "was up to date" if text == wanted else "was written"))
