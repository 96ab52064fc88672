"""Each setting of the process: a test changes it, a later one fails; put back, the later one
passes. One row for each."""
import collections.abc
import faulthandler
import gc
import importlib
import importlib.machinery
import io
import os
import shutil
import sys
import tempfile
import types
import unittest
import unittest.mock
import weakref
from unittest import mock

from unittest_leakfix.leaks.model import kinds
from unittest_leakfix.process_state import (
    environment,
    interpreter_settings,
    library_settings,
)
from unittest_leakfix.process_state.monitors import ProcessState
from unittest_leakfix.tracing.acquisitions import Acquisitions

ROWS = {row.name: row for row in (
    *interpreter_settings.HOOKS, *interpreter_settings.VALUES, *interpreter_settings.ROWS,
    *library_settings.ROWS)}

#: name: (the lines that change it, what a later test expects)
REPORTED = {
    "sys.excepthook": ("sys.excepthook = print", "sys.excepthook is not print"),
    "sys.unraisablehook": ("sys.unraisablehook = print", "sys.unraisablehook is not print"),
    "sys.displayhook": ("sys.displayhook = print", "sys.displayhook is not print"),
    "sys.breakpointhook": ("sys.breakpointhook = print", "sys.breakpointhook is not print"),
    "sys.stdin": ("sys.stdin = io.StringIO()", "type(sys.stdin) is not io.StringIO"),
    "sys.stdout": ("sys.stdout = io.BytesIO()", "type(sys.stdout) is not io.BytesIO"),
    "sys.stderr": ("sys.stderr = io.BytesIO()", "type(sys.stderr) is not io.BytesIO"),
    "threading.excepthook": ("threading.excepthook = print", "threading.excepthook is not print"),
    "warnings.formatwarning": ("warnings.formatwarning = print",
                               "warnings.formatwarning is not print"),
    "sys.getrecursionlimit()": ("sys.setrecursionlimit(sys.getrecursionlimit() + 100)",
                                "sys.getrecursionlimit() == OLD"),
    "gc.isenabled()": ("gc.disable()", "gc.isenabled()"),
    "sys.getswitchinterval()": ("sys.setswitchinterval(0.5)", "sys.getswitchinterval() != 0.5"),
    "socket.getdefaulttimeout()": ("socket.setdefaulttimeout(5)",
                                   "socket.getdefaulttimeout() is None"),
    "signal.setitimer(ITIMER_REAL)": ("signal.alarm(1000)", "signal.alarm(0) == 0"),
    "signal.setitimer(ITIMER_VIRTUAL)": ("signal.setitimer(signal.ITIMER_VIRTUAL, 1000)",
                                         "signal.getitimer(signal.ITIMER_VIRTUAL)[0] == 0"),
    "signal.setitimer(ITIMER_PROF)": ("signal.setitimer(signal.ITIMER_PROF, 1000)",
                                      "signal.getitimer(signal.ITIMER_PROF)[0] == 0"),
    # The variable is put back, and what follows from it is not.
    "time.tzname": ("with mock.patch.dict(os.environ, TZ='Asia/Tokyo'): time.tzset()",
                    "time.tzname[0] != 'JST'"),
    "gc.get_threshold()": ("gc.set_threshold(12345)", "gc.get_threshold()[0] != 12345"),
    "gc.get_debug()": ("gc.set_debug(gc.DEBUG_UNCOLLECTABLE)", "not gc.get_debug()"),
    "gc.callbacks": ("gc.callbacks.append(mock.Mock)", "mock.Mock not in gc.callbacks"),
    "locale.setlocale(LC_ALL)": ("locale.setlocale(locale.LC_NUMERIC, 'C.UTF-8')",
                                 "locale.setlocale(locale.LC_NUMERIC) == 'C'"),
    "signal.pthread_sigmask()": ("signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])",
                                 "signal.SIGUSR1 not in signal.pthread_sigmask(0, [])"),
    "os.getpriority(os.PRIO_PROCESS, 0)": ("os.nice(1)", "os.nice(0) == OLD"),
    "resource.RLIMIT_NOFILE": ("resource.setrlimit(resource.RLIMIT_NOFILE, (100, OLD[1]))",
                               "resource.getrlimit(resource.RLIMIT_NOFILE) == OLD"),
    "resource.RLIMIT_CORE": ("resource.setrlimit(resource.RLIMIT_CORE, (1, OLD[1]))",
                             "resource.getrlimit(resource.RLIMIT_CORE) == OLD"),
    "faulthandler.is_enabled()": ("faulthandler.enable(sys.__stderr__)",
                                  "not faulthandler.is_enabled()"),
    "sys.get_int_max_str_digits()": ("sys.set_int_max_str_digits(1000)",
                                     "not raises(ValueError, str, 10 ** 2000)"),
    "sys.dont_write_bytecode": ("sys.dont_write_bytecode = not OLD",
                                "sys.dont_write_bytecode is OLD"),
    "sys.pycache_prefix": ("sys.pycache_prefix = '/nowhere'", "sys.pycache_prefix is None"),
    "sys.tracebacklimit": ("sys.tracebacklimit = 0", "not hasattr(sys, 'tracebacklimit')"),
    "sys.getdlopenflags()": ("sys.setdlopenflags(os.RTLD_NOW | os.RTLD_GLOBAL)",
                             "sys.getdlopenflags() == OLD"),
    "tracemalloc.is_tracing()": ("tracemalloc.start()", "not tracemalloc.is_tracing()"),
    "random": ("random.seed(42)", "random.random() != 0.6394267984578837"),
    "csv.field_size_limit()": ("csv.field_size_limit(10)",
                               "not raises(csv.Error, next, csv.reader(['x' * 20]))"),
    "csv.list_dialects()": ("csv.register_dialect('shop', delimiter=';')",
                            "'shop' not in csv.list_dialects()"),
    "codecs.register_error()": ("codecs.register_error('strict', codecs.ignore_errors)",
                                "codecs.lookup_error('strict') is codecs.strict_errors"),
    "copyreg.dispatch_table": ("copyreg.pickle(Order, lambda order: (int, ()))",
                               "type(pickle.loads(pickle.dumps(Order()))) is Order"),
    "sqlite3.adapters": ("sqlite3.register_adapter(Order, lambda order: 1)",
                         "not any(key[0] is Order for key in sqlite3.adapters)"),
    "sqlite3.converters": ("sqlite3.register_converter('order', int)",
                           "'ORDER' not in sqlite3.converters"),
    "xml.etree.ElementTree._namespace_map": (
        "xml.etree.ElementTree.register_namespace('shop', 'urn:shop')",
        "b'shop' not in xml.etree.ElementTree.tostring(xml.etree.ElementTree.Element("
        "'{urn:shop}a')).partition(b'=')[0]"),
    "shutil._ARCHIVE_FORMATS": ("shutil.register_archive_format('shop', print)",
                                "'shop' not in dict(shutil.get_archive_formats())"),
    "shutil._UNPACK_FORMATS": ("shutil.register_unpack_format('shop', ['.shop'], print)",
                               "'shop' not in [each[0] for each in shutil.get_unpack_formats()]"),
    "mimetypes.types_map": ("mimetypes.add_type('shop/order', '.order')",
                            "mimetypes.guess_type('a.order')[0] is None"),
    "email.charset.CHARSETS": ("email.charset.add_charset('shop-8')",
                               "'shop-8' not in email.charset.CHARSETS"),
    "names of logging levels": ("logging.addLevelName(10, 'SHOUT')",
                                "logging.getLevelName(10) == 'DEBUG'"),
    "levels of logging handlers": ("logging.lastResort.setLevel(50)",
                                   "logging.lastResort.level == 30"),
    "multiprocessing.get_start_method()": (
        "multiprocessing.set_start_method('spawn', force=True)",
        "multiprocessing.get_start_method() != 'spawn'"),
    "urllib.request.install_opener()": (
        "urllib.request.install_opener(urllib.request.OpenerDirector())",
        "type(urllib.request._opener) is not urllib.request.OpenerDirector"),
    "logging.raiseExceptions": ("logging.raiseExceptions = False", "logging.raiseExceptions"),
    "decimal.DefaultContext.prec": ("decimal.DefaultContext.prec = 5",
                                    "decimal.Context().prec == 28"),
    "calendar.firstweekday()": ("calendar.setfirstweekday(6)", "calendar.firstweekday() == 0"),
    "json.encoder.JSONEncoder.default": (
        "json.JSONEncoder.default = lambda encoder, value: 1",
        "raises(TypeError, json.dumps, Order())"),
    "socket.socket.bind": ("socket.socket.bind = print", "socket.socket.bind is not print"),
}
#: Rows of which another one of the same make is in the table, or which nothing puts back.
ALIKE = ("json.", "socket.socket.", "http.client.", "subprocess.Popen.", "pathlib.", "smtplib.",
         "resource.RLIMIT_")
