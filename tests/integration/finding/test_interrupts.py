"""Ctrl-C: the run ends as plain unittest's does, and what was found by then is written."""
from __future__ import annotations

import os
import signal
import unittest

from tests.integration.finding.test_leaks_options import RunCase
from tests.tiers import NEWEST, OLDEST, full_on

SAMPLE = """\
import os, signal, sys, unittest
from tests.support.interrupts import press_at
KEPT = []
class First(unittest.TestCase):
    def test_keeps(self):
        KEPT.append(open(__file__))
    def test_changes(self):
        os.environ["SHOP"] = "open"
class Second(unittest.TestCase):
    def test_changes(self):
        os.environ["CART"] = "full"
        self.during()
    def during(self):
        pass
def setUpModule():
    from unittest_leakfix import runner
    from unittest_leakfix.leaks import classify, detector, report_files, run
    from unittest_leakfix.leaks.report import json_report, text_report, whole_file
    %s
"""
OLD = '{"version": 1, "leaks": []}\n'
FIRST = ["environment", "file"]


class InterruptTests(RunCase):
    def interrupted(self, press="pass", *options, source=SAMPLE):
        """Ctrl-C is pressed where *press* says; return the output."""
        self.put("known.json", OLD)
        self.put("a.json", OLD)
        status, output = self.run_sample(
            "--leaks-json=a.json", "--leaks-write-baseline=known.json", *options,
            source=source % press)
        self.assertEqual(-signal.SIGINT, status, output)
        self.assertEqual("KeyboardInterrupt", output.splitlines()[-1].strip())
        self.assertEqual(["a.json", "known.json", "sample.py"], sorted(os.listdir(self.folder)))
        return output

    def kinds(self):
        return sorted(leak["kind"] for leak in self.json("a.json")["leaks"])

    def assertWhole(self):
        """All is in the JSON report, and it and the baseline are whole."""
        self.assertEqual(["environment", "environment", "file"], self.kinds())
        self.assertEqual([], self.json("a.json")["unmeasured"])
        self.assertEqual(3, len(self.json("known.json")["leaks"]))

    def assertPart(self, output, kinds):
        """What was found by then is there; the baseline is as it was."""
        self.assertEqual(kinds, self.kinds())
        self.assertIn({"test": "this run", "why": "it was interrupted"},
                      self.json("a.json")["unmeasured"])
        self.assertEqual(OLD, self.text("known.json"))
        self.assertIn("known.json was not written: the run was interrupted\n", output)

    # After the tests.

    def test_while_the_report_is_made(self):
        output = self.interrupted("press_at(text_report, 'render')")
        self.assertWhole()
        self.assertIn("""
LEAKS  3 causes were found before the run was interrupted
    file 'sample.py' was left open: held by sample.KEPT[0]
    environment variable "CART" was added, left at sample.py:11 in Second.test_changes
    environment variable "SHOP" was added, left at sample.py:8 in First.test_changes
""", output)
        self.assertIn("Ran 3 tests", output)
        self.assertEqual(1, output.count("LEAKS"))

    def test_while_a_file_is_written(self):
        for press in ("press_at(report_files.Files, 'write')", "press_at(json_report, 'to_text')",
                      "press_at(whole_file, '_whole')",
                      "press_at(whole_file, '_replace')", "press_at(whole_file, '_fsync')",
                      "press_at(run.suppressions, 'baseline_text')"):
            with self.subTest(press):
                output = self.interrupted(press)
                self.assertWhole()
                # The report is there already.
                self.assertIn("LEAKS  3 causes in 3 of 3 tests", output)
                self.assertEqual(1, output.count("LEAKS"))

    def test_before_ran_3_tests(self):
        output = self.interrupted("press_at(unittest.TextTestResult, 'printErrors')")
        self.assertNotIn("Ran 3 tests", output)
        self.assertWhole()
        self.assertIn("LEAKS  3 causes were found", output)

    def test_while_closing_is_reported(self):
        self.interrupted("press_at(runner, 'summary_line')")
        self.assertWhole()

    # While the tests are judged.

    # The file is an object, and judged when the run is over.

    def test_while_the_objects_are_judged(self):
        output = self.interrupted("press_at(classify.Classifier, 'objects')")
        self.assertPart(output, ["environment", "environment"])

    def test_while_what_is_left_is_judged(self):
        output = self.interrupted("press_at(detector.LeakDetector, 'stop')")
        self.assertPart(output, ["environment", "environment"])

    # While they run.

    def test_in_a_test(self):
        output = self.interrupted(source=SAMPLE.replace(
            "        pass\n", "        os.kill(os.getpid(), signal.SIGINT)\n"))
        self.assertPart(output, FIRST)
        self.assertNotIn("Ran ", output)
        self.assertIn("LEAKS  2 causes were found before the run was interrupted", output)

    def test_nothing_was_found(self):
        source = """
            import os, signal, unittest
            class Tests(unittest.TestCase):
                def test(self):
                    os.kill(os.getpid(), signal.SIGINT)
        """
        status, output = self.run_sample("--leaks=report", source=source)
        plain = self.plain(source)
        self.assertEqual(plain[0], status)
        self.assertNotIn("LEAKS", output)
        self.assertEqual(plain[1].splitlines()[-1], output.splitlines()[-1])

    # Again.

    def test_again_while_it_is_written(self):
        for press in ("press_at(text_report, 'render'); press_at(json_report, 'to_text')",
                      "press_at(text_report, 'render'); press_at(whole_file, '_whole')",
                      "press_at(detector.LeakDetector, 'stop'); press_at(whole_file, '_replace')"):
            with self.subTest(press):
                output = self.interrupted(press)
                self.assertEqual((OLD, OLD), (self.text("a.json"), self.text("known.json")))
                self.assertNotIn("LEAKS", output)

    def test_again_while_it_is_judged(self):
        source = SAMPLE.replace("        pass\n", "        os.kill(os.getpid(), signal.SIGINT)\n")
        output = self.interrupted("press_at(detector.LeakDetector, 'stop')", source=source)
        self.assertEqual((OLD, OLD), (self.text("a.json"), self.text("known.json")))
        self.assertNotIn("LEAKS", output)

    # Other ways to end.

    def test_catch(self):
        """-c: the first Ctrl-C ends the run after the test; the report follows."""
        source = SAMPLE.replace("        pass\n", "        os.kill(os.getpid(), signal.SIGINT)\n")
        status, output = self.run_sample("-c", "--leaks-json=a.json", source=source % "pass")
        self.assertEqual(0, status)
        self.assertIn("LEAKS  3 causes in 3 of 3 tests", output)

    def test_sigterm(self):
        for place in ("text_report, 'render'", "whole_file, '_replace'", "whole_file, '_fsync'"):
            self.put("a.json", OLD)
            status, output = self.run_sample(
                "--leaks-json=a.json",
                source=SAMPLE % ("press_at(%s, signal.SIGTERM)" % place))
            self.assertEqual((-signal.SIGTERM, OLD), (status, self.text("a.json")), output)

    def test_what_goes_wrong_then_does_not_matter(self):
        self.interrupted("press_at(text_report, 'render'); text_report.render_brief = None")
        self.assertWhole()


