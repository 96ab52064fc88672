"""The census: what is known by its id alone is looked up in one pass over the heap."""
from __future__ import annotations

import unittest

from unittest_leakfix.leaks import survivors
from unittest_leakfix.leaks.survivors import looked_up, survivor


class RecalledTest(unittest.TestCase):
    def test_two_of_one_id_are_found_in_one_pass(self):
        value = [object()]      # a list cannot be weakly referenced
        first, second = (survivor("instance", test, "", value) for test in ("one", "two"))
        passes = []
        get_objects = survivors._get_objects

        def counted():
            passes.append(1)
            return get_objects()
        survivors._get_objects = counted
        self.addCleanup(setattr, survivors, "_get_objects", get_objects)
        with looked_up([first, second]):
            self.assertIs(first.ref(), value)
            self.assertIs(second.ref(), value)
        self.assertEqual(len(passes), 1)


if __name__ == "__main__":
    unittest.main()
