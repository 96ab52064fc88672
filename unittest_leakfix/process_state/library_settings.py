"""Settings of single libraries: the state of random numbers, registries, defaults and options.

How to add one: `process_state.setting_table`. Kinds: "random state", "library setting".
"""
from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, Dict, Tuple

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import (
    dict_slot,
    module_slot,
    mro,
    name_slot,
    qualname_slot,
)
from unittest_leakfix.leaks.model.remedy import Call, Remedy, When, restoring
from unittest_leakfix.leaks.model.remedy import calling as cleaning
from unittest_leakfix.process_state import places
from unittest_leakfix.process_state.setting_table import (
    MISSING,
    Setting,
    alike,
    attribute,
    calling,
    setting,
    setting_by,
    unshown,
)

__unittest = True
bind(globals())

_modules = sys.modules
_WORDS = 624            # of the Mersenne Twister's state
_AHEAD = 400            # blocks of numbers that tests of one class may have drawn
_KIND = "library setting"


# Random numbers: only a seed is a change, never that numbers were drawn.

def _random_state(module: Any) -> Any:
    return module.Random.getstate(module._inst)


def _set_random_state(module: Any, value: Any) -> None:
    module.Random.setstate(module._inst, value)


def _drawn(old: Any, new: Any) -> bool:
    """Tell whether the generator has come from one state to the other by drawing numbers: a state
    is 624 words, of which the next block is made when the last one is used up."""
    if old == new or old[1][:-1] == new[1][:-1]:
        return bool(old[1][-1] <= new[1][-1])
    # Numbers tell whether two blocks are the same: each word makes one of them.
    generator = _modules["random"].Random(0)
    generator.setstate((3, (*new[1][:-1], 0), None))
    wanted = generator.getrandbits(32 * _WORDS)
    generator.setstate((3, (*old[1][:-1], _WORDS), None))
    return any(generator.getrandbits(32 * _WORDS) == wanted for _ in range(_AHEAD))


def _numpy_state(module: Any) -> Any:
    found = module.mtrand._rand.get_state(legacy=False)
    if found.get("bit_generator") != "MT19937":
        return MISSING
    state = found["state"]
    return (tuple(state["key"].tolist()), state["pos"], found["has_gauss"], found["gauss"])


def _set_numpy_state(module: Any, value: Any) -> None:
    key, position, has_gauss, gauss = value
    module.mtrand._rand.set_state(("MT19937", list(key), position, has_gauss, gauss))


def _numpy_drawn(old: Any, new: Any) -> bool:
    return MISSING in (old, new) or _drawn((3, (*old[0], old[1])), (3, (*new[0], new[1])))


# Registries: dicts, of which what was put in is taken out again.

def registry(name: str, module: str = "") -> Setting:
    """Return the row of a dict that libraries and users register things in."""
    inside = module or name.partition(".")[0]
    read = attribute(name[len(inside) + 1:])

    def put(loaded: Any, value: Any) -> None:
        restore_items(read(loaded), value)

    return Setting(_KIND, name, inside, read, put, remedy=of_dict(name))


def of_dict(*names: str) -> Remedy:
    """Return what gives dicts of these names their items back, in a test or in its set-up."""
    calls = []
    for name in names:
        # The last one that is registered is the first to run.
        calls += [Call(name + ".update", (), "dict(%s)" % name), Call(name + ".clear")]
    return Remedy(tuple(calls), ", ".join("mock.patch.dict(%s)" % name for name in names),
                  when=When.BEFORE)


def restore_items(registered: Dict[Any, Any], value: Dict[Any, Any]) -> None:
    """Make the items of a dict those that it had, in place; what is the same is not touched."""
    for key in list(registered):
        if key not in value:
            dict.__delitem__(registered, key)
    for key, old in value.items():
        if registered.get(key, MISSING) is not old:
            dict.__setitem__(registered, key, old)


def _dialects(module: Any) -> Any:
    return {name: module.get_dialect(name) for name in module.list_dialects()}


def _set_dialects(module: Any, value: Dict[str, Any]) -> None:
    for name in module.list_dialects():
        if name not in value:
            module.unregister_dialect(name)
    for name, dialect in value.items():
        module.register_dialect(name, dialect)


_HANDLERS = ("strict", "ignore", "replace", "xmlcharrefreplace", "backslashreplace", "namereplace",
             "surrogateescape", "surrogatepass")


def _error_handlers(module: Any) -> Any:
    return {name: module.lookup_error(name) for name in _HANDLERS}


def _set_error_handlers(module: Any, value: Dict[str, Any]) -> None:
    for name, handler in value.items():
        module.register_error(name, handler)


# Methods of the standard library's classes that programs replace.

