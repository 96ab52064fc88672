"""Files of a report: written whole or not at all, wherever the tests have gone meanwhile."""
from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import textwrap
import threading
import unittest

from tests.support.paths import ROOT
from unittest_leakfix.leaks import suppressions
from unittest_leakfix.leaks.model.leak import Findings, Leak
from unittest_leakfix.leaks.report import json_report as leaks_json
from unittest_leakfix.leaks.report import whole_file
from unittest_leakfix.leaks.report.whole_file import Target
from unittest_leakfix.process_state.descriptors import Reserve

LATIN = "caf\udce9"      # a name in Latin-1, as os.listdir gives it


def leak(name: str) -> Leak:
    return Leak("file", "file %r was left open" % name, ("t.T.test",), cause="file %s" % name)


class FolderCase(unittest.TestCase):
    def setUp(self):
        self.folder = os.path.realpath(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def put(self, name, text="old\n"):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def text(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def json(self, name):
        return json.loads(self.text(name))

    def child(self, source, *arguments, preexec=None, **options):
        """Run this source in a process of its own; return its status and output."""
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(source), *arguments], cwd=self.folder,
            timeout=60,
            env=dict(os.environ, PYTHONPATH=ROOT), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            **options)
        return done.returncode, done.stdout.decode("utf-8", "replace")


