"""What the recorder notes of each test, with the real kernel and with one of the tests' own."""
from __future__ import annotations

import os
import tempfile
import threading
import tracemalloc
import unittest
from typing import Any, List

from unittest_leakfix.leaks import timeline as recording
from unittest_leakfix.leaks.model import timeline as model
from unittest_leakfix.leaks.model.leak import Findings, merge
from unittest_leakfix.leaks.report import json_report
from unittest_leakfix.leaks.run import LeakSession
from unittest_leakfix.process_state.descriptors import Descriptors, Reserve
from unittest_leakfix.suite import Run

MB = 1000 * 1000
LINUX = os.path.exists("/proc/self/statm")
RESETS = LINUX and os.access("/proc/self/clear_refs", os.W_OK)

kept: List[Any] = []


def timeline_of(*methods: Any, **options: Any) -> model.Timeline:
    """Return the timeline of tests that do what *methods* do."""
    names = {"test_%02d" % number: method for number, method in enumerate(methods)}
    cls = type("Tests", (unittest.TestCase,), names)
    session = LeakSession(memory=10, **options)
    result = unittest.TestResult()
    watcher = session.begin(result)
    try:
        Run(result, None, watcher).all(unittest.defaultTestLoader.loadTestsFromTestCase(cls))
    finally:
        session.end()
        session.close()
    found = session.findings().timeline
    assert found is not None and result.wasSuccessful(), result.errors
    return found


def nothing(test: unittest.TestCase) -> None:
    """A test."""


class FakeMemory(recording.Memory):
    """Memory whose figures a test decides."""

    def __init__(self, resident: List[Any], peak: Any = None, exact: bool = False) -> None:
        super().__init__()
        self._residents, self._peak, self.exact = resident, peak, exact
        self.source = model.KERNEL
        self.resets = 0

    def open(self) -> None:
        """Hold nothing."""

    def resident(self) -> Any:
        return self._residents.pop(0)

    def reset(self) -> bool:
        self.resets += 1
        return self.exact

    def peak(self) -> Any:
        return self._peak


def recorder(memory: recording.Memory, cost: float = 0.0) -> recording.Recorder:
    """Return a recorder with a clock that each reading moves by a millisecond, and each sample by
    *cost*."""
    now = [0.0]

    def clock() -> float:
        now[0] += 0.001
        return now[0]

    def connections() -> int:
        now[0] += cost
        return 3
    return recording.Recorder(connections, lambda: 7, memory, clock)


class RecorderTests(unittest.TestCase):

    def record(self, record: recording.Recorder, *names: str) -> model.Timeline:
        record.open()
        for name in names:
            record.begin(fresh=name == names[0])
            record.finished()
            record.end(name)
        record.close()
        return record.timeline()

    def test_kept_is_the_change_of_resident_memory(self) -> None:
        found = self.record(recorder(FakeMemory([100, 130, 120])), "a", "b")
        self.assertEqual((found.resident, found.kept), ((130, 120), (30, -10)))
        self.assertEqual((found.descriptors, found.connections), ((7, 7), (3, 3)))

    def test_without_a_counter_the_peak_is_the_most_of_before_and_after(self) -> None:
        found = self.record(recorder(FakeMemory([100, 130, 120])), "a", "b")
        self.assertEqual((found.peak, found.exact), ((130, 130), False))

    def test_the_peak_is_counted_anew_for_each_test(self) -> None:
        memory = FakeMemory([100, 130, 120], peak=500, exact=True)
        found = self.record(recorder(memory), "a", "b")
        self.assertEqual((found.peak, found.exact, memory.resets), ((500, 500), True, 2))

    def test_what_the_system_does_not_say_is_none(self) -> None:
        found = self.record(recorder(FakeMemory([None, 110, None])), "a", "b")
        self.assertEqual((found.resident, found.kept, found.peak),
                         ((110, None), (None, None), (None, None)))

    def test_what_costs_too_much_is_sampled(self) -> None:
        # Each test takes a millisecond; a sample takes 80, and may take a hundredth.
        names = [str(number) for number in range(20000)]
        found = self.record(recorder(FakeMemory([100] * 20001), cost=0.08), *names)
        sampled = [place for place, figure in enumerate(found.connections) if figure is not None]
        self.assertEqual(sampled[0], 0)
        self.assertLess(len(sampled), 5)
        self.assertGreater(len(sampled), 1)
        self.assertNotIn(None, found.descriptors)


