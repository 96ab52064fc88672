"""resources: look-up, registration, and values and types that lie or raise."""
from __future__ import absolute_import

import gc
import io
import os
import sqlite3
import subprocess
import sys
import threading
import types
import unittest
import weakref

from unittest_leakfix._core import introspection, waiting
from unittest_leakfix.resources import late_kinds, registry

try:
    from unittest import mock
except ImportError:  # Python 2.7
    try:
        import mock
    except ImportError:
        mock = None


def unregister(cls):
    """Undo ``register_resource``."""
    registry._registered.pop(id(cls), None)
    registry._forget_all()


class KindCase(unittest.TestCase):
    """Asserts about the kind of one value."""

    def kind(self, value, name=None):
        found = registry.kind_of(value)
        self.assertIsNotNone(found, "no resource: %r" % type(value))
        if name is not None:
            self.assertEqual(found.name, name)
        return found

    def check(self, value, name, text=None):
        """It is open, is described so, can be closed, and is closed then."""
        kind = self.kind(value, name)
        self.assertIs(kind.is_open(value), True)
        if text is not None:
            self.assertEqual(kind.describe(value), text)
        self.assertIs(kind.awaits(value), False)
        self.assertIsNone(kind.close(value))
        self.assertIs(kind.is_open(value), False)
        self.assertIsInstance(kind.describe(value), str)
        return kind


class Plain(object):
    pass


class Door(object):
    """A context manager that also has a close()."""

    closed = False

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.close()

    def close(self):
        self.closed = True


class NoFlagDoor(Door):
    closed = None


class Ticket(object):
    def close(self):
        raise AssertionError("a domain object was closed")


class LookUpTests(KindCase):
    def test_what_is_no_resource(self):
        class Meta(type):
            def close(cls):
                raise AssertionError

            __enter__ = __exit__ = close

        Opened = Meta("Opened", (), {})
        for value in (None, 1, 1.5, "", b"", [], {}, (), set(), object(), Plain(), Plain,
                      Door, Opened, sys, len, Door.close, Door().close, Ticket(),
                      (x for x in ""), memoryview(b""), threading.Lock(),
                      types.ModuleType("made"), sqlite3.Connection, type, Exception()):
            self.assertIsNone(registry.kind_of(value), value)

    def test_memory_is_no_resource(self):
        class Text(io.StringIO):
            pass

        for value in (io.BytesIO(), io.StringIO(), Text()):
            self.assertIsNone(registry.kind_of(value))

    def test_the_class_that_lies_is_not_believed(self):
        class Liar(object):
            @property
            def __class__(self):
                return sqlite3.Connection

        self.assertIsNone(registry.kind_of(Liar()))

    def test_a_name_alone_proves_nothing(self):
        Fake = type("Connection", (object,), {"__module__": "sqlite3"})
        self.assertIsNone(registry.kind_of(Fake()))
        Odd = type("Odd", (object,), {"__module__": ["a", "list"]})
        self.assertIsNone(registry.kind_of(Odd()))

    def test_a_getattr_that_raises_is_not_called(self):
        class Touchy(object):
            def __getattr__(self, name):
                raise KeyboardInterrupt

            __getattribute__ = __getattr__

        self.assertIsNone(registry.kind_of(Touchy()))

    def test_a_metaclass_that_raises_is_not_called(self):
        def refuse(*args):
            raise KeyboardInterrupt

        class Meta(type):
            __hash__ = __eq__ = __instancecheck__ = __subclasscheck__ = refuse
            __module__ = __name__ = property(refuse)

        value = type.__call__(Meta("Hostile", (Door,), {}))
        self.assertEqual(registry.kind_of(value).name, "Hostile")

    @unittest.skipIf(mock is None, "no mock package")
    def test_a_mock_is_no_resource(self):
        class CloseMock(mock.MagicMock):
            def close(self):
                raise AssertionError

        for value in (mock.Mock(), mock.MagicMock(), mock.Mock(spec=sqlite3.Connection),
                      mock.MagicMock(spec=Door), mock.create_autospec(Door)(), CloseMock(),
                      mock.sentinel.connection, mock.NonCallableMock(), mock.call):
            self.assertIsNone(registry.kind_of(value))

    @unittest.skipIf(sys.version_info < (3, 6), "new in 3.6")
    def test_a_type_that_is_not_ready(self):
        names = {}
        exec("async def numbers():\n    yield 1\n", names)
        self.assertIsNone(registry.kind_of(names["numbers"]().athrow(ValueError)))

    def test_a_subclass_is_what_its_base_is(self):
        class Mine(sqlite3.Connection):
            pass

        self.check(Mine(":memory:"), "sqlite3 connection")

    def test_the_kind_is_found_when_its_class_is_patched_over(self):
        value = sqlite3.connect(":memory:")
        registry.kind_of(value)
        original, sqlite3.Connection = sqlite3.Connection, Plain
        try:
            self.kind(value, "sqlite3 connection")
        finally:
            sqlite3.Connection = original
            value.close()

    @unittest.skipIf("t" in getattr(sys, "abiflags", "") and sys.version_info < (3, 14),
                     "free-threaded 3.13 keeps classes for ever")
    def test_a_class_made_in_a_test_dies_with_it(self):
        def use():
            Local = type("Local", (Door,), {})
            registry.kind_of(Local())
            registry.kind_of(Local())
            return weakref.ref(Local), id(Local)

        ref, key = use()
        gc.collect()
        self.assertIsNone(ref())
        self.assertNotIn(key, registry._kinds)
        self.assertNotIn(key, registry._refs)

    def test_an_old_style_class_is_known_by_its_own_name(self):
        class Old:
            def __enter__(self):
                return self

            def __exit__(self, *exc_info):
                pass

            def close(self):
                self.closed = True

        class Older:
            pass

        self.kind(Old(), "Old")
        self.assertIsNone(registry.kind_of(Older()))
        self.kind(Old(), "Old")


