"""testtools' results, and those of python-subunit, which stand on them."""

from __future__ import absolute_import

import io
import unittest
import warnings

from tests.integration.frameworks import reporter_samples as samples
from tests.integration.frameworks.reporter_case import ReporterCase

try:
    import testtools
    import testtools.testresult.doubles
except ImportError:
    raise unittest.SkipTest("needs testtools")
try:
    import subunit
except ImportError:
    subunit = None


class TextTest(ReporterCase, unittest.TestCase):
    theirs = testtools.TextTestResult

    def run_into(self, kind, loader):
        stream = samples.Output()
        result = kind(stream)
        result.startTestRun()
        samples.suite(loader).run(result)
        result.stopTestRun()
        return samples.steady(stream.getvalue())


@unittest.skipUnless(subunit, "needs python-subunit")
class SubunitTest(ReporterCase, unittest.TestCase):
    theirs = subunit and subunit.TestProtocolClient

    def run_into(self, kind, loader):
        stream = io.BytesIO()
        result = kind(stream)
        samples.suite(loader).run(result)
        return samples.steady(stream.getvalue().decode("utf-8"))


@unittest.skipUnless(subunit, "needs python-subunit")
class SubunitVersion2Test(ReporterCase, unittest.TestCase):
    theirs = testtools.ExtendedToStreamDecorator

    def run_into(self, kind, loader):
        stream = io.BytesIO()
        result = kind(subunit.StreamResultToBytes(stream))
        result.startTestRun()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)     # it has no addDuration
            samples.suite(loader).run(result)
        result.stopTestRun()
        packets = testtools.testresult.doubles.StreamResult()
        subunit.ByteStreamToStreamResult(io.BytesIO(stream.getvalue())).run(packets)
        # The last is when it was.
        return samples.steady("\n".join(repr(packet[:-1]) for packet in packets._events))


if __name__ == "__main__":
    unittest.main()