LEFT = frozenset(["sys.settrace", "sys.setprofile", "threading.settrace", "threading.setprofile",
                  "abc.ABCMeta.register()"])
#: Those of libraries that may not be there have tests of their own.
OPTIONAL = ("numpy.", "pandas.", "matplotlib.", "django.", "values of django.")
SPACE = {"io": io}
for _name in ("calendar", "codecs", "copyreg", "csv", "decimal", "email.charset", "faulthandler",
              "gc", "json", "locale", "logging", "mimetypes", "multiprocessing", "os", "pickle",
              "random", "resource", "shutil", "signal", "socket", "sqlite3", "sys", "threading",
              "time", "tracemalloc", "urllib.request", "warnings", "xml.etree.ElementTree",
              "unittest.mock"):
    importlib.import_module(_name)
    SPACE[_name.partition(".")[0]] = sys.modules[_name.partition(".")[0]]


SPACE["mimetypes"].init()


class Order:
    """What the rows register."""


def raises(kind, function, *args):
    """Tell whether the call raises *kind*."""
    try:
        function(*args)
    except kind:
        return True
    return False


SPACE.update(Order=Order, raises=raises, mock=sys.modules["unittest.mock"])


class SettingCase(unittest.TestCase):

    def setUp(self):
        if faulthandler.is_enabled():       # by the program that runs these tests
            faulthandler.disable()
            self.addCleanup(faulthandler.enable, sys.__stderr__)
        self.records = Acquisitions()
        self.records.install()
        self.addCleanup(self.records.remove)
        self.state = ProcessState(self.records)
        self.state.full()

    def of(self, name, changes):
        return [each for each in changes if each.name == name]

    def see(self, name, change, victim):
        row = ROWS[name]
        module = sys.modules[row.module]
        space = dict(SPACE, OLD=row.get(module))
        self.assertTrue(eval(victim, space), "the later test passes by itself")
        self.records.current = "m.Tests.test_changes"
        self.addCleanup(row.put, module, space["OLD"])
        exec(change, space)
        changes = self.state.full(0.01)
        self.assertEqual(1, len(self.of(name, changes)), changes)
        if not victim.startswith("signal.alarm"):   # which switches it off
            self.assertFalse(eval(victim, space), "it fails after the change")
        self.assertEqual(changes, self.state.restore(changes))
        self.assertTrue(eval(victim, space), "it passes once that is put back")
        self.assertEqual([], self.state.full(0.01))