@unittest.skipUnless(LINUX, "no /proc")
class KernelTests(unittest.TestCase):

    def setUp(self) -> None:
        self.addCleanup(kept.clear)

    def test_what_a_test_keeps(self) -> None:
        found = timeline_of(nothing, lambda test: kept.append(b"x" * 30 * MB), nothing)
        self.assertEqual([round((each or 0) / MB / 30) for each in found.kept], [0, 1, 0])
        self.assertEqual(found.source, model.KERNEL)

    def test_what_python_allocates(self) -> None:
        found = timeline_of(nothing, lambda test: kept.append(b"x" * 30 * MB), memory_traced=True)
        self.assertEqual([round((each or 0) / MB / 30) for each in found.traced], [0, 1])
        self.assertFalse(tracemalloc.is_tracing())

    @unittest.skipUnless(RESETS, "the kernel's counter cannot be set back here")
    def test_the_peak_of_one_test_is_not_the_next_ones(self) -> None:
        found = timeline_of(nothing, lambda test: b"x" * 60 * MB and None, nothing)
        peaks = [(each or 0) - (resident or 0)
                 for each, resident in zip(found.peak, found.resident)]
        self.assertEqual([round(each / MB / 60) for each in peaks], [0, 1, 0])
        self.assertTrue(found.exact)

    def test_threads_and_descriptors(self) -> None:
        event = threading.Event()
        self.addCleanup(event.set)
        self.addCleanup(lambda: kept[0].close())

        def opens(test: unittest.TestCase) -> None:
            kept.append(open(os.devnull, "rb"))  # noqa: SIM115  left open

        def starts(test: unittest.TestCase) -> None:
            threading.Thread(target=event.wait, daemon=True).start()
        found = timeline_of(nothing, opens, starts)
        first = [found.threads[0] or 0, found.descriptors[0] or 0]
        self.assertEqual([(threads or 0) - first[0] for threads in found.threads], [0, 0, 1])
        self.assertEqual([(each or 0) - first[1] for each in found.descriptors], [0, 1, 1])

    def test_our_descriptors_are_not_reported(self) -> None:
        descriptors = Descriptors()
        before = set(descriptors.listing())
        memory = recording.Memory()
        memory.open()
        self.addCleanup(memory.close)
        self.assertEqual(set(descriptors.listing()), before)
        memory.close()
        self.assertEqual(set(descriptors.listing()), before)

    def test_a_test_closes_them_and_opens_its_own(self) -> None:
        """What has their number now is neither written to nor closed, and the figures go on."""
        file = tempfile.TemporaryFile()     # noqa: SIM115  closed below
        self.addCleanup(file.close)

        def closes(test: unittest.TestCase) -> None:
            for each in list(Reserve._held):
                os.dup2(file.fileno(), each._number)
                kept.append(each._number)
        with self.subTest("run"):
            found = timeline_of(nothing, closes, nothing)
            self.assertNotIn(None, found.resident)
            self.assertNotIn(None, found.peak)
        for number in kept:
            os.fstat(number)        # is still open: it is the test's
            os.close(number)
        file.seek(0)
        self.assertEqual(file.read(), b"")

    def test_without_proc(self) -> None:
        memory = recording.Memory("/nowhere")
        memory.open()
        self.addCleanup(memory.close)
        self.assertEqual((memory.source, memory.exact), (model.RESOURCE, False))
        self.assertIsNone(memory.peak())
        self.assertGreater(memory.resident() or 0, MB)

    def test_the_peak_by_status(self) -> None:
        memory = recording.Memory()
        memory.open()
        self.addCleanup(memory.close)
        memory._by_usage = False
        memory._status.hold()
        self.assertEqual(bool(memory.peak()), memory.exact)


class ValueTests(unittest.TestCase):
    timeline = model.Timeline(("a", "b"), (0.5, 1.0), (0.25, 0.5), (100, 110), (None, 120),
                              (5, -3), (None, 9), (4, None), (0, None), (1, 2), (),
                              model.KERNEL, True)

    def test_nobody_asked(self) -> None:
        self.assertIsNone(Findings().timeline)
        session = LeakSession(leaks="report")
        session.begin(unittest.TestResult())
        session.end()
        session.close()
        self.assertIsNone(session.findings().timeline)

    def test_json_and_back(self) -> None:
        found = Findings(timeline=self.timeline)
        self.assertEqual(json_report.from_value(json_report.to_value(found)), found)

    def test_ids_are_redacted(self) -> None:
        secret = self.timeline._replace(tests=("a[mysql://joe:hunter2@db/x]", "b"))
        value = json_report.to_value(Findings(timeline=secret))
        self.assertNotIn("hunter2", repr(value))

    def test_a_report_without_one(self) -> None:
        value = json_report.to_value(Findings())
        del value["timeline"]
        self.assertIsNone(json_report.from_value(value).timeline)

    def test_workers_one_after_the_other(self) -> None:
        other = self.timeline._replace(tests=("c", "d"), exact=False)
        merged = merge([Findings(timeline=other, worker="w2"), Findings(worker="w3"),
                        Findings(timeline=self.timeline, worker="w1"),
                        Findings(timeline=self.timeline, worker="w1")]).timeline
        assert merged is not None
        self.assertEqual((merged.tests, merged.resident, merged.exact, merged.processes),
                         (("a", "b", "a", "b", "c", "d"), (100, 110) * 3, False, 2))