def _method(module: str, cls: str, name: str) -> Setting:
    path = "%s.%s" % (cls, name)
    full = "%s.%s" % (module, path)

    def get(loaded: Any) -> Any:
        return next((dict_slot(each)[name] for each in mro(vars(loaded)[cls])
                     if name in dict_slot(each)), MISSING)

    def put(loaded: Any, value: Any) -> None:
        owner = vars(loaded)[cls]
        inherited = next((dict_slot(each)[name] for each in mro(owner)[1:]
                          if name in dict_slot(each)), MISSING)
        if value is inherited:
            if name in dict_slot(owner):
                delattr(owner, name)
        else:
            setattr(owner, name, value)

    owner = "%s.%s" % (module, cls)
    return Setting("patch", full, module, get, put, remedy=restoring(
        "setattr", owner, '"%s"' % name, saved=full,
        monkeypatch='setattr(%s, "%s", ...)' % (owner, name)))


_METHODS = (("json.encoder", "JSONEncoder", ("default", "encode", "iterencode")),
            ("json.decoder", "JSONDecoder", ("decode", "raw_decode")),
            ("socket", "socket", ("connect", "bind", "accept")),
            ("http.client", "HTTPConnection", ("request", "connect", "debuglevel")),
            ("subprocess", "Popen", ("__init__", "communicate", "wait")),
            ("pathlib", "Path", ("open", "exists", "read_text", "write_text", "home", "cwd")),
            ("smtplib", "SMTP", ("sendmail", "send_message", "connect")))


# logging, beside what `logging_state` watches

def _set_level_names(module: Any, value: Dict[Any, Any]) -> None:
    restore_items(module._levelToName, {key: each for key, each in value.items()
                                        if type(key) is int})
    restore_items(module._nameToLevel, {key: each for key, each in value.items()
                                        if type(key) is not int})


def _handlers(module: Any) -> Any:
    """Return the level and formatter of each handler, behind the module's own weak reference."""
    found = []
    for ref in list(module._handlerList):
        handler = ref()
        if handler is not None:
            held = vars(handler)
            found.append((ref, held.get("level"), held.get("formatter")))
    return tuple(found)


def _set_handlers(module: Any, value: Tuple[Any, ...]) -> None:
    for ref, level, formatter in value:
        handler = ref()
        if handler is not None:
            handler.level, handler.formatter = level, formatter


def _same_handlers(old: Any, new: Any) -> bool:
    """Tell whether the handlers that were there before are as they were."""
    now = {id(ref): rest for ref, *rest in new}
    return all(alike(rest[0], now[id(ref)][0]) and rest[1] is now[id(ref)][1]
               for ref, *rest in old if id(ref) in now)


# multiprocessing, urllib

def _start_method(module: Any) -> Any:
    """Return the start method; that which it would be until something has asked for it."""
    default = module.context._default_context
    actual = default._actual_context or default._default_context
    return actual.get_start_method() if actual is not default else MISSING


def _set_start_method(module: Any, value: Any) -> None:
    module.context._default_context.set_start_method(value, force=True)


def _opener(module: Any) -> Any:
    """Return the opener that was installed; None for none, and for that which `urlopen` makes."""
    opener = vars(module).get("_opener")
    if type(opener) is module.OpenerDirector and not any(
            type(each).__module__ != module.__name__ for each in opener.handlers):
        usual = {type(each) for each in opener.handlers}
        if usual and usual <= {getattr(module, name, None) for name in _USUAL_HANDLERS}:
            return None
    return opener


_USUAL_HANDLERS = (
    "ProxyHandler", "UnknownHandler", "HTTPHandler", "HTTPDefaultErrorHandler",
    "HTTPRedirectHandler", "FTPHandler", "FileHandler", "HTTPErrorProcessor", "DataHandler",
    "HTTPSHandler")


# numpy, pandas, matplotlib

def _numpy_errors(module: Any) -> Any:
    return dict(module.geterr())


def _print_options(module: Any) -> Any:
    return {key: value for key, value in module.get_printoptions().items()
            if key != "override_repr" or value is not None}


def _pandas_options(module: Any) -> Any:
    found: Dict[str, Any] = {}
    _flatten(module._global_config, "", found)
    return found


def _flatten(options: Any, prefix: str, found: Dict[str, Any]) -> None:
    for key, value in options.items():
        if type(value) is dict:
            _flatten(value, "%s%s." % (prefix, key), found)
        else:
            found[prefix + key] = value


def _set_pandas_options(module: Any, value: Dict[str, Any]) -> None:
    for name, old in value.items():
        now: Dict[str, Any] = {}
        _flatten(module._global_config, "", now)
        if not alike(now.get(name, MISSING), old):
            module.set_option(name, old)


def _rc(module: Any) -> Any:
    return {key: tuple(value) if type(value) is list else value
            for key, value in dict.items(module.rcParams) if not key.startswith("backend")}


