"""How much memory an object is said to hold."""
import io
import os
import sys
import tempfile
import unittest

if sys.version_info < (3, 8):
    raise unittest.SkipTest("finding needs Python 3.8")

from unittest_leakfix.leaks import sizes


class SizesTests(unittest.TestCase):
    def test_the_buffer_of_a_file_is_no_data_of_the_test(self):
        path = os.path.join(tempfile.gettempdir(), "leakfix-sizes-%d" % os.getpid())
        files = [open(path, "wb", buffering=1 << 20)]
        self.addCleanup(os.remove, path)
        self.assertLess(sizes.only_held_by(files), 2000)    # nobody else may refer to it
        files.pop().close()

    def test_what_was_written_to_memory_is(self):
        self.assertGreater(sizes.only_held_by([io.BytesIO(b"x" * 100000)]), 100000)


if __name__ == "__main__":
    unittest.main()
