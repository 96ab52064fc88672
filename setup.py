"""The metadata and the build of unittest_leakfix, on Python 2.7 and on 3.6 and later.

There are two wheels. The one that 2.7, 3.6 and 3.7 build leaves out the modules that need 3.8 and
is tagged py2.py36.py37; the one that 3.8 and later build is whole and is tagged py38. Pip takes
the newest tag that an interpreter accepts: 3.8 and later accept py36 and py37 too, but after py38.
A tag py3 on the small one would be wrong: it comes before py38.
"""

from __future__ import absolute_import

import io
import os
import re
import sys

from setuptools import setup

HERE = os.path.dirname(os.path.abspath(__file__))
MODERN = sys.version_info >= (3, 8)
MODERN_PACKAGES = ["unittest_leakfix." + name
                   for name in (
    "tracing", "process_state", "leaks", "leaks.model", "leaks.report", "leaks.retention",
    "databases", "django", "pytest_plugin", "polluter", "fix")]
ENTRY_POINTS = {"console_scripts": ["unittest-leakfix = unittest_leakfix.__main__:main"]}
if MODERN:
    ENTRY_POINTS["pytest11"] = ["unittest_leakfix = unittest_leakfix.pytest_plugin.installed"]


def _text(*path):
    with io.open(os.path.join(HERE, *path), encoding="utf-8") as source:
        return source.read()


def _version():
    # Read, not imported: an import would run the package under the building interpreter.
    return re.search(r'^__version__ = "([^"]+)"', _text("unittest_leakfix", "version.py"),
                     re.MULTILINE).group(1)


def _packages():
    packages = ["unittest_leakfix", "unittest_leakfix._core", "unittest_leakfix.resources"]
    return packages + (MODERN_PACKAGES if MODERN else [])


def _readme():
    # An archive without its README still builds. A package index has none of the files that a
    # relative link leads to: their names stay, which the source archive has.
    if not os.path.exists(os.path.join(HERE, "README.md")):
        return ""
    text = re.sub(r"(?m)^!\[[^\]]*\]\((?!https?:)[^)]*\)\n\n?", "", _text("README.md"))
    return re.sub(r"\[([^\]]*)\]\((?!https?:)[^)]*\)", r"\1", text)


setup(
    name="unittest_leakfix",
    version=_version(),
    description="A unittest suite that gives back everything its tests took, and names what it "
                "could not give back",
    long_description=_readme(),
    long_description_content_type="text/markdown",
    author="unittest_leakfix contributors",
    license="MIT",
    keywords="unittest testing pytest django memory leak connections descriptors threads gc "
             "resourcewarning flaky",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Developers",
        "Framework :: Django",
        "Framework :: Pytest",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 2.7",
        "Programming Language :: Python :: 3",
    ] + ["Programming Language :: Python :: 3.%d" % minor for minor in range(6, 16)] + [
        "Programming Language :: Python :: Implementation :: CPython",
        "Programming Language :: Python :: Implementation :: PyPy",
        "Topic :: Software Development :: Debuggers",
        "Topic :: Software Development :: Quality Assurance",
        "Topic :: Software Development :: Testing",
        "Topic :: Software Development :: Testing :: Unit",
        "Typing :: Typed",
    ],
    python_requires=">=2.7, !=3.0.*, !=3.1.*, !=3.2.*, !=3.3.*, !=3.4.*, !=3.5.*",
    packages=_packages(),
    package_data={"unittest_leakfix": ["*.pyi", "py.typed"], "unittest_leakfix._core": ["*.pyi"],
                  "unittest_leakfix.resources": ["*.pyi"],
                  "unittest_leakfix.leaks.report": ["*.css", "*.js"]},
    zip_safe=False,  # type checkers read the .pyi files in place
    entry_points=ENTRY_POINTS,
    extras_require={
        "mysql": [
            'PyMySQL<1; python_version == "2.7"',
            'PyMySQL<1.0.3; python_version == "3.6"',
            'PyMySQL; python_version >= "3.7"',
        ],
        "postgresql": [
            'psycopg2-binary; python_version < "3.8"',
            'psycopg[binary]; python_version >= "3.8"',
        ],
    },
    options={
        "bdist_wheel": {"python_tag": "py38" if MODERN else "py2.py36.py37"},
        # Apart: a wheel takes all that lies in the build folder, another interpreter's build too.
        "build": {"build_base": os.path.join("build", "py38" if MODERN else "py2.py36.py37")},
    },
)
