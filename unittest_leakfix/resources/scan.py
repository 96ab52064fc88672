"""The open resources among the values of an instance or a class: which they are, and their closing.

No user code runs to look.
"""

from __future__ import absolute_import

import gc
import os
import sys
import time
import weakref

from unittest_leakfix._core import errors, ownership
from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import ATOMS, CONTAINERS, WIDE, lists_more, own_attribute
from unittest_leakfix.resources.kind import Kind, method
from unittest_leakfix.resources.registry import kind_of

__unittest = True
bind(globals())
_ref = weakref.ref
_get_referents = gc.get_referents
_sleep = time.sleep
_modules = sys.modules
_attribute = object.__getattribute__
_SEPARATOR = os.sep
_finalizers = getattr(getattr(weakref, "finalize", None), "_registry", True)    # not on 2.7

# How deep a list or dict is looked at for resources.
_DEEP = 3
# How often, and for how long, the own thread of a client is given the time to let go of it.
_MOMENTS = 3
_MOMENT = 0.0005
_CALLED = Kind("object", method("close"))    # named by the user, of no known kind

#: Called with the owner and a `FoundResource`, before it is closed or let go of. Finding listens.
listeners = []
#: Called with a resource that is about to be closed: True says that it is another
#: process's, from which this one was forked. It is not ours to close then.
foreign = []


class FoundResource(object):
    """An open resource: the *label* one knows it by, its kind and its value."""

    __slots__ = ("label", "kind", "value", "let_go")

    def __init__(self, label, kind, value):
        self.let_go = False     # rather than closed, without a loop to await that
        self.label = label
        self.kind = kind
        self.value = value


def may_hold(values):
    """Tell quickly whether there may be a resource among *values*."""
    for value in values:
        kind = type(value)
        if value is None or kind is str or kind is int:     # most are
            continue
        # Only a builtin type is hashed: a metaclass may have a hash of its own, or none.
        # (The ids of types would make a slow set: they have the same lowest bits.)
        if type(kind) is type:
            if kind in ATOMS:
                continue
            if kind in CONTAINERS:
                if value and lists_more(value):
                    return True
                continue
        if kind_of(value) is not None:
            return True
    return False


def is_atom(value):
    """Tell whether *value* is of a type whose instances hold nothing."""
    kind = type(value)
    return type(kind) is type and kind in ATOMS


def is_container(value):
    """Tell whether *value* is a built-in container, of exactly that type."""
    kind = type(value)
    return type(kind) is type and kind in CONTAINERS


def open_resources(values, names, owned, unsure=False):
    """Return the open resources among *values*, last assigned first.

    *values* maps *names* to objects; lists, tuples, sets and dicts are looked
    into. *owned* are the ids of what may be closed. With *unsure*, what cannot
    tell whether it is open counts as open.
    """
    found = []
    seen = set()
    for name in reversed(list(names)):
        _gather(name, values[name], owned, unsure, found, seen, 0)
    return _in_order(found, owned) if len(found) > 1 else found


def mark_awaited(owner, found):
    """Say that what was *found* on *owner* is let go of as it is: closing it has to be awaited,
    and the loop for that is gone. A connection ends with its last reference."""
    if found.kind.name == "database connection" or found.kind.client:
        found.let_go = True
        for listener in listeners:
            listener(owner, found)


def close(owner, found):
    """Close what was *found* on *owner*, a test or a class; raises what that raises.

    Returns what the kind's ``close`` returns: an awaitable where it awaits.
    """
    for is_foreign in foreign:
        if is_foreign(found.value):
            return None
    for listener in listeners:
        listener(owner, found)
    return found.kind.close(found.value)


def close_each(owner, found, closed=None):
    """Close what was *found* on *owner*, which did not ask for it: a fault is a warning.

    What has to be awaited is let go of. *closed* is called with the kind of each that was closed.
    """
    for each in found:
        if each.kind.awaits(each.value):
            mark_awaited(owner, each)
            continue
        try:
            close(owner, each)
        except errors.PASSING:
            raise
        except BaseException as error:
            errors.warn(owner, each, error)
        else:
            if closed is not None:
                closed(each.kind)


def declared_resources(values, names):
    """Return the open resources among *values* that the user named for closing."""
    found = []
    for name in names:
        if name in values:
            kind = kind_of(values[name]) or _CALLED
            if kind.is_open(values[name]) is not False:
                found.append(FoundResource(name, kind, values[name]))
    return found


def not_plain(values, names):
    """Return those of *names* whose *values* are more than texts, numbers and lists of them."""
    more = []
    for name in names:
        value = values[name]
        if lists_more(value) if is_container(value) else not is_atom(value):
            more.append(name)
    return more


def owned_by(values, names, past, each=2, alone=True, ending=()):
    """Return `_owned_now`; again, where the own thread of a client has referred to it for a
    moment."""
    owned = _owned_now(values, names, past, each, alone, ending)
    for _ in range(_MOMENTS):
        for name in names:
            if id(values[name]) not in owned:
                kind = kind_of(values[name])
                if kind is not None and kind.threads:
                    break
        else:
            break
        _sleep(_MOMENT)
        owned = _owned_now(values, names, past, each, alone, ending)
    return owned


def _owned_now(values, names, past, each, alone, ending):
    """Return the ids of what would be garbage without *names* in *values*.

    Each of *names* stands for *each* references: one in *values*, a dict that the caller
    made, and one in the holder it came from; *past* are the ids of that holder. *alone*: these
    are all that may be closed. Where that is one object, what lies behind it matters to nobody.
    *ending* are objects that end with the holder, whatever refers to them: a test's own loop.
    """
    if len(names) == 1 and not ending:
        held, references = [values[names[0]]], [each]
        brief = alone and not is_container(held[0]) and not _may_have_folders()
        return ownership.owned(held, references, past, brief=brief)
    held = []
    references = []
    places = {}
    for name in names:
        place = places.setdefault(id(values[name]), len(held))
        if place == len(held):
            held.append(values[name])
            references.append(0)
        references[place] += each
    held.extend(ending)
    references.extend(0 for _ in ending)
    return ownership.owned(held, references, past, ending=len(ending))