class WholeTests(FolderCase):
    def test_a_new_file(self):
        Target(self.path("a.json")).write("new\n")
        self.assertEqual((["a.json"], "new\n"), (os.listdir(self.folder), self.text("a.json")))
        with open(self.path("as open makes it"), "w"):
            pass
        self.assertEqual(
            *(stat.S_IMODE(os.stat(self.path(name)).st_mode) for name in os.listdir(self.folder)))

    def test_an_existing_file_keeps_its_mode(self):
        for mode in (0o600, 0o664):
            os.chmod(self.put("a.json"), mode)
            Target(self.path("a.json")).write("new\n")
            self.assertEqual((mode, "new\n"), (
                stat.S_IMODE(os.stat(self.path("a.json")).st_mode), self.text("a.json")))

    def test_a_symbolic_link_stays_one(self):
        os.mkdir(self.path("inner"))
        for name, target in (("link.json", self.put("a.json")),
                             ("ahead.json", os.path.join("inner", "b.json"))):
            os.symlink(target, self.path(name))
            Target(self.path(name)).write("new\n")
            self.assertTrue(os.path.islink(self.path(name)))
            self.assertEqual("new\n", self.text(target))
        self.assertEqual(["b.json"], os.listdir(self.path("inner")))

    def test_devices_and_pipes_are_written_to(self):
        os.mkfifo(self.path("pipe"))
        read = []
        reader = threading.Thread(target=lambda: read.append(self.text("pipe")))
        reader.start()
        Target(self.path("pipe")).write("new\n")
        reader.join()
        Target(os.devnull).write("new\n")
        self.assertEqual(["new\n"], read)
        self.assertTrue(stat.S_ISFIFO(os.stat(self.path("pipe")).st_mode))
        self.assertTrue(stat.S_ISCHR(os.stat(os.devnull).st_mode))
        self.assertEqual(["pipe"], os.listdir(self.folder))

    def test_standard_output_where_it_is_a_file_or_a_pipe(self):
        source = """
            import os, sys
            from unittest_leakfix.leaks.report.whole_file import Target
            for name in ("/dev/stdout", "/dev/fd/1", "link"):
                print("before")
                Target(name).write("report\\n")
            print("after")
        """
        os.symlink("/dev/stdout", self.path("link"))
        expected = "before\nreport\n" * 3 + "after\n"
        self.assertEqual((0, expected), self.child(source))
        with open(self.path("output"), "w") as output:
            subprocess.run([sys.executable, "-c", textwrap.dedent(source)], cwd=self.folder,
                           stdout=output,
                           env=dict(os.environ, PYTHONPATH=ROOT), check=True)
        self.assertEqual(expected, self.text("output"))

    def test_a_descriptor_that_has_become_another_file_is_left_alone(self):
        status, output = self.child("""
            import os
            from unittest_leakfix.leaks.report.whole_file import Target
            target = Target("/dev/stdout")
            shown = os.dup(1)
            os.dup2(os.open("other", os.O_WRONLY | os.O_CREAT), 1)
            try:
                target.write("report\\n")
            except OSError as error:
                os.write(shown, str(error).encode())
        """)
        self.assertIn("descriptor 1 is not the same file any more", output)
        self.assertEqual("", self.text("other"))

    def test_no_room(self):
        # A limit stands for a full disk: part of it can be written, and then no more.
        status, output = self.child("""
            import os, resource, sys
            from unittest_leakfix.leaks.report.whole_file import Target
            targets = [Target(name) for name in ("old.json", "new.json")]
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
            for target in targets:
                try:
                    target.write("x" * 5000)
                except OSError as error:
                    print(error.strerror, os.listdir("."))
        """) if self.put("old.json") else None
        self.assertEqual((0, "File too large ['old.json']\n" * 2), (status, output))
        self.assertEqual("old\n", self.text("old.json"))

    @unittest.skipUnless(os.path.exists("/dev/full"), "needs /dev/full")
    def test_a_full_device(self):
        with self.assertRaisesRegex(OSError, "No space left"):
            Target("/dev/full").write("new\n")

    def test_ended_at_any_line(self):
        """KeyboardInterrupt, or the end of the process, at each line: it is the old file or the new
        one."""
        new = "new " * 5000
        for interrupts in (True, False):
            seen = set()
            for line in range(100):
                self.put("a.json")
                child = os.fork()
                if not child:
                    self.write_up_to(line, interrupts, new)
                status = os.WEXITSTATUS(os.waitpid(child, 0)[1])
                self.assertIn(status, (0, 3))
                self.assertIn(self.text("a.json"), ("old\n", new))
                seen.add(self.text("a.json"))
                litter = [name for name in os.listdir(self.folder) if name != "a.json"]
                if interrupts:
                    self.assertEqual([], litter)
                for name in litter:
                    self.assertRegex(name, r"^\.leakfix-\d+-\d+\.tmp$")
                    os.unlink(self.path(name))
                if not status:
                    break
            self.assertEqual(({"old\n", new}, 0), (seen, status))

    def write_up_to(self, line, interrupts, new):
        """Write the file and exit with 0; with 3 when it ended at that line."""
        target = Target(self.path("a.json"))

        def trace(frame, event, argument):
            nonlocal line
            if frame.f_code.co_filename != whole_file.__file__:
                return None
            if event == "line":
                line -= 1
                if line < 0:
                    sys.settrace(None)
                    if not interrupts:
                        os._exit(3)
                    raise KeyboardInterrupt
            return trace
        status = 1
        try:
            sys.settrace(trace)
            target.write(new)
            status = 0
        except KeyboardInterrupt:
            status = 3
        finally:
            os._exit(status)

    def test_what_a_killed_run_left_is_no_obstacle(self):
        number = next(whole_file._serial)
        for later in range(1, 4):
            self.put(".leakfix-%d-%d.tmp" % (os.getpid(), number + later))
        Target(self.path("a.json")).write("new\n")
        self.assertEqual("new\n", self.text("a.json"))
        self.assertEqual(4, len(os.listdir(self.folder)))

    def test_a_file_that_cannot_be_replaced_is_written_in_place(self):
        path = self.put("a.json", "a longer text\n")
        inode = os.stat(path).st_ino

        def busy(source, target):
            raise OSError(16, "Device or resource busy")
        self.addCleanup(setattr, whole_file, "_replace", whole_file._replace)
        whole_file._replace = busy      # as where the file is mounted by itself
        Target(path).write("new\n")
        self.assertEqual((inode, "new\n", ["a.json"]),
                         (os.stat(path).st_ino, self.text("a.json"), os.listdir(self.folder)))

    def test_whatever_of_os_is_replaced(self):
        status, output = self.child("""
            import os, sys
            from unittest_leakfix.leaks.report.whole_file import Target
            target = Target("a.json")
            def refuse(*arguments, **options):
                raise RuntimeError("replaced")
            for name in dir(os):
                if callable(getattr(os, name)) and name not in ("fspath", "PathLike", "_exit"):
                    setattr(os, name, refuse)
            target.write("new\\n")
            os._exit(0)
        """)
        self.assertEqual((0, "", "new\n"), (status, output, self.text("a.json")))


