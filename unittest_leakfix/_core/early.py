"""The builtins as they are when the package is loaded, whatever a test puts in their place later.

A test may leave ``builtins.open``, ``len`` or ``__import__`` patched, and what runs next is ours.
Each module of the package calls ``bind(globals())`` above its first function. The functions of
``os``, ``io``, ``time``, ``gc``, ``threading``, ``socket`` and ``json`` that are called later are
bound to a name of the module that calls them. What those call in turn is for ``swap.originals``.
"""

from __future__ import absolute_import

import sys

__unittest = True

_builtins = dict(vars(sys.modules["builtins" if sys.version_info >= (3,) else "__builtin__"]))

if sys.version_info >= (3,):
    def bind(namespace):
        """Give the functions of the module with this *namespace* the builtins as they were.

        To be called before they are made: since 3.10 a function takes its builtins then.
        """
        namespace["__builtins__"] = _builtins
else:
    def bind(namespace):
        """Give the functions of the module with this *namespace* the builtins as they were.

        As names of the module: code with other builtins runs restricted on 2.7.
        """
        for name, value in _builtins.items():
            if not name.startswith("_"):
                namespace.setdefault(name, value)
    bind(globals())