def _gather(label, value, owned, unsure, found, seen, depth):
    """Add to *found* the open resources that *value* is or contains."""
    if id(value) in seen or id(value) not in owned:
        return
    seen.add(id(value))
    if is_container(value):
        if depth < _DEEP and len(value) <= WIDE:
            for key, item in _items(value):
                _gather("%s%s" % (label, key), item, owned, unsure, found, seen,
                        depth + 1)
        return
    kind = kind_of(value)
    if kind is None:
        return
    is_open = kind.is_open(value)
    if is_open or (unsure and is_open is None):
        found.append(FoundResource(label, kind, value))


def _items(container):
    """List (how to write it, item) of a built-in container, the last one first."""
    if type(container) is dict:
        listed = [("[%r]" % key if type(key) is int or type(key) is str else "[...]", item)
                  for key, item in container.items()]
    elif type(container) is set or type(container) is frozenset:
        listed = [("{...}", item) for item in container]
    else:
        listed = [("[%d]" % place, item) for place, item in enumerate(container)]
    listed.reverse()
    return listed


def in_stages(found, values, names, owned):
    """Return what was *found* as [those to close first, those inside, folders to close last,
    weak references to what has to be gone before].

    What holds something in a folder goes before the folder. That may sit inside an object of
    the user's own, which is nothing to close: so a folder waits until the attributes *names*
    among *values* are dropped, and what is open in them, "inside", is closed as well. Without a
    folder, or another object beside it, there is nothing inside; *owned* as in `open_resources`.
    """
    # Those of declared resources come first, whatever they are.
    if len(found) > 1:
        found = _in_order(found, owned)
    elif "tempfile" not in _modules:
        return [found, [], [], []]
    last = [each for each in found if _leads_to_folder(each.value, owned)]
    if not last:
        return [found, [], [], []]
    first = [each for each in found if not any(each is one for one in last)]
    known = set()
    for each in found:
        known.add(id(each.value))
        known.update(map(id, _reached([each.value], owned)))
    inside, left = [], []
    for name in reversed(list(names)):
        if id(values[name]) in owned and id(values[name]) not in known:
            left.extend(_weakly(values[name]))
            for value in _reached([values[name]], owned):
                kind = None if id(value) in known else kind_of(value)
                if kind is not None and kind.is_open(value) and not kind.awaits(value):
                    inside.append(FoundResource(name + "...", kind, value))
                known.add(id(value))
    return [first, _in_order(inside, owned), last, left]


def _weakly(value):
    try:
        return [_ref(value)]
    except TypeError:
        return []


def has_more(found, values, names, owned):
    """Tell whether *owned* objects that were not *found* are among *names*, and no plain ones."""
    known = set(id(each.value) for each in found)
    for name in names:
        if id(values[name]) in owned and id(values[name]) not in known:
            if is_container(values[name]):
                if lists_more(values[name]):
                    return True
            elif not is_atom(values[name]):
                return True
    return False


def _in_order(found, owned):
    """Sort *found* so that what refers to another comes before it, and folders come last.

    Else the order stays. Only references through *owned* objects count.
    """
    if len(found) < 2:
        return found
    below = [set(map(id, _reached([each.value], owned))) for each in found]
    folders = [_leads_to_folder(each.value, owned) for each in found]
    paths = [_path(each) for each in found]
    users = [sum(id(found[place].value) in below[other]
                 and id(found[other].value) not in below[place]
                 or _is_in(paths[other], paths[place])
                 for other in range(len(found)) if other != place)
             for place in range(len(found))]
    return [found[place] for place in
            sorted(range(len(found)), key=lambda place: (folders[place], users[place]))]


def _reached(values, owned):
    """List the *owned* objects that *values* refer to, near ones first, without *values*."""
    known = set(map(id, values))
    listed = []
    layer = values
    while layer:
        further = []
        for holder in layer:
            for one in _get_referents(holder):
                if id(one) not in known and (id(one) in owned or _is_namespace(one, holder)):
                    known.add(id(one))
                    further.append(one)
        listed.extend(further)
        layer = further
    return listed


def _is_namespace(value, holder):
    """A look at an attribute makes the ``__dict__`` of its object, which was not there when
    what is owned was found out (3.12)."""
    if type(value) is not dict:
        return False
    try:
        return _attribute(holder, "__dict__") is value
    except AttributeError:
        return False


def _leads_to_folder(value, owned):
    """Tell whether *value* is an open temporary folder, or has one of its own."""
    if "tempfile" not in _modules or _is_folder(value):
        return "tempfile" in _modules
    return any(_is_folder(each) for each in _reached([value], owned))


def _may_have_folders():
    """Tell whether there may be a temporary folder anywhere: each open one has a finalizer."""
    return "tempfile" in _modules and bool(_finalizers)


def _is_folder(value):
    kind = kind_of(value)
    return kind is not None and kind.name == "temporary folder" and kind.is_open(value) is True


def _path(found):
    """Return the path of a temporary folder, "" for anything else."""
    name = own_attribute(found.value, "name") if found.kind.name == "temporary folder" else None
    return name if type(name) is str else ""


def _is_in(path, folder):
    return bool(path and folder) and path.startswith(folder.rstrip("/\\") + _SEPARATOR)