def _test(name, change, victim):
    def test(self):
        if ROWS[name].get(sys.modules[ROWS[name].module]) is library_settings.MISSING and (
                name != "sys.tracebacklimit"):
            self.skipTest("%s is not there on this Python" % name)
        self.see(name, change, victim)
    return test


class EachSettingTest(SettingCase):
    """One test for each row of `REPORTED`."""

    def test_all_settings_are_in_the_table(self):
        missing = [name for name in ROWS if name not in REPORTED and name not in LEFT
                   and not name.startswith(ALIKE + OPTIONAL)]
        self.assertEqual([], missing)

    def test_each_is_put_back_or_it_is_said_why_not(self):
        for row in ROWS.values():
            self.assertNotEqual(row.put is None, not row.why_not, row)
            self.assertIn(row.kind, kinds.restored_changes())

    def test_each_has_a_remedy(self):
        self.assertEqual([], [row.name for row in ROWS.values() if row.remedy is None])


for _name, (_change, _victim) in REPORTED.items():
    if _name in ROWS:
        setattr(EachSettingTest, "test_" + "".join(
            each if each.isalnum() else "_" for each in _name).strip("_"),
            _test(_name, _change, _victim))


#: module that is needed: as `REPORTED`.
REPORTED_OF = {
    "numpy": {
        "numpy.random": ("numpy.random.seed(42)", "numpy.random.random() != 0.3745401188473625"),
        "numpy.geterr()": ("numpy.seterr(divide='raise')",
                           "not raises(FloatingPointError, numpy.divide, 1.0, 0.0)"),
        "numpy.get_printoptions()": ("numpy.set_printoptions(precision=2)",
                                     "'0.333333' in str(numpy.array([1 / 3]))"),
    },
    "pandas": {"pandas.options": ("pandas.set_option('display.max_rows', 3)",
                                  "pandas.get_option('display.max_rows') == 60")},
    "matplotlib": {"matplotlib.rcParams": (
        "matplotlib.rcParams['font.size'] = 31; matplotlib.rcParams['axes.grid'] = True",
        "matplotlib.rcParams['font.size'] == 10 and not matplotlib.rcParams['axes.grid']")},
    "django.conf": {
        "django.conf.settings": (
            "django.test.utils.override_settings(DEBUG=True, SHOP=1).enable()",
            "not hasattr(django.conf.settings, 'SHOP')"),
        "values of django.conf.settings": ("django.conf.settings.SHOP = 2",
                                           "not hasattr(django.conf.settings, 'SHOP')"),
        "django.core.cache: LocMemCache": (
            "django.core.cache.cache.set('shop', 17)",
            "django.core.cache.cache.get('shop') is None"),
        "django.core.mail.outbox": ("django.core.mail.outbox.append('mail')",
                                    "not django.core.mail.outbox"),
    },
}