class NameTests(FolderCase):
    """What is wrong with a name is said when the run starts."""

    def refused(self, name, why):
        with self.assertRaises(ValueError) as raised:
            Target(name)
        self.assertEqual("%s cannot be written: %s" % (name, why), str(raised.exception))

    def test_refused(self):
        self.put("file")
        os.symlink("loop", self.path("loop"))
        for name, why in (("", "it has no name"), (self.folder, "it is a folder"),
                          (self.path("nowhere", "a.json"),
                           "there is no folder " + self.path("nowhere")),
                          (self.path("file", "a.json"), "Not a directory"),
                          (self.path("loop"), "Too many levels of symbolic links"),
                          (self.path("n" * 300), "File name too long"),
                          ("/dev/fd/999", "Bad file descriptor")):
            with self.subTest(name=name):
                self.refused(name, why)

    def test_not_a_name(self):
        with self.assertRaisesRegex(ValueError, "a\0b cannot be written: .*embedded null"):
            Target("a\0b")

    def test_no_permission(self):
        if not os.geteuid():
            # root may do anything: look as somebody else does
            status, output = self.child("""
                import os
                from unittest_leakfix.leaks.report.whole_file import Target
                os.chmod(".", 0o711)
                os.mkdir("closed", 0o711)
                os.mkdir("open"); os.chmod("open", 0o777)
                open("open/theirs", "w").close()
                os.setuid(65534)
                for name in ("closed/a.json", "open/theirs", "open/a.json"):
                    try:
                        Target(name).write("new")
                        print("written", name)
                    except ValueError as error:
                        print(error)
            """)
            self.assertEqual([
                "closed/a.json cannot be written: nothing can be written in its folder",
                "open/theirs cannot be written: Permission denied", "written open/a.json"],
                output.splitlines())
            return
        os.mkdir(self.path("closed"), 0o500)
        self.refused(self.path("closed", "a.json"), "nothing can be written in its folder")

    def test_the_same_file(self):
        path = self.put("a.json")
        os.symlink(self.folder, self.path("again"))
        os.symlink(path, self.path("link"))
        os.symlink("later.json", self.path("ahead"))
        os.link(path, self.path("hard"))
        for one, other, same in (
                (path, os.path.relpath(path), True),
                (path, self.path("again", "..", self.folder, "a.json"), True),
                (path, self.path("link"), True), (path, self.path("hard"), True),
                (path, self.path("b.json"), False),
                (self.path("later.json"), self.path("again", ".", "later.json"), True),
                (self.path("ahead"), self.path("later.json"), True),
                (self.path("c"), self.path("d"), False),
                (os.devnull, os.devnull, False), ("/dev/stdout", "/dev/fd/1", True)):
            with self.subTest(one=one, other=other):
                self.assertEqual(same, Target(one).is_same(Target(other)))
                self.assertEqual(same, Target(other).is_same(Target(one)))

    def test_a_name_that_is_not_unicode(self):
        path = self.path(LATIN + ".json")
        leaks_json.dump(Findings((leak(LATIN),), tests=1), path)
        self.assertEqual([os.fsencode(LATIN + ".json")], os.listdir(os.fsencode(self.folder)))
        self.assertEqual(self.path("caf\\udce9.json"), Target(path).name)


class TextTests(FolderCase):
    """Any name is read back as it was."""

    NAMES = (LATIN, "größe", "\ud83d", "\U0001f600", "\\udce9", "a\"b\\", "\u2028")

    def test_baseline(self):
        whole_file.write(self.path("known.json"),
                         suppressions.baseline_text([leak(name) for name in self.NAMES]))
        baseline = suppressions.Baseline(self.path("known.json"))
        for name in self.NAMES:
            self.assertTrue(baseline.has(leak(name)), name)
        self.assertFalse(baseline.has(leak("caf")))
        self.assertIn("größe", self.text("known.json"))

    def test_report(self):
        found = Findings(tuple(leak(name) for name in self.NAMES), tests=1)
        leaks_json.dump(found, self.path("leaks.json"))
        self.assertEqual(found, leaks_json.load(self.path("leaks.json")))


class ReserveTests(FolderCase):
    def open_descriptors(self):
        return {int(name) for name in os.listdir("/dev/fd")}

    def test_held_and_given_up(self):
        before = self.open_descriptors()
        reserve = Reserve()
        reserve.hold()
        number = reserve._number
        status = os.fstat(number)
        self.assertTrue(Reserve.has(number, status.st_dev, status.st_ino))
        self.assertFalse(Reserve.has(number, status.st_dev, status.st_ino + 1))
        self.assertFalse(os.get_inheritable(number))
        self.assertTrue(reserve.release())
        self.assertTrue(reserve.release())
        self.assertEqual(before, self.open_descriptors())
        self.assertFalse(Reserve.has(number, status.st_dev, status.st_ino))

    def test_closed_by_a_test(self):
        reserve = Reserve()
        reserve.hold()
        os.close(reserve._number)
        self.assertFalse(reserve.release())

    def test_its_number_is_somebody_else_s_now(self):
        reserve = Reserve()
        reserve.hold()
        number = reserve._number
        os.close(number)
        theirs = os.open(os.devnull, os.O_RDONLY)
        self.addCleanup(os.close, theirs)
        self.assertEqual(number, theirs)
        self.assertFalse(reserve.release())
        os.fstat(theirs)

    def test_none_is_left_to_hold(self):
        status, output = self.child("""
            import os, resource
            from unittest_leakfix.process_state.descriptors import Reserve
            resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
            try:
                while True:
                    os.dup(0)
            except OSError:
                pass
            reserve = Reserve()
            reserve.hold()
            print(reserve.release())
        """)
        self.assertEqual((0, "True\n"), (status, output))

    def test_in_a_forked_child(self):
        reserve = Reserve()
        reserve.hold()
        self.addCleanup(reserve.release)
        child = os.fork()
        if not child:
            os._exit(not reserve.release())
        self.assertEqual(0, os.waitpid(child, 0)[1])
        os.fstat(reserve._number)


if __name__ == "__main__":
    unittest.main()