def _set_rc(module: Any, value: Dict[str, Any]) -> None:
    for key, old in value.items():
        if not alike(_rc(module).get(key, MISSING), old):
            dict.__setitem__(module.rcParams, key, list(old) if type(old) is tuple and type(
                dict.get(module.rcParams, key)) is list else old)


# Django

def _django_settings(module: Any) -> Any:
    """Return the settings in force, and what was set on them: none before they are configured."""
    wrapped = vars(module)["settings"].__dict__.get("_wrapped")
    return MISSING if "Settings" not in type(wrapped).__name__ else wrapped


def _set_django_settings(module: Any, value: Any) -> None:
    settings = vars(module)["settings"]
    for key in list(settings.__dict__):
        settings.__dict__.pop(key)      # what was read of the others
    settings.__dict__["_wrapped"] = value


def _django_values(module: Any) -> Any:
    wrapped = _django_settings(module)
    if wrapped is MISSING:
        return MISSING
    return {key: value for key, value in wrapped.__dict__.items() if key.isupper()}


def _set_django_values(module: Any, value: Dict[str, Any]) -> None:
    settings = vars(module)["settings"]
    settings.__dict__.pop("_wrapped_values", None)
    wrapped = settings.__dict__["_wrapped"]
    for key in [key for key in wrapped.__dict__ if key.isupper() and key not in value]:
        delattr(settings, key)
    for key, old in value.items():
        if wrapped.__dict__.get(key, MISSING) is not old:
            setattr(settings, key, old)


# Classes registered with abstract ones.

_registered: Dict[str, Any] = {"token": None, "found": {}}


def _registrations(module: Any) -> Any:
    """Return what is registered with the abstract classes of the standard library and of the user's
    modules, as code: they are looked through again only after another call of ``register``."""
    dump = vars(sys.modules.get("_abc", module)).get("_get_dump")
    if dump is None:        # PyPy
        return MISSING
    token = vars(module)["get_cache_token"]()
    if _registered["token"] != token:
        found: Dict[str, None] = {}
        homes = [("collections.abc", _modules.get("collections.abc")),
                 ("numbers", _modules.get("numbers"))]
        homes += [(name, each) for name, each, users in places.modules() if users]
        for name, home in homes:
            for each in list(vars(home).values()) if type(home) is ModuleType else ():
                if issubclass(type(each), module.ABCMeta) and (
                        name in ("collections.abc", "numbers") or module_slot(each) == name):
                    for cls in filter(None, [reference() for reference in dump(each)[0]]):
                        found["%s.register(%s)" % (name_slot(each), qualname_slot(cls))] = None
        _registered.update(token=token, found=found)
    return _registered["found"]


def _more(old: Any, new: Any) -> bool:
    """Tell whether no more is registered: what goes with its class is not a change."""
    return MISSING in (old, new) or not [key for key in new if key not in old]


# Django's cache in memory, and the mails that it keeps for tests.

def _local_caches(module: Any) -> Any:
    return {"%s %r" % (name, key): value for name, cache in list(vars(module)["_caches"].items())
            for key, value in list(cache.items())}


def _set_local_caches(module: Any, value: Dict[str, Any]) -> None:
    for name, cache in list(vars(module)["_caches"].items()):
        mine = {key: value["%s %r" % (name, key)] for key in list(cache)
                if "%s %r" % (name, key) in value}
        cache.clear()
        cache.update(mine)
        expires = vars(module)["_expire_info"][name]
        for key in [key for key in expires if key not in cache]:
            del expires[key]


def _outbox(module: Any) -> Any:
    outbox = vars(module).get("outbox", MISSING)
    return outbox if outbox is MISSING else (id(outbox), len(outbox))


def _same_outbox(old: Any, new: Any) -> bool:
    """Django makes a new one before each test of its own, and so it does with the test runner."""
    return MISSING in (old, new) or old[0] != new[0] or old[1] >= new[1]


def _cut_outbox(module: Any, value: Any) -> None:
    if id(vars(module)["outbox"]) == value[0]:
        del vars(module)["outbox"][value[1]:]