class LibraryTest(SettingCase):
    """Those of libraries that may not be there."""

    def of_library(self, name):
        try:
            importlib.import_module(name)
            if name == "numpy":
                importlib.import_module("numpy.random")
            if name == "django.conf":
                importlib.import_module("django.test.utils")
                importlib.import_module("django.core.cache.backends.locmem")
                mail = importlib.import_module("django.core.mail")
                self.addCleanup(vars(mail).pop, "outbox")
                mail.outbox = []
        except ImportError:
            self.skipTest("%s is not installed" % name.partition(".")[0])
        if name == "pandas":
            importlib.import_module("pandas._config.config")
        if name == "django.conf" and not sys.modules[name].settings.configured:
            sys.modules[name].settings.configure()
        self.state.before()
        self.state.full()
        for each, (change, victim) in REPORTED_OF[name].items():
            with self.subTest(each), unittest.mock.patch.dict(
                    SPACE, {name.partition(".")[0]: sys.modules[name.partition(".")[0]]}):
                self.see(each, change, victim)

    def test_numpy(self):
        self.of_library("numpy")

    def test_pandas(self):
        self.of_library("pandas")

    def test_matplotlib(self):
        self.of_library("matplotlib")

    def test_django(self):
        self.of_library("django.conf")

    def test_numpy_draws(self):
        try:
            numpy = importlib.import_module("numpy")
            importlib.import_module("numpy.random")
        except ImportError:
            self.skipTest("numpy is not installed")
        self.state.full()
        numpy.random.random(3000)
        numpy.random.normal(size=3)
        self.assertEqual([], self.state.full())


