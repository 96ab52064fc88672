"""All that a test run writes is searched for the passwords of its servers."""

from __future__ import absolute_import

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

from tests.support import passwords, runs

PRINTS = "import sys; sys.stdout.write('to ' + sys.argv[1]); sys.stderr.write('fine')"


class Searched(unittest.TestCase):
    def setUp(self):
        self.addCleanup(setattr, subprocess.Popen, "communicate", subprocess.Popen.communicate)
        self.addCleanup(setattr, passwords, "_ours", passwords._ours)
        passwords._ours = ["hunter-22"]
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        self.path = os.path.join(folder, "3.13.passwords")

    def read(self, word):
        passwords.watch()
        child = subprocess.Popen([sys.executable, "-c", PRINTS, word], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
        return child.communicate()[0]

    def test_what_a_child_says(self):
        self.assertEqual(self.read("me"), b"to me")
        with self.assertRaises(AssertionError) as caught:
            self.read("hunter-22")
        self.assertNotIn("hunter-22", str(caught.exception))

    def test_what_the_run_says(self):
        with open(self.path, "w") as file:
            file.write("hunter-33\n")
        log = os.path.join(os.path.dirname(self.path), "3.13.txt")
        with open(log, "w") as file:
            file.write("connected with hunter-33")
        run = runs.Run("3.13", None)
        run._search(self.path, log)
        self.assertEqual(run.failures, [("the output", "the password of a server is in 3.13.txt")])
        self.assertFalse(os.path.exists(self.path))


if __name__ == "__main__":
    unittest.main()
