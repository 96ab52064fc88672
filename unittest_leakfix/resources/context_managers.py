"""Kinds: exit stacks, started mock patches, and context managers with a close()."""
from __future__ import absolute_import

import sys

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import (
    MISSING,
    class_of,
    is_coroutine_function,
    name_of,
    on_type,
    own_attribute,
)
from unittest_leakfix.resources.kind import Kind, method, open_by_flags, short_text

__unittest = True
bind(globals())


# -- contextlib

def _stack_open(value):
    return bool(own_attribute(value, "_exit_callbacks"))


# -- mock

def _patch_open(value):
    return own_attribute(value, "is_local", MISSING) is not MISSING  # set while it is started


def _patch_text(value):
    name = short_text(own_attribute(value, "attribute"))
    return "mock patch of %s" % name if name else "mock patch"


def _dict_patch_open(value):
    if own_attribute(value, "_original") is None:  # never reset: None means never started
        return False
    if on_type(class_of(value), "start") is not on_type(class_of(value), "__enter__"):
        # Python 3.9: start() enters it into a list; a "with" ends by itself.
        patch = sys.modules[name_of(class_of(value))[0]]._patch
        return any(active is value for active in tuple(patch._active_patches))
    # Older ones keep no record: is what it put there still to be seen?
    put, target = own_attribute(value, "values"), own_attribute(value, "in_dict")
    if not put:
        return None
    return all(key in target and target[key] == put[key] for key in put) \
        and dict(target) != dict(own_attribute(value, "_original"))


def _stop(is_open):
    def close(value):
        # Looked at again: before Python 3.8 a second stop() of a patch raises,
        # and a second one of patch.dict puts back what is old by then.
        if is_open(value):
            value.stop()
    return close


_PATCH = Kind("mock patch", _stop(_patch_open), _patch_open, _patch_text)
_DICT_PATCH = Kind("mock patch", _stop(_dict_patch_open), _dict_patch_open,
                   lambda value: "mock patch of a dict")
_STACK = Kind("exit stack", method("close"), _stack_open)
_ASYNC_STACK = Kind("exit stack", method("aclose"), _stack_open, awaits=True)

#: (module, class) -> Kind, or None for what is not a resource.
KINDS = {
    ("contextlib", "ExitStack"): _STACK,
    ("contextlib", "AsyncExitStack"): _ASYNC_STACK,
    ("contextlib2", "ExitStack"): _STACK,
    ("contextlib2", "AsyncExitStack"): _ASYNC_STACK,
}
for _module in ("unittest.mock", "mock.mock", "mock"):  # "mock" was one file up to 1.0
    KINDS[_module, "_patch"] = _PATCH
    KINDS[_module, "_patch_dict"] = _DICT_PATCH
    KINDS[_module, "Base"] = None  # a mock is not a resource, whatever its spec


# -- by shape

def has_all(cls, names):
    for name in names:
        found = on_type(cls, name)
        if found is MISSING or found is None:
            return False
    return True


def context_kind(cls):
    """The kind of a context manager that also has a close, or None (for a class)."""
    name = short_text(name_of(cls)[1]) or "context manager"
    if has_all(cls, ("__enter__", "__exit__", "close")):
        waits = is_coroutine_function(on_type(cls, "close"))
        return Kind(name, method("close"), open_by_flags, awaits=waits)
    if has_all(cls, ("__aenter__", "__aexit__")):
        if has_all(cls, ("aclose",)):
            return Kind(name, method("aclose"), open_by_flags, awaits=True)
        if has_all(cls, ("close",)):
            waits = is_coroutine_function(on_type(cls, "close"))
            return Kind(name, method("close"), open_by_flags, awaits=waits)
    return None
