"""Writes the table in docs/clients.md, from the rows of the package and the samples of the tests.

    python docs/clients_table.py      # needs Python 3.8; says whether it was stale

What stands between the two markers is written by this script; all else stays as it is.
"""

import sys

from written_part import ROOT, Part

BEGIN = "<!-- The table: written by docs/clients_table.py -->\n"
END = "<!-- The end of the table -->\n"
HEAD = ("\n| client | recognised by | one cause | line | closed for you | awaited by the mixin "
        "| remedy proven |\n|---|---|---|---|---|---|---|\n")


def rows():
    """Return [(noun, packages, samples)] in order of the nouns."""
    if ROOT not in sys.path:
        sys.path.insert(0, ROOT)
    from tests.integration.finding.client_samples import SAMPLES
    from unittest_leakfix.resources.clients import MADE
    packages = {}
    for (module, name), noun in MADE.items():
        package = module.partition(".")[0].replace("cimpl", "confluent_kafka")
        names = packages.setdefault(noun, {}).setdefault(package, [])
        if name.lstrip("_") not in names:
            names.append(name.lstrip("_"))
    return [(noun, packages[noun], [each for each in SAMPLES if each.noun == noun])
            for noun in sorted(packages, key=str.lower)]


def written():
    """Return the table as Markdown."""
    text = HEAD
    for noun, packages, samples in rows():
        known = "; ".join("%s: %s" % (package, ", ".join("`%s`" % name for name in names))
                          for package, names in packages.items())
        if samples:
            closed = any(each.closed and not each.awaited for each in samples)
            awaited = [each for each in samples if each.awaited]
            last = ["yes", "yes",
                    "yes" if closed else "let go" if awaited else "no: the library keeps it",
                    "-" if not awaited else "no: its own task keeps it" if all(
                        each.task for each in awaited) else "yes",
                    ", ".join(sorted({"`%s`" % each.remedy.replace("it.", "client.").replace(
                        "it)", "client)") for each in samples}))]
        else:
            last = ["", "", "", "", ""]
        text += "| %s | %s | %s |\n" % (noun, known, " | ".join(last))
    return text + "\n"


PART = Part("clients.md", BEGIN, END, written)

if __name__ == "__main__":
    PART.write()