ROWS: Tuple[Setting, ...] = (
    Setting(_KIND, "abc.ABCMeta.register()", "abc", _registrations, same=_more,
            why_not="the interpreter takes no class out of a registry",
            remedy=Remedy(advice="register the class where it is written, or one that is made in "
                                 "the test")),
    Setting(_KIND, "django.core.cache: LocMemCache", "django.core.cache.backends.locmem",
            _local_caches, _set_local_caches,
            remedy=cleaning("django.core.cache.cache.clear"), quiet=True),
    Setting(_KIND, "django.core.mail.outbox", "django.core.mail", _outbox, _cut_outbox,
            same=_same_outbox, show=lambda value: "%d mails" % value[1],
            remedy=cleaning("django.core.mail.outbox.clear")),
    Setting("random state", "random", "random", _random_state, _set_random_state,
            remedy=restoring("random.setstate", saved="random.getstate()"), same=_drawn,
            called=("seed", "setstate"), show=unshown),
    Setting("random state", "numpy.random", "numpy.random", _numpy_state, _set_numpy_state,
            remedy=restoring("numpy.random.set_state", saved="numpy.random.get_state()"),
            same=_numpy_drawn, called=("seed", "set_state"), show=unshown),
    Setting(_KIND, "csv.field_size_limit()", "csv", calling("field_size_limit"),
            setting_by("field_size_limit"),
            remedy=restoring("csv.field_size_limit", saved="csv.field_size_limit()")),
    Setting(_KIND, "csv.list_dialects()", "csv", _dialects, _set_dialects,
            remedy=Remedy(advice="take out what it has registered: csv.unregister_dialect(...)")),
    Setting(_KIND, "codecs.register_error()", "codecs", _error_handlers, _set_error_handlers,
            remedy=restoring("codecs.register_error", '"strict"',
                             saved='codecs.lookup_error("strict")')),
    registry("copyreg.dispatch_table"),
    registry("sqlite3.adapters", "sqlite3"),
    registry("sqlite3.converters", "sqlite3"),
    registry("xml.etree.ElementTree._namespace_map", "xml.etree.ElementTree"),
    registry("shutil._ARCHIVE_FORMATS", "shutil"),
    registry("shutil._UNPACK_FORMATS", "shutil"),
    registry("mimetypes.types_map", "mimetypes")._replace(
        get=lambda module: module.types_map if module.inited else MISSING,
        same=lambda old, new: old is MISSING or alike(old, new)),   # filled when first needed
    registry("email.charset.CHARSETS", "email.charset"),
    Setting(_KIND, "names of logging levels", "logging",
            lambda module: {**module._levelToName, **module._nameToLevel}, _set_level_names,
            remedy=of_dict("logging._levelToName", "logging._nameToLevel")),
    Setting(_KIND, "levels of logging handlers", "logging", _handlers, _set_handlers,
            remedy=Remedy(advice="give the handler its old level and formatter back"),
            same=_same_handlers, show=unshown),
    Setting(_KIND, "multiprocessing.get_start_method()", "multiprocessing", _start_method,
            _set_start_method, remedy=Remedy(
                (Call("multiprocessing.set_start_method", ("None", "True")),))),
    Setting(_KIND, "urllib.request.install_opener()", "urllib.request", _opener,
            setting("_opener"), remedy=cleaning("urllib.request.install_opener", "None")),
    Setting(_KIND, "logging.raiseExceptions", "logging", attribute("raiseExceptions"),
            setting("raiseExceptions"), remedy=restoring(
                "setattr", "logging", '"raiseExceptions"', saved="logging.raiseExceptions")),
    Setting(_KIND, "decimal.DefaultContext.prec", "decimal",
            lambda module: module.DefaultContext.prec,
            lambda module, value: setattr(module.DefaultContext, "prec", value),
            remedy=restoring("setattr", "decimal.DefaultContext", '"prec"',
                             saved="decimal.DefaultContext.prec")),
    Setting(_KIND, "calendar.firstweekday()", "calendar", calling("firstweekday"),
            setting_by("setfirstweekday"),
            remedy=restoring("calendar.setfirstweekday", saved="calendar.firstweekday()")),
    *(_method(module, cls, name) for module, cls, names in _METHODS for name in names),
    Setting(_KIND, "numpy.geterr()", "numpy", _numpy_errors,
            lambda module, value: module.seterr(**value), remedy=Remedy(
                (Call("numpy.seterr", ("**numpy.geterr()",)),), when=When.BEFORE)),
    Setting(_KIND, "numpy.get_printoptions()", "numpy", _print_options,
            lambda module, value: module.set_printoptions(**value), remedy=Remedy(
                (Call("numpy.set_printoptions", ("**numpy.get_printoptions()",)),),
                when=When.BEFORE)),
    Setting(_KIND, "pandas.options", "pandas._config.config", _pandas_options,
            _set_pandas_options, remedy=Remedy(
                advice="change it in a block: with pandas.option_context(...)")),
    Setting(_KIND, "matplotlib.rcParams", "matplotlib", _rc, _set_rc,
            remedy=of_dict("matplotlib.rcParams")._replace(manager="matplotlib.rc_context()")),
    Setting(_KIND, "django.conf.settings", "django.conf", _django_settings, _set_django_settings,
            remedy=Remedy(advice="disable() what it has enabled: self.addCleanup(overridden"
                                 ".disable)"), show=unshown),
    Setting(_KIND, "values of django.conf.settings", "django.conf", _django_values,
            _set_django_values, remedy=Remedy(manager="self.settings(...)")),
)

