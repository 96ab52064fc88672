"""Known caches, which fill once: what hangs on one of them is warm-up, not a leak."""

from __future__ import annotations

import re
import weakref
from collections import deque
from typing import Any, Optional

from unittest_leakfix._core.early import bind
from unittest_leakfix.leaks.retention import objects

__unittest = True
bind(globals())

LAST_TEST = "hypothesis's memory of a function's last test"
# Caches that fill once, by the names that lead into them.
_WARM = tuple((re.compile(pattern), reason) for pattern, reason in (
    (r"(re|sre_compile|sre_parse|_strptime|fnmatch)\._\w*cache", "the cache of compiled patterns"),
    (r"linecache\.", "linecache's source lines"),
    (r"encodings\._cache|codecs\.", "the table of codecs"),
    (r"(typing|copyreg|functools)\._?\w*(cleanups|cache|table|registry)",
     "a table of the standard library"),
    (r".*__warningregistry__|warnings\.\w*registry", "a warnings registry"),
    (r".*\._abc_(impl|registry|cache|negative_cache)", "abc's registry of subclasses"),
    (r"sys\.modules\[", "sys.modules"),
    (r"sys\.path_importer_cache|.*\._path_cache|zipimport\.", "importlib's path caches"),
    (r".*\._(member_map|value2member_map|unhashable_values)_\b", "an enum's table of members"),
    (r"ctypes\._|_ctypes\.", "a cache of ctypes"),
    (r"(urllib\.parse|gettext|mimetypes|tokenize|locale|sysconfig)\._",
     "a table of the standard library"),
    # Django fills these as they are needed.
    (r".*(\._meta\.|__dict__\['\w+'\]\.field\.)", "the metadata of a Django model"),
    (r".*\.get_template_cache\[|django\.template\.engines\.", "Django's templates"),
    (r"django\.utils\.translation\.", "Django's catalogs"),
    (r"django\.contrib\.(contenttypes|sites)\.models\.|.*managers\[\d+\]\._cache\[",
     "a cache of Django's rows"),
    (r"django\.db\.models\.signals\.\w+\.sender_receivers_cache", "a cache of Django's signals"),
    (r"django\.(core\.files|contrib\.staticfiles)\.storage\.\w+\._wrapped",
     "a storage of Django's"),
    (r"sqlalchemy\.event\.base\._Dispatch\._empty_listener_reg",
     "SQLAlchemy's table of events, one entry for each class"),
    (r"multiprocessing\.heap\.BufferWrapper\._heap\b", "multiprocessing's shared memory"),
    (r"threading\._dangling|weakref\.|_weakrefset\.", "weak reference bookkeeping"),
    (r"sys\.last_(value|exc|traceback)\b", "the last failure, kept for a post-mortem"),
    # For each function with @given the instance that it ran on last, to tell whether it changes.
    (r".*\['prev_self'\]\Z", LAST_TEST),
))


def known_cache(names: str, library: bool, cached: bool, target: object) -> Optional[str]:
    """The known cache that a chain hangs on, or None.

    `names`: the accesses of all its steps, one after the other; `library`: the root is of the
    standard library; `cached`: the chain goes through an lru_cache.
    """
    for pattern, reason in _WARM:
        if pattern.match(names):
            return reason
    if library and cached:
        return "an lru_cache of the standard library"
    if cached and names.startswith("django."):
        return "an lru_cache of Django"
    if objects.inherits(target, _REF) and type(target) is not _REF:
        return "weak reference bookkeeping"
    return None


_REF = weakref.ref
# By what name an object says how many items it keeps: LRUCache.capacity, Cache._Cache__maxsize.
_LIMIT = re.compile(r"(?i)(?:.*_)?(?:max(?:imum)?_?(?:size|len|length|entries|items|count)?"
                    r"|capacity|limit|(?:cache|pool)_?size)\Z")


def is_bounded(holder: object, child: object) -> bool:
    """Tell whether *holder* keeps its part *child*, a container, within a limit that it has as an
    attribute; or is itself a deque with one."""
    if objects.inherits(holder, deque):
        return deque_limit(holder) is not None
    if not any(objects.inherits(child, kind) for kind in (dict, list, set, deque)):
        return False
    return any(type(name) is str and type(value) is int and _LIMIT.match(name) is not None
               and 0 < length_of(child) <= value
               for name, value in dict(objects.namespace_of(holder)).items())


def length_of(container: Any) -> int:
    """Return the length of a dict, list, set or deque, past a subclass's own ``__len__``."""
    kind = next(each for each in (dict, list, set, deque) if objects.inherits(container, each))
    return int(kind.__len__(container))


deque_limit: Any = vars(deque)["maxlen"].__get__
