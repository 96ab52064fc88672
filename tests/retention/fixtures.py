"""Classes, modules, and tests that cannot be loaded."""

from __future__ import absolute_import

import os
import shutil
import sys
import tempfile
import unittest

from tests.retention.harness import ALL, FREE, KEPT, LIGHT, Kit, Payload, Probe, case, left, since

BOTH = ("First", "Second")
CLASSES = left(BOTH)
CLASSES_UNTIL_GC = left(BOTH, payloads_gc=())
# Class cleanups came with 3.8: before, only our suite can restore a class.
RESTORED = since(CLASSES, py38=FREE)


def class_level(stock, mixin, runner=CLASSES, both=FREE, **others):
    """The runner leaves a class's attributes; ClassLeakFixMixin drops them."""
    return case(stock=stock, runner=runner, mixin=mixin, both=both, **others)


@class_level(stock=since(left(BOTH + ALL, ALL), py36=CLASSES),
             mixin=since(left(BOTH + ALL, ALL), py36=CLASSES, py38=FREE))
def setUpClass_raises(kit):
    class Tests(kit.base):
        def __init__(self, name):
            unittest.TestCase.__init__(self, name)
            self.payload = Payload(name)

        @classmethod
        def setUpClass(cls):
            cls.payload = Payload(cls.__name__)
            raise ValueError("broken")

        def test(self):
            pass
    return kit.halves(Tests)


@case(stock=since(LIGHT, py36=FREE), mixin=since(LIGHT, py36=FREE))
def setUpClass_raises_local(kit):
    class Tests(kit.base):
        @classmethod
        def setUpClass(cls):
            payload = Payload(cls.__name__)
            raise ValueError(payload.name)

        def test(self):
            pass
    return kit.halves(Tests)


@case(stock=since(LIGHT, py36=FREE), mixin=since(LIGHT, py36=FREE))
def tearDownClass_raises(kit):
    class Tests(kit.base):
        def test(self):
            pass

        @classmethod
        def tearDownClass(cls):
            payload = Payload(cls.__name__)
            raise ValueError(payload.name)
    return kit.halves(Tests)


@class_level(stock=since(left(BOTH, ALL), py36=CLASSES),
             mixin=since(left(BOTH, ALL), py36=RESTORED))
def class_attr(kit):
    class Tests(kit.base):
        @classmethod
        def setUpClass(cls):
            cls.payload = Payload(cls.__name__)

        def test(self):
            pass
    return kit.halves(Tests)


@class_level(stock=since(left(BOTH, ALL), py36=CLASSES_UNTIL_GC), runner=CLASSES_UNTIL_GC,
             mixin=since(left(BOTH, ALL), py36=CLASSES_UNTIL_GC, py38=FREE))
def class_attr_classes_dropped(kit):
    class Tests(kit.base):
        @classmethod
        def setUpClass(cls):
            cls.payload = Payload(cls.__name__)

        def test(self):
            pass
    suite = kit.plan(*kit.halves(Tests))
    del kit.keep[:]
    return suite


# The loop of the outermost stock suite still holds its last test.
@case(stock=since(KEPT, py36=left(("test_6",), ("test_6",))),
      mixin=since(LIGHT, py36=left((), ("test_6",))))
def last_instance_in_tearDownClass(kit):
    class Tests(kit.base):
        def test(self):
            self.payload = Payload(self)

        @classmethod
        def tearDownClass(cls):
            kit.look_at_last(cls)

    kit.look_at_last = lambda cls: kit.look(middle=cls.__name__ == "First")
    First, Second = kit.halves(Tests)
    return unittest.TestSuite(kit.tests(First, Second))


@case(needs=(3, 8))
def class_cleanup(kit):
    class Tests(kit.base):
        @classmethod
        def setUpClass(cls):
            payload = Payload(cls.__name__)
            cls.addClassCleanup(lambda: payload)

        def test(self):
            pass
    return kit.halves(Tests)


@case(stock=CLASSES, mixin=CLASSES, needs=(3, 8))
def class_cleanup_raises(kit):
    class Tests(kit.base):
        @classmethod
        def setUpClass(cls):
            cls.addClassCleanup(cls.clean, Payload(cls.__name__))

        @classmethod
        def clean(cls, payload):
            raise ValueError("broken")

        def test(self):
            pass
    return kit.halves(Tests)


def _with_modules(kit, Tests, fill):
    First, Second = kit.halves(Tests)
    for cls in (First, Second):
        fill(kit.module(cls.__name__, cls))
    return First, Second


@case(stock=since(left(BOTH, ALL), py36=CLASSES), runner=CLASSES,
      mixin=since(left(BOTH, ALL), py36=CLASSES))
def module_fixture(kit):
    class Tests(kit.base):
        def test(self):
            pass

    def fill(module):
        def setUpModule():
            module.payload = Payload(module.__name__)
        module.setUpModule = setUpModule
    return _with_modules(kit, Tests, fill)


# 3.8 never runs the cleanups of a module that has no tearDownModule.
@case(stock=since(CLASSES, py39=FREE), runner=since(CLASSES, py39=FREE),
      mixin=since(CLASSES, py39=FREE), needs=(3, 8))
def module_cleanup(kit):
    class Tests(kit.base):
        def test(self):
            pass

    def fill(module):
        def setUpModule():
            unittest.addModuleCleanup(id, Payload(module.__name__))
        module.setUpModule = setUpModule
    kit.undo(unittest.case.doModuleCleanups)
    return _with_modules(kit, Tests, fill)


@case(stock=since(left(ALL, ALL), py36=FREE), mixin=since(left(ALL, ALL), py36=FREE))
def module_setup_raises(kit):
    class Tests(kit.base):
        def __init__(self, name):
            unittest.TestCase.__init__(self, name)
            self.payload = Payload(name)

        def test(self):
            pass

    def fill(module):
        def setUpModule():
            payload = Payload(module.__name__)
            raise ValueError(payload.name)
        module.setUpModule = setUpModule
    return _with_modules(kit, Tests, fill)


def _loaded(kit, load):
    made = []
    for name in ALL:
        for test in load(name):
            made.append(kit.watch(name, test))
    return unittest.TestSuite(made[:3] + [Probe("middle")] + made[3:] + [Probe("end")])


# The traceback of the error that load_tests raised hangs on the test that stands for it.
@case(stock=KEPT, mixin=KEPT, needs=(3, 6))
def failed_import(kit):
    def load_tests(loader, tests, pattern):
        payload = Payload(Kit.current.loading)
        raise ValueError(payload.name)

    def load(name):
        module = kit.module(name)
        module.load_tests = load_tests
        kit.loading = name
        return [unittest.TestLoader().loadTestsFromModule(module)]
    return _loaded(kit, load)


@case(stock=LIGHT, mixin=LIGHT, needs=(3, 6))
def failed_import_fixture(kit):
    folder = tempfile.mkdtemp()
    sys.path.insert(0, folder)
    kit.undo(sys.path.remove, folder)
    kit.undo(shutil.rmtree, folder)

    def load(name):
        with open(os.path.join(folder, name + ".py"), "w") as source:
            source.write("from tests.retention.harness import Payload\n"
                         "payload = Payload(%r)\nimport missing_module\n" % name)
        return unittest.TestLoader().loadTestsFromName(name)
    return _loaded(kit, load)
