"""An environment as a user has it: the package is installed, and no variable sends Python to it."""

from __future__ import absolute_import

import io
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import unittest

from tests.support import interpreters
from tests.support.paths import ROOT


class Environment(object):
    """An environment in which the package is installed, and all that this interpreter has."""

    def __init__(self):
        self.folder = os.path.realpath(tempfile.mkdtemp())
        self.scripts = os.path.join(self.folder, "environment", "bin")
        self.variables = interpreters.environment(
            PATH=self.scripts + os.pathsep + os.environ.get("PATH", os.defpath))
        try:
            self._make()
        except BaseException:
            self.remove()
            raise

    def _make(self):
        made, packages = os.path.dirname(self.scripts), os.path.join(self.folder, "packages")
        if sys.version_info >= (3,):
            command, tools = [sys.executable, "-m", "venv", "--without-pip", made], {}
        else:
            tools = {"PYTHONPATH": os.path.join(interpreters.ENVIRONMENTS, "virtualenv-2.7")}
            command = [sys.executable, "-m", "virtualenv", "--no-download", made]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 env=interpreters.environment(**tools))
        printed = child.communicate()[0].decode("utf-8", "replace")
        if child.returncode:
            raise unittest.SkipTest("needs %s: %s" % (command[2], printed.strip()[-200:]))
        shutil.copytree(os.path.join(ROOT, "unittest_leakfix"),
                        os.path.join(packages, "unittest_leakfix"),
                        ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        (place,) = [folder for folder, _, _ in os.walk(made)
                    if os.path.basename(folder) == "site-packages"]
        with open(os.path.join(place, "installed.pth"), "w") as file:
            file.write(packages + "\n")
            for theirs in sorted(set(map(sysconfig.get_path, ("purelib", "platlib")))):
                file.write("import site; site.addsitedir(%r)\n" % str(theirs))

    def remove(self):
        """Take it away."""
        shutil.rmtree(self.folder)

    def has(self, command):
        """Tell whether its runner is there, and see to it that the shell finds it."""
        words = command.split()
        if words[:2] == ["python", "-m"]:
            return not subprocess.call(["python", "-c", "import " + words[2]], env=self.variables,
                                       stderr=subprocess.PIPE,
                                       executable=os.path.join(self.scripts, "python"))
        script = os.path.join(os.path.dirname(sys.executable), words[0])
        if not os.path.exists(script):
            return False
        with io.open(script, encoding="utf-8") as file:
            text = file.read()
        with io.open(os.path.join(self.scripts, words[0]), "w", encoding="utf-8") as file:
            file.write(u"#!%s\n%s"
                       % (os.path.join(self.scripts, "python"), text.partition("\n")[2]))
        os.chmod(os.path.join(self.scripts, words[0]), 0o755)
        return True