@full_on(OLDEST, NEWEST)
class AnyLineTests(RunCase):
    """Ctrl-C at any line of ours once the last test has run."""

    SOURCE = SAMPLE.replace("    def during(self):\n        pass\n", """\
    def during(self):
        left = [int(os.environ["LINE"])]
        package = os.path.dirname(unittest_leakfix.__file__)
        def trace(frame, event, argument):
            if not frame.f_code.co_filename.startswith(package):
                return None
            if event == "line":
                left[0] -= 1
                if left[0] < 0:
                    sys.settrace(None)
                    os.write(1, ("pressed at %s:%d\\n" % (frame.f_code.co_filename, frame.f_lineno)).encode())
                    signal.raise_signal(signal.SIGINT)
            return trace
        sys.settrace(trace)
        frame = sys._getframe(1)
        while frame is not None:
            frame.f_trace = trace
            frame = frame.f_back
""").replace("import os,", "import unittest_leakfix, os,").replace("%s:%d", "%%s:%%d").replace(  # noqa: E501
    "% (frame", "%% (frame")

    def test_some_lines(self):
        lines = os.environ.get("LEAKFIX_LINES")
        lines = map(int,
                    lines.split(",")) if lines else [int(40 * 1.35 ** step) for step in range(20)]
        pressed = 0
        for line in lines:
            with self.subTest(line=line):
                self.put("known.json", OLD)
                self.put("a.json", OLD)
                os.environ["LINE"] = str(line)
                self.addCleanup(os.environ.pop, "LINE", None)
                status, output = self.run_sample("--leaks-json=a.json",
                                                 "--leaks-write-baseline=known.json",
                                                 source=self.SOURCE % "pass")
                self.json("known.json")
                self.assertEqual(3, self.json("a.json")["tests"], output)
                self.assertEqual(["a.json", "known.json", "sample.py"],
                                 sorted(os.listdir(self.folder)))
                if "pressed at" in output:
                    pressed += 1
                    self.assertEqual(-signal.SIGINT, status, output)
                    self.assertEqual("KeyboardInterrupt", output.splitlines()[-1], output)
        self.assertGreater(pressed, 5)


if __name__ == "__main__":
    unittest.main()
