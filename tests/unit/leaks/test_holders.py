"""The chain of references that keeps an object: its expression, for every kind of holder."""
import builtins
import collections
import gc
import logging
import re
import signal
import sys
import threading
import types
import unittest
import weakref

if sys.version_info < (3, 8):
    raise unittest.SkipTest("finding needs Python 3.8")

from unittest_leakfix.leaks.report.reference_chain import thing_text
from unittest_leakfix.leaks.retention import search

SOURCE = '''
import collections, contextvars, functools, signal, sys, threading, types, unittest.mock, weakref
class T:
    def meth(self, *args): pass
class S: __slots__ = ("q", "__weakref__")
class C: pass
class Meta(type):
    def __getattribute__(cls, name): return 1 / 0
class Odd(metaclass=Meta): pass
class DS(dict):
    def __getitem__(self, key): raise SystemError
    __iter__ = items = keys = values = __len__ = __getitem__
class LS(list):
    def __getitem__(self, key): raise SystemError
    __iter__ = __len__ = __getitem__
class Evil:
    def __getattribute__(self, *a): raise SystemError
    __eq__ = __hash__ = __repr__ = __len__ = __getattr__ = __iter__ = __getattribute__
    __class__ = property(__getattribute__)
class Shadow:
    p = property(lambda self: 1)
NT = collections.namedtuple("NT", "a b")
def closure(t): return lambda: t
def default(t):
    def inner(a, b=t): pass
    return inner
def kwdefault(t):
    def inner(*, b=t): pass
    return inner
@functools.lru_cache(maxsize=4)
def cached(n): return T()
def wrapped(t):
    @functools.wraps(closure)
    def inner(): return t
    return inner
def gen(q): yield q
async def coro(q): pass
async def agen(q): yield q
def boom(q):
    try: raise ValueError("x")
    except ValueError as e: return e
def local_class(t):
    class L: attr = t
    return L()
var = contextvars.ContextVar("var"); tl = threading.local(); stop = threading.Event()
def serve(jobs, ready):
    job = jobs.pop(); ready.set(); stop.wait()
def thread(t):
    ready = threading.Event()
    th = threading.Thread(target=serve, name="worker-1", args=([t], ready), daemon=True)
    th.start(); ready.wait(); return th
'''

