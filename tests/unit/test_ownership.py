"""Would it be garbage if I let go of it? Asked of real objects in every position."""

from __future__ import absolute_import

import sqlite3
import sys
import unittest
import weakref

from unittest_leakfix._core import ownership

kept_by_this_module = []


class Node(object):
    pass


def is_owned(make):
    """Tell whether what make() returns, held by one list alone, is owned."""
    slot = [make()]
    found = id(slot[0]) in ownership.owned(slot[:], [1])
    # Nothing else asked for, it is the same.
    if (id(slot[0]) in ownership.owned(slot[:], [1], brief=True)) is not found:
        raise AssertionError("%r: owned %s, briefly not" % (slot[0], found))
    return found


@unittest.skipUnless(ownership.COUNTED, "this interpreter does not count references")
class OwnedTests(unittest.TestCase):
    def tearDown(self):
        del kept_by_this_module[:]

    def test_fresh_objects_are_owned(self):
        for make in (Node, list, dict, object, lambda: open(__file__),
                     lambda: sqlite3.connect(":memory:")):
            self.assertTrue(is_owned(make), make)

    def test_no_method_is_called_of_what_is_in_a_long_list(self):
        class Touchy(Node):
            def __len__(self):
                raise AssertionError("asked for its length")
        for make in (lambda: [Touchy() for _ in range(500)],
                     lambda: [[Node()] * 500, [Touchy() for _ in range(500)]]):
            self.assertTrue(is_owned(make))

    def test_what_a_module_holds_is_shared(self):
        def make():
            kept_by_this_module.append(Node())
            return kept_by_this_module[-1]
        self.assertFalse(is_owned(make))

    def test_what_a_local_holds_is_shared(self):
        local = Node()
        self.assertFalse(is_owned(lambda: local))

    def test_standard_streams_are_shared(self):
        self.assertFalse(is_owned(lambda: sys.stdout))

    def test_cycle_of_its_own_is_owned(self):
        def make():
            node = Node()
            node.me = node
            node.others = [Node(), (node,)]
            return node
        self.assertTrue(is_owned(make))

    def test_cycle_with_somebody_elses_is_shared(self):
        def make():
            node, shared = Node(), Node()
            node.friend, shared.friend = shared, node
            kept_by_this_module.append(shared)
            return node
        self.assertFalse(is_owned(make))

    def test_bound_method_and_closure_of_itself_are_owned(self):
        def make():
            node = Node()
            node.call = node.__hash__
            node.closure = lambda: node
            return node
        self.assertTrue(is_owned(make))

    def test_exception_that_holds_its_frames_is_owned(self):
        def make():
            node = Node()
            try:
                raise ValueError(node)
            except ValueError as error:
                node.error = error
                node.info = sys.exc_info()
            sys.exc_clear() if sys.version_info < (3,) else None
            return node
        self.assertTrue(is_owned(make))

    def test_running_generator_shares_what_it_holds(self):
        def generate(node):
            yield node
        node = Node()
        generator = generate(node)
        next(generator)
        del node
        self.assertFalse(is_owned(lambda: generator.gi_frame.f_locals["node"]))

    def test_thread_shares_what_its_frame_holds(self):
        import threading
        begun, end = threading.Event(), threading.Event()
        slot = [Node()]

        def work(node):
            begun.set()
            end.wait()
        thread = threading.Thread(target=work, args=(slot[0],))
        thread.start()
        begun.wait()
        try:
            self.assertNotIn(id(slot[0]), ownership.owned(slot[:], [1]))
        finally:
            end.set()
            thread.join()
        del thread
        self.assertIn(id(slot[0]), ownership.owned(slot[:], [1]))

    def test_weak_references_do_not_share(self):
        refs = []

        def make():
            node = Node()
            refs.append(weakref.ref(node))
            return node
        self.assertTrue(is_owned(make))

    def test_what_hangs_on_a_shared_object_is_shared(self):
        def make():
            node = Node()
            node.child = Node()
            kept_by_this_module.append(node)
            return node.child
        self.assertFalse(is_owned(make))

    def test_several_at_once_explain_each_other(self):
        """A connection that only a cursor beside it refers to goes with the cursor."""
        connection, cursor = Node(), Node()
        cursor.connection = connection
        held = [connection, cursor]
        both = ownership.owned(held[:], [2, 2])
        self.assertTrue(both.issuperset(map(id, held)), both)
        self.assertNotIn(id(connection), ownership.owned(held[:1], [2]))

    @unittest.skipUnless(ownership._IN_ORDER, "a dict has no order there")
    def test_briefly_no_more_is_looked_into_than_leads_back(self):
        # Beside a thread, which another test may have left, all is looked at with a lock held.
        self.addCleanup(setattr, ownership, "_threaded", ownership._threaded)
        ownership._threaded = lambda: False
        slot = [Node()]
        slot[0].way = Node()
        slot[0].way.back = slot[0]
        slot[0].other = [Node(), Node()]
        known = ownership.owned(slot[:], [1], brief=True)
        self.assertIn(id(slot[0]), known)
        self.assertNotIn(id(slot[0].other[0]), known)
        self.assertIn(id(slot[0].other[0]), ownership.owned(slot[:], [1]))

    def test_what_leads_back_and_is_held_elsewhere_shares(self):
        def through_a_dict():
            node = Node()
            node.way = {"back": node}
            kept_by_this_module.append(node.way)
            return node

        def through_a_closure():
            node = Node()
            node.call = lambda: node
            kept_by_this_module.append(node.call)
            return node

        def through_a_class():
            node = Node()
            node.kind = type("Passing", (), {"node": node})
            kept_by_this_module.append(node.kind)
            return node

        def far_away():
            node = last = Node()
            for _ in range(80):
                last.next = Node()
                last = last.next
            last.next = node
            kept_by_this_module.append(last)
            return node
        for make in (through_a_dict, through_a_closure, through_a_class, far_away):
            self.assertFalse(is_owned(make), make)

    def test_past_the_limit_it_is_shared(self):
        def make():
            first = last = Node()
            for _ in range(20):
                last.next = Node()
                last = last.next
            last.next = first
            return first
        slot = [make()]
        self.assertIn(id(slot[0]), ownership.owned(slot[:], [1]))
        self.assertNotIn(id(slot[0]), ownership.owned(slot[:], [1], limit=10))

    def test_huge_container_is_not_gone_through(self):
        slot = [[None] * (ownership.LIMIT + 1)]
        slot[0][0] = slot[0]
        self.assertNotIn(id(slot[0]), ownership.owned(slot[:], [1]))

    def test_lying_objects_are_not_asked(self):
        class Liar(object):
            __class__ = property(lambda self: 1 / 0)

            def __getattr__(self, name):
                raise RuntimeError(name)

            def __eq__(self, other):
                raise RuntimeError("eq")
            __hash__ = None
        self.assertTrue(is_owned(Liar))

    def test_instances_with_slots_are_looked_into(self):
        class Slotted(object):
            __slots__ = ("me",)

        def make():
            slotted = Slotted()
            slotted.me = [slotted]
            return slotted
        self.assertTrue(is_owned(make))

    def test_nothing_is_held_afterwards(self):
        slot = [Node()]
        slot[0].me = slot[0]
        gone = weakref.ref(slot[0])
        ownership.owned(slot[:], [1])
        del slot[0].me
        slot[0] = None
        self.assertIsNone(gone())


class CycleTests(unittest.TestCase):
    @unittest.skipUnless(ownership.COUNTED, "references are not counted")
    def test_names_what_leads_back(self):
        slot = [Node()]
        slot[0].way = [slot[0]]
        slot[0].rows = [Node()]
        owned, cycle = ownership.owned_cycle(slot[:], [1])
        self.assertIn(id(slot[0].way), cycle)
        self.assertNotIn(id(slot[0].rows), cycle)
        self.assertIn(id(slot[0].rows), owned)
