"""The shipped kinds of resource, all together."""

from __future__ import absolute_import

from unittest_leakfix._core.early import bind
from unittest_leakfix import (
    kinds_asyncio, kinds_contexts, kinds_databases, kinds_files, kinds_network,
    kinds_processes, kinds_threads)

__unittest = True
bind(globals())

#: (module, class name): Kind, or None for what is no resource after all.
TABLE = {}
for _part in (kinds_files, kinds_network, kinds_processes, kinds_threads,
              kinds_asyncio, kinds_databases, kinds_contexts):
    TABLE.update(_part.KINDS)
#: The same, for what has no better name and no shape.
LAST = kinds_threads.LAST


def by_shape(cls):
    """Return the Kind that the methods of *cls* make it, or None."""
    if kinds_contexts.has_all(cls, kinds_databases.CONNECTION_SHAPE):
        return kinds_databases.CONNECTION
    if kinds_contexts.has_all(cls, kinds_databases.CURSOR_SHAPE):
        return kinds_databases.CURSOR
    return kinds_contexts.context_kind(cls)