class ContextTests(KindCase):
    def test_with_a_flag(self):
        self.check(Door(), "Door", "Door")

    def test_without_a_flag_nobody_can_tell(self):
        value = NoFlagDoor()
        kind = self.kind(value, "NoFlagDoor")
        self.assertIsNone(kind.is_open(value))
        kind.close(value)
        self.assertIs(value.closed, True)

    def test_flags_that_are_no_plain_truths(self):
        def door(**names):
            return type("Odd", (NoFlagDoor,), names)()

        refuse = property(lambda self: 1 // 0)
        for value in (door(closed=threading.Event()), door(closed="yes"), door(closed=refuse),
                      door(is_closed=lambda self: 1 // 0), door(open=lambda self: 1 // 0)):
            self.assertIsNone(self.kind(value).is_open(value))
        self.assertIs(self.kind(door()).is_open(door(closed=refuse, _closed=True)), False)
        self.assertIs(self.kind(door()).is_open(door(is_closed=False)), True)
        self.assertIs(self.kind(door()).is_open(door(closed=property(lambda s: 0))), True)
        self.assertIs(self.kind(door()).is_open(door(open=0)), False)

    def test_a_getattr_that_answers_to_everything_is_no_flag(self):
        class Proxy(NoFlagDoor):
            __slots__ = ()

            def __getattr__(self, name):
                raise AssertionError(name)

        self.assertIsNone(self.kind(Proxy()).is_open(Proxy()))

    def test_what_close_raises_is_raised(self):
        class Stuck(Door):
            def close(self):
                raise ZeroDivisionError("stuck")

        self.assertRaises(ZeroDivisionError, self.kind(Stuck()).close, Stuck())

    def test_repr_is_never_called(self):
        class Loud(Door):
            def __repr__(self):
                raise AssertionError

            __str__ = __repr__

        self.assertEqual(self.kind(Loud()).describe(Loud()), "Loud")


class RegisterTests(KindCase):
    def register(self, cls, *args, **options):
        self.addCleanup(unregister, cls)
        registry.register_resource(cls, *args, **options)

    def test_everything_given(self):
        class Valve(object):
            shut = False

        class SubValve(Valve):
            pass

        self.assertIsNone(registry.kind_of(Valve()))
        self.register(Valve, lambda v: setattr(v, "shut", True), lambda v: not v.shut,
                      lambda v: "valve 7", "valve")
        self.check(Valve(), "valve", "valve 7")
        self.check(SubValve(), "valve", "valve 7")

    def test_close_by_name_and_the_rest_left_out(self):
        class Shop(object):
            closed = False

            def shut(self):
                self.closed = True

        self.register(Shop, "shut")
        self.check(Shop(), "Shop", "Shop")

    def test_the_nearest_class_wins(self):
        class Mine(sqlite3.Connection):
            pass

        class Deep(Mine):
            pass

        mine, deep, base = [cls(":memory:") for cls in (Mine, Deep, sqlite3.Connection)]
        for value in (mine, deep, base):
            self.addCleanup(value.close)
        self.register(Mine, "close", name="mine")
        self.kind(mine, "mine")
        self.kind(deep, "mine")
        self.kind(base, "sqlite3 connection")
        self.register(sqlite3.Connection, "close", name="base")
        self.kind(deep, "mine")
        self.kind(base, "base")

    def test_registering_again_replaces(self):
        self.register(Ticket, name="first")
        self.kind(Ticket(), "first")
        self.register(Ticket, name="second")
        self.kind(Ticket(), "second")

    def test_misuse(self):
        cases = [
            ((Plain(),), {}, "type: expected a class, not Plain"),
            (("Plain",), {}, "type: expected a class, not str"),
            ((object,), {}, "type: object is not a kind of resource"),
            ((Plain,), {}, "close: Plain has no method 'close'"),
            ((Plain, "quit"), {}, "close: Plain has no method 'quit'"),
            ((Plain, None), {},
             "close: expected a callable or the name of a method, not NoneType"),
            ((Ticket,), {"is_open": True},
             "is_open: expected a callable taking the value, not bool"),
            ((Ticket,), {"describe": "a ticket"},
             "describe: expected a callable taking the value, not str"),
            ((Ticket,), {"name": 7}, "name: expected a str, not int"),
        ]
        for args, options, expected in cases:
            with self.assertRaises(TypeError) as caught:
                registry.register_resource(*args, **options)
            self.assertEqual(str(caught.exception), expected)

    def test_callables_that_raise_or_answer_nonsense(self):
        def refuse(value):
            raise ValueError

        self.register(Ticket, refuse, refuse, refuse)
        kind = self.kind(Ticket(), "Ticket")
        self.assertIsNone(kind.is_open(Ticket()))
        self.assertEqual(kind.describe(Ticket()), "Ticket")
        self.assertRaises(ValueError, kind.close, Ticket())
        self.register(Ticket, len, lambda v: "maybe", lambda v: 7)
        kind = self.kind(Ticket(), "Ticket")
        self.assertIsNone(kind.is_open(Ticket()))
        self.assertEqual(kind.describe(Ticket()), "Ticket")

    def test_a_description_is_short_and_keeps_secrets(self):
        for printed, expected in (
                ("x" * 500, "x" * 117 + "..."),
                ("a\nb\x1b[31mc", "a\\nb\\x1b[31mc"),
                ("postgres://me:hush@db/shop", "postgres://me:***@db/shop"),
                ("dbname=shop password=hush host=db", "dbname=shop password=*** host=db"),
                ("user=me password='hu sh' host=db", "user=me password=*** host=db"),
                ('{"password": "hu sh"}', '{"password": ***}'),
                ("api_key: hush", "api_key: ***"),
        ):
            self.register(Ticket, describe=lambda v: printed)
            self.assertEqual(self.kind(Ticket()).describe(Ticket()), expected)


class WaitingTests(unittest.TestCase):
    def test_what_does_not_end_is_named(self):
        with self.assertRaises(waiting.CloseTimeout) as caught:
            waiting.wait_until(lambda: False, "the mill", 0.01)
        self.assertEqual(str(caught.exception), "the mill did not end within 0.01 s")

    def test_the_limit_is_read_at_each_close(self):
        before, waiting.CLOSE_TIMEOUT = waiting.CLOSE_TIMEOUT, 0.02
        self.addCleanup(setattr, waiting, "CLOSE_TIMEOUT", before)
        stop = threading.Event()
        self.addCleanup(stop.set)
        self.assertRaises(waiting.CloseTimeout, waiting.within, stop.wait, "the mill")

    def test_what_the_work_raises_is_raised(self):
        self.assertRaises(ZeroDivisionError, waiting.within, lambda: 1 // 0, "the mill")
        self.assertIsNone(waiting.within(lambda: 1, "the mill"))

    def test_own_reads_no_more_than_the_dict(self):
        class Slotted(object):
            __slots__ = ()

        self.assertIsNone(introspection.own_attribute(Slotted(), "anything"))


class PartsTests(unittest.TestCase):
    """What is known of sockets, processes and the like is loaded when there can be some."""

    CODE = (
        "import sys\n"
        "from unittest_leakfix._core import early\n"
        "from unittest_leakfix.resources import late_kinds, registry\n"
        "def loaded():\n"
        "    return [part for part in sorted(late_kinds.PARTS)\n"
        "            if 'unittest_leakfix.resources.' + part in sys.modules]\n")

    def run_code(self, code):
        """Run *code* in a process of its own, and return what it printed."""
        env = dict(os.environ, PYTHONPATH=os.getcwd())
        return subprocess.check_output(
            [sys.executable, "-c", self.CODE + code], env=env,
            stderr=subprocess.STDOUT).decode().split("\n")[:-1]

    def test_each_part_names_the_modules_that_it_knows(self):
        for part, modules in late_kinds.PARTS.items():
            module = __import__("unittest_leakfix.resources." + part, fromlist=["KINDS"])
            known = set()
            for name in list(module.KINDS) + list(getattr(module, "LAST", ())):
                places = [name, name[0], name[0].partition(".")[0]]
                known.add(next((each for each in places if each in modules), name))
            self.assertEqual(sorted(known, key=str), sorted(modules, key=str), part)

    @unittest.skipIf(sys.version_info < (3, 4), "all is loaded there")
    def test_is_loaded_with_what_it_is_for(self):
        self.assertEqual(self.run_code(
            "import sqlite3\n"
            "print('db_connections' in loaded())\n"
            "late_kinds.prepare()\n"
            "print('db_connections' in loaded())\n"
            "late_kinds.load_all()\n"
            "print(len(loaded()) == len(late_kinds.PARTS))"), ["False", "True", "True"])

    def test_is_loaded_when_one_comes_later(self):
        self.assertEqual(self.run_code(
            "import select, socket, sqlite3\n"
            "class Connection(object):\n"
            "    cursor = commit = rollback = close = lambda self: None\n"
            "for value in (Connection(), sqlite3.connect(':memory:'), socket.socket()):\n"
            "    print(registry.kind_of(value).name)"),
            ["database connection", "sqlite3 connection", "socket"])

    @unittest.skipIf(sys.version_info < (3, 4), "all is loaded there")
    def test_is_loaded_without_a_descriptor(self):
        full = (
            "import select, socket, sqlite3\n"
            "class Full(object):\n"
            "    def find_spec(self, name, path=None, target=None):\n"
            "        if name.startswith('unittest_leakfix'):\n"
            "            raise OSError(24, 'Too many open files')\n"
            "values = [sqlite3.connect(':memory:'), socket.socket()]\n"
            "sys.meta_path.insert(0, Full())\n"
            "finders = sys.meta_path[:]\n")
        self.assertEqual(self.run_code(
            full + "late_kinds.prepare()\n"
            "print([registry.kind_of(value).name for value in values])\n"
            "late_kinds.load_all()\n"
            "print(len(loaded()) == len(late_kinds.PARTS), sys.meta_path == finders)"),
            ["['sqlite3 connection', 'socket']", "True True"])
        # Nor is there the source: what is known of it is tried again.
        self.assertEqual(self.run_code(
            full + "early.held.codes.clear()\n"
            "print(registry.kind_of(values[0]))\n"
            "del sys.meta_path[0]\n"
            "print(registry.kind_of(values[0]).name)"), ["None", "sqlite3 connection"])

    @unittest.skipIf(sys.version_info < (3, 4), "all is loaded there")
    def test_all_that_a_part_imports_of_ours_is_read_beforehand(self):
        self.assertEqual(self.run_code(
            "before = set(early.held.codes)\n"
            "there = set(sys.modules)\n"
            "late_kinds.load_all()\n"
            "print(sorted(name for name in set(sys.modules) - there - before\n"
            "             if name.startswith('unittest_leakfix')))"), ["[]"])


if __name__ == "__main__":
    unittest.main()