# name | how the target is made | how it is held | expression | labels of the steps, suspects with a
# *
SHAPES = '''
global|T()|x = t|zoo.x|module zoo, T*
list|T()|x = [1, t]|zoo.x[1]|module zoo, list (2 items)*, T
dict|T()|x = {"a": 1, "k y": t}|zoo.x['k y']|module zoo, dict (2 items)*, T
tuple as key|T()|x = {(1, "a"): t}|zoo.x[(1, 'a')]|module zoo, dict (1 item)*, T
object as key|T()|x = {T(): t}|list(dict.values(zoo.x))[0]|module zoo, dict (1 item)*, T
dict key|T()|x = {t: 1}|list(dict.keys(zoo.x))[0]|module zoo, dict (1 item)*, T
instance|T()|x = T(); x.a = T(); x.a.b = t|zoo.x.a.b|module zoo, T, T*, T*
slots|T()|x = S(); x.q = t|zoo.x.q|module zoo, S, T*
class attribute|T()|C.cache = [t]|zoo.C.cache[0]|class C, list (1 item)*, T
property|T()|C.p = property(t)|zoo.C.__dict__['p'].fget|class C, property, T*
staticmethod|T()|C.s = staticmethod(t.meth)|zoo.C.__dict__['s'].__func__.__self__|class C, staticmethod, bound method T.meth*, T
bound method|T()|x = [t.meth]|zoo.x[0].__self__|module zoo, list (1 item)*, bound method T.meth, T
closure|T()|x = closure(t)|zoo.x.__closure__[0].cell_contents|module zoo, function <lambda>, T*
closures in a list|T()|x = [closure(t)]|zoo.x[0].__closure__[0].cell_contents|module zoo, list (1 item)*, function <lambda>, T*
default|T()|x = default(t)|zoo.x.__defaults__[0]|module zoo, function inner, T*
keyword default|T()|x = kwdefault(t)|zoo.x.__kwdefaults__['b']|module zoo, function inner, T*
wrapped|T()|x = wrapped(t)|zoo.x.__closure__[0].cell_contents|module zoo, function closure, T*
function attribute|T()|closure.attr = t|zoo.closure.attr|module zoo, function closure, T*
partial|T()|x = functools.partial(print, t)|zoo.x.args[0]|module zoo, partial, T*
partial keyword|T()|x = functools.partial(print, a=t)|zoo.x.keywords['a']|module zoo, partial, T*
lru_cache|cached(1)||gc.get_referents(zoo.cached)[?]|module zoo, lru_cache of cached, T*
lru_cache argument|T()|cached(t)|gc.get_referents(zoo.cached)[?][0]|module zoo, lru_cache of cached, tuple (1 item)*, T
set|T()|x = {t}|list(set.__iter__(zoo.x))[0]|module zoo, set (1 item)*, T
set of many|T()|x = {t, 1, "a"}|[m for m in set.__iter__(zoo.x) if type(m).__name__ == 'T'][0]|module zoo, set (3 items)*, T
frozenset|T()|x = frozenset([t])|list(frozenset.__iter__(zoo.x))[0]|module zoo, frozenset (1 item)*, T
deque|T()|x = collections.deque([0, t])|zoo.x[1]|module zoo, deque (2 items)*, T
mappingproxy|T()|x = types.MappingProxyType({"a": t})|gc.get_referents(zoo.x)[0]['a']|module zoo, mappingproxy, dict (1 item)*, T
generator|T()|x = gen(t); next(x)|zoo.x.gi_frame.f_locals['q']|module zoo, generator gen, T*
coroutine|T()|x = coro(t)|zoo.x.cr_frame.f_locals['q']|module zoo, coroutine coro, T*
async generator|T()|x = agen(t); y = x.asend(None)|zoo.x.ag_frame.f_locals['q']|module zoo, async_generator agen, T*
traceback|T()|x = boom(t)|zoo.x.__traceback__.tb_frame.f_locals['q']|module zoo, ValueError, frame of boom()*, T*
exception's args|T()|x = ValueError(t)|zoo.x.args[0]|module zoo, ValueError, T*
exception's context|ValueError()|x = KeyError(); x.__context__ = t|zoo.x.__context__|module zoo, KeyError, ValueError*
context variable|T()|var.set(t)|zoo.var.get()|module zoo, ContextVar, T*
thread local|T()|tl.x = t|list(dict.values(gc.get_referents(zoo.tl)[?]))[0]['x']|module zoo, _local, dict (1 item)*, dict (1 item), T
metaclass|T()|x = Odd(); x.a = t|zoo.x.a|module zoo, Odd, T*
mock|T()|x = unittest.mock.Mock(); x(t)|zoo.x._mock_call_args[0][0]|module zoo, Mock, _Call (2 items)*, tuple (1 item), T
weak map|T()|x = weakref.WeakKeyDictionary(); t.me = t; x[t] = [t]|list(dict.values(zoo.x.data))[0][0]|module zoo, WeakKeyDictionary, dict (1 item)*, list (1 item), T
weakref's callback|T()|x = weakref.ref(C, t.meth)|zoo.x.__callback__.__self__|module zoo, weak reference, bound method T.meth*, T
defaultdict|T()|x = collections.defaultdict(list, a=[t])|zoo.x['a'][0]|module zoo, defaultdict (1 item)*, list (1 item), T
dict subclass|T()|x = DS(a=t)|dict.__getitem__(zoo.x, 'a')|module zoo, DS (1 item)*, T
list subclass|T()|x = LS([t])|list.__getitem__(zoo.x, 0)|module zoo, LS (1 item)*, T
named tuple|T()|x = NT(1, t)|zoo.x[1]|module zoo, NT (2 items)*, T
a liar|T()|x = Evil(); object.__setattr__(x, "a", t)|object.__getattribute__(zoo.x, 'a')|module zoo, Evil, T*
liar as target|Evil()|x = [t]|zoo.x[0]|module zoo, list (1 item)*, Evil
liar as key|T()|x = dict([(C(), t)])|list(dict.values(zoo.x))[0]|module zoo, dict (1 item)*, T
shadowed by a property|T()|x = Shadow(); x.__dict__["p"] = t|zoo.x.__dict__['p']|module zoo, Shadow, T*
no identifier|T()|x = T(); x.__dict__["a b"] = t|zoo.x.__dict__['a b']|module zoo, T, T*
class of an instance|T()|x = local_class(t)|type(zoo.x).attr|module zoo, L, class L, T*
signal handler|T()|signal.signal(signal.SIGUSR1, t.meth)|signal.getsignal(?).__self__|module signal, bound method T.meth*, T
untracked|bytearray(5)|x = T(); x.b = t|zoo.x.b|module zoo, T, bytearray*
iterator|T()|x = iter([t, 1])|gc.get_referents(zoo.x)[0][0]|module zoo, list_iterator, list (2 items)*, T
nested|T()|x = {"a": [T()]}; x["a"][0].z = (1, (t,))|zoo.x['a'][0].z[1][0]|module zoo, dict (1 item)*, list (1 item), T, tuple (2 items)*, tuple (1 item), T
builtins|T()|import builtins; builtins.zoo_x = t|builtins.zoo_x|module builtins, T*
library|T()|import collections; collections.kept = [t]|collections.kept[0]|module collections, list (1 item)*, T
sys|T()|sys.zoo_x = t|sys.zoo_x|module sys, T*
thread attribute|T()|thread(None).job = t|{t.name: t for t in threading.enumerate()}['worker-1'].job|thread "worker-1", T*
thread's local|T()|y = [thread(t)]|sys._current_frames()[{t.name: t.ident for t in threading.enumerate()}['worker-1']]?.f_locals['job']|thread "worker-1", running serve() at zoo.py:?, T*
'''.strip().splitlines()  # noqa: E501