class PackageTest(SettingCase):
    """A package that is imported anew: one cause, and all of it is put back."""

    def setUp(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        package = os.path.join(folder, "leakfix_shop")
        os.mkdir(package)
        for name, text in (("__init__", "STATE = []"), ("orders", "from leakfix_shop import STATE"),
                           ("unused", "")):
            with open(os.path.join(package, name + ".py"), "w") as file:
                file.write(text)
        self.addCleanup(sys.path.remove, folder)
        sys.path.insert(0, folder)
        importlib.invalidate_caches()
        self.addCleanup(self.forget)
        self.shop = importlib.import_module("leakfix_shop")
        self.orders = importlib.import_module("leakfix_shop.orders")
        importlib.import_module("leakfix_shop.unused")
        super().setUp()

    def forget(self):
        for name in [name for name in sys.modules if name.startswith("leakfix_shop")]:
            del sys.modules[name]

    def anew(self):
        self.forget()
        importlib.import_module("leakfix_shop.orders")

    def names(self, changes):
        return [(each.name, each.how) for each in changes if each.kind == "module"]

    def test_somebody_has_a_module_of_it(self):
        with mock.patch.dict(globals(), leakfix_orders=self.orders):
            self.anew()
            changes = self.state.full()
            self.assertEqual([("leakfix_shop.orders", "replaced")], self.names(changes))
            self.state.restore(changes)
            self.assertIs(self.orders, sys.modules["leakfix_shop.orders"])

    def test_somebody_has_all_of_it(self):
        with mock.patch.dict(globals(), leakfix_orders=self.orders, leakfix_shop=self.shop):
            self.anew()
            changes = self.state.full()
            self.assertEqual([("leakfix_shop", "replaced")], self.names(changes))
            self.state.restore(changes)
            self.assertIs(self.shop, sys.modules["leakfix_shop"])
            self.assertIs(self.orders, sys.modules["leakfix_shop.orders"])
            self.assertIs(self.orders, self.shop.orders)

    def test_nobody_has_it(self):
        self.anew()
        self.assertEqual([], self.names(self.state.full()))

    def test_function_of_it(self):
        exec("def price(): return STATE", vars(self.orders))
        with mock.patch.dict(globals(), leakfix_price=self.orders.price):
            self.forget()
            self.assertEqual([("leakfix_shop.orders", "removed")],
                             self.names(self.state.full()))


class RandomTest(SettingCase):

    def test_drawing_is_no_change(self):
        for number in (1, 700, 20000, 200000):
            [SPACE["random"].random() for _ in range(number)]
            self.assertEqual([], self.state.full())

    def test_seed_bound_to_a_name(self):
        from random import getstate, seed, setstate
        self.addCleanup(setstate, getstate())
        seed(1)
        self.assertEqual(["random"], [each.name for each in self.state.full()])

    def test_seed_in_the_window_of_a_test(self):
        random = SPACE["random"]
        self.addCleanup(random.setstate, random.getstate())
        random.seed(1)
        self.assertEqual(["random"], [each.name for each in self.state.after()])

    def test_drawing_after_a_test_that_put_its_seed_back(self):
        random = SPACE["random"]
        state = random.getstate()
        self.addCleanup(random.setstate, state)
        random.seed(1)
        random.setstate(state)
        self.assertEqual([], self.state.after())
        random.getrandbits(32 * 624 * 1000)     # more than is looked through for it
        self.assertEqual([], self.state.full())

    def test_state_put_back(self):
        random = SPACE["random"]
        state = random.getstate()
        random.seed(1)
        random.setstate(state)
        self.assertEqual([], self.state.after())
        self.assertEqual([], self.state.full())


class TracerTest(SettingCase):
    """A trace function of a tool is left alone; one of the test's own is reported, and left."""

    def test_one_of_a_tool(self):
        import bdb
        self.addCleanup(sys.settrace, sys.gettrace())
        debugger = bdb.Bdb()
        debugger.reset()
        sys.settrace(debugger.trace_dispatch)
        changes = self.state.full()
        sys.settrace(None)
        self.assertEqual([], changes)

    def test_one_of_the_tests(self):
        self.addCleanup(sys.settrace, sys.gettrace())
        sys.settrace(lambda *args: None)
        changes = self.state.full()
        done = self.state.restore(changes)
        sys.settrace(None)
        self.assertEqual((["sys.settrace"], []), ([each.name for each in changes], done))


@unittest.skipUnless("_abc" in sys.modules, "the registries are not in C")
class AbstractClassTest(SettingCase):
    """What a test registers with an abstract class: nothing takes it out again."""

    def registered(self):
        return [each for each in self.state.full(0.01) if each.name == "abc.ABCMeta.register()"]

    def test_lasting(self):
        collections.abc.Sized.register(Lasting)
        change, = self.registered()
        self.assertEqual(("Sized.register(Lasting)",), change.added)
        self.assertFalse(change.restorable)
        self.assertEqual([], self.registered())

    def test_gone_with_its_class(self):
        class Local:
            pass
        collections.abc.Sized.register(Local)
        del Local
        gc.collect()
        self.assertEqual([], self.registered())

    def test_asking_is_no_registration(self):
        self.assertIsInstance([], collections.abc.Sized)
        self.assertEqual([], self.registered())


class Lasting:
    pass


class ModulesTest(SettingCase):
    """What is looked at in `sys.modules` is not kept alive by that."""

    def loaded(self, name):
        module = types.ModuleType(name)
        module.__spec__ = importlib.machinery.ModuleSpec(name, object())
        sys.modules[name] = module
        self.addCleanup(sys.modules.pop, name, None)
        return module

    def test_a_module_that_is_taken_out_and_let_go_is_gone(self):
        module = self.loaded("planted_module")
        self.state.full()
        gone = weakref.ref(module)
        del sys.modules["planted_module"], module
        gc.collect()
        self.assertIsNone(gone())
        self.assertEqual([], self.state.full(0.01))

    def test_the_same_while_an_import_is_absorbed(self):
        since = ProcessState(self.records)
        since.window()
        module = self.loaded("planted_module")
        self.state.absorb(since)
        gone = weakref.ref(module)
        del sys.modules["planted_module"], module
        gc.collect()
        self.assertIsNone(gone())

    def test_one_that_somebody_still_has_is_put_back(self):
        module = self.loaded("planted_module")
        other = self.loaded("planted_other")
        other.planted = module
        self.state.full()
        del sys.modules["planted_module"]
        changes = self.state.full(0.01)
        self.assertEqual([('planted_module', "removed")],
                         [(each.name, each.how) for each in changes])
        self.state.restore(changes)
        self.assertIs(module, sys.modules["planted_module"])


class BuiltinsTest(SettingCase):

    def test_what_exec_puts_into_its_globals(self):
        space = vars(sys.modules["builtins"])
        self.addCleanup(space.pop, "__builtins__", None)
        self.addCleanup(space.pop, "planted", None)
        exec("pass", space)
        self.assertEqual([], self.state.full(0.01))
        exec("planted = 1", space)
        self.assertEqual(["builtins.planted"], [each.name for each in self.state.full(0.01)])


class HarnessTest(SettingCase):

    def test_the_callback_by_which_hypothesis_times_the_collector(self):
        def callback(phase, info):
            pass
        callbacks = gc.callbacks[:]
        self.addCleanup(gc.callbacks.__setitem__, slice(None), callbacks)
        callback.__code__ = callback.__code__.replace(
            co_filename="/srv/lib/site-packages/hypothesis/internal/conjecture/junkdrawer.py")
        gc.callbacks.append(callback)
        self.assertEqual([], self.of("gc.callbacks", self.state.full(0.01)))
        gc.callbacks.append(lambda phase, info: None)
        self.assertEqual(1, len(self.of("gc.callbacks", self.state.full(0.01))))

    def test_the_handler_of_a_plugin_that_limits_the_time(self):
        def handler(number, frame):
            pass
        signals = SPACE["signal"]
        self.addCleanup(signals.signal, signals.SIGALRM, signals.getsignal(signals.SIGALRM))
        signals.signal(signals.SIGALRM, handler)
        self.assertEqual(["SIGALRM"], [each.name for each in self.state.full(0.01)])
        handler.__code__ = handler.__code__.replace(
            co_filename="/srv/lib/site-packages/pytest_timeout.py")
        signals.signal(signals.SIGALRM, signals.SIG_IGN)
        self.assertEqual([], self.state.full(0.01))
        signals.signal(signals.SIGALRM, handler)
        self.assertEqual([], self.state.full(0.01))


class FirstUseTest(SettingCase):

    def test_types_that_the_system_knows(self):
        module = SPACE["mimetypes"]
        with mock.patch.multiple(module, inited=False, _db=None, types_map={".txt": "text/plain"}):
            self.state.full()
            module.guess_type("a.csv")
            self.assertEqual([], self.state.full(0.01))
            module.add_type("shop/order", ".order")
            self.assertEqual(["mimetypes.types_map"],
                             [each.name for each in self.state.full(0.01)])


class TimeZoneTest(SettingCase):

    def test_variable_and_zone_are_one_cause(self):
        time = SPACE["time"]
        old = time.tzname
        self.addCleanup(time.tzset)
        self.addCleanup(os.environ.__setitem__, "TZ", os.environ["TZ"]) if (
            "TZ" in os.environ) else self.addCleanup(os.environ.pop, "TZ", None)
        os.environ["TZ"] = "Asia/Tokyo"
        time.tzset()
        changes = self.state.full()
        self.assertEqual(["TZ"], [each.name for each in changes])
        self.state.restore(changes)
        self.assertEqual(old, time.tzname)

    def test_what_django_sets_is_its_own(self):
        # Its receiver of setting_changed leaves it so when an overridden TIME_ZONE ends.
        module = types.ModuleType("django.conf")
        module.settings = types.SimpleNamespace(configured=True, TIME_ZONE="America/Chicago")
        with mock.patch.dict(sys.modules, {"django.conf": module}), mock.patch.dict(os.environ):
            os.environ.pop("TZ", None)
            self.state.full()
            os.environ["TZ"] = "America/Chicago"
            self.assertEqual([], self.state.full())
            self.assertTrue(environment.is_djangos_now())
            os.environ["TZ"] = "Asia/Tokyo"
            self.assertEqual(["TZ"], [each.name for each in self.state.full()])
            del os.environ["TZ"]
            self.assertEqual(["TZ"], [each.name for each in self.state.full()])
            self.assertFalse(environment.is_djangos_now())
            module.settings.configured = False
            os.environ["TZ"] = "America/Chicago"
            self.assertEqual(["TZ"], [each.name for each in self.state.full()])


if __name__ == "__main__":
    unittest.main()