class Zoo:
    """A real module for one test, and what is to be put back after it."""

    def __enter__(self):
        self.module = sys.modules["zoo"] = types.ModuleType("zoo")
        exec(compile(SOURCE, "zoo.py", "exec"), self.module.__dict__)
        self.handler, self.handlers = signal.getsignal(signal.SIGUSR1), list(logging.root.handlers)
        return self

    def target(self, expression, hold):
        """Makes a target, lets the module hold it, and returns it."""
        space = self.module.__dict__
        space["t"] = target = eval(expression, space)
        exec(hold, space)
        del space["t"]
        return target

    def names(self):
        return dict(zoo=self.module, gc=gc, sys=sys, threading=threading, collections=collections,
                    signal=signal, builtins=builtins, logging=logging)

    def __exit__(self, *exc_info):
        vars(collections).pop("kept", None)
        space = self.module.__dict__
        space["stop"].set()
        for thread in threading.enumerate():
            if thread.name == "worker-1":
                thread.join()
        space["var"].set(None)
        signal.signal(signal.SIGUSR1, self.handler)
        logging.root.handlers[:] = self.handlers
        for owner in (sys, builtins):
            vars(owner).pop("zoo_x", None)
        for awaitable in (space.get("x"), space.get("y")):
            if type.__dict__["__name__"].__get__(type(awaitable)) in ("coroutine",
                                                                      "async_generator_asend"):
                awaitable.close()
        del sys.modules["zoo"]
        space.clear()


def match(pattern, text):
    """Tells whether a text is the pattern, in which ``?`` stands for what differs between
    versions."""
    return re.fullmatch(re.escape(pattern).replace(r"\?", r"[\w.() ]*"), text)


class ShapesTest(unittest.TestCase):
    """One target for every kind of holder."""

    maxDiff = None

    def check(self, made, hold, expression, labels):
        with Zoo() as zoo:
            target = zoo.target(made, hold)
            found = search.chains([target], ignore=[sys._getframe()])[0]
            self.assertIsNotNone(found)
            shown = ", ".join(thing_text(step.what) + "*" * step.suspect for step in found.steps)
            self.assertTrue(match(expression, found.expression), found.expression)
            self.assertTrue(match(labels, shown), shown)
            self.assertTrue(found.evaluates)
            self.assertIs(eval(found.expression, zoo.names()), target)
            self.assertEqual(search.chains([target], ignore=[sys._getframe()])[0], found,
                             "the same heap, the same chain")
            try:
                gone = weakref.ref(target)
            except TypeError:
                return
        enabled = gc.isenabled()
        gc.collect()
        del target
        gc.collect()
        self.assertIs(enabled, gc.isenabled())
        self.assertIsNone(gone(), "the target is kept")

    def test_shapes(self):
        self.assertGreater(len(SHAPES), 50)
        for line in SHAPES:
            name, made, hold, expression, labels = line.split("|")
            with self.subTest(name):
                self.check(made, hold, expression, labels)


if __name__ == "__main__":
    unittest.main()
