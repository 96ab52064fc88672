"""One leak of each kind."""
from __future__ import annotations

from tests.unit.leaks.leak_samples import ORDERS, chain
from unittest_leakfix.leaks.model.leak import Leak


def every_kind(case):
    """Return a leak of each kind, worded as its finder would, for a `TextCase`."""
    test = (ORDERS + "test_checkout",)
    ours = case.opened(test[0], ("tests/test_orders.py", 28, "OrderTests.test_checkout"))
    app = case.opened(
        test[0], ("shop/mail.py", 48, "Mailer.start"),
        ("tests/test_orders.py", 24, "OrderTests.test_checkout")
    )
    held = chain(
        "shop.cache.orders['a']",
        ("", "module shop.cache", "", False),
        (".orders", "dict (1 item)", "", True),
        ("['a']", "Order", "", False),
    )
    was = (("was", "'/srv/shop'"), ("is", "'/tmp/x'"))
    return [
        case.kept(),
        Leak("object", "Order was kept after OrderTests.test_checkout", test, 1200, held,
             cause="object"),
        Leak(
            "growth", "Order objects grow test after test", test + (ORDERS + "test_cancel",), 99000,
            held, growth=1204
        ),
        Leak(
            "class attribute",
            "OrderTests still holds 13.2 MB after its last test",
            ("setUpClass (tests.test_orders.OrderTests)",),
            13200000,
            holding=((".client", "Client", 12900000), (".rows", "list", 310000),
                     (".flag", "Flag", 0)),
            remedy="cls.addClassCleanup(delattr, cls, \"client\")",
        ),
        Leak("state", "shop.settings.DEBUG was changed", test,
             notes=(("was", "False"), ("is", "True"))),
        case.connection(),
        Leak("connection pool", "asyncpg pool to db@127.0.0.1:5432/shop was left open", test,
             acquisition=app),
        Leak("client", "redis client to 127.0.0.1:6379/0 was left open", test, acquisition=app),
        Leak("figure", "pyplot figure was left open", test, acquisition=app),
        Leak("widget", "Qt timer was left open", test, acquisition=app),
        Leak("socket", "socket listening on 127.0.0.1:8080 was left open", test, acquisition=app),
        Leak(
            "file",
            "file '/tmp/report.txt' was left open",
            test,
            acquisition=ours,
            remedy="self.addCleanup(case.report.close)",
        ),
        Leak("descriptor", "descriptor 7 (pipe) was left open", test),
        Leak(
            "foreign close",
            "descriptor 7 was closed by a test that had not opened it",
            test,
            acquisition=case.opened("tests.test_mail.MailTests.test_send",
                                    ("shop/mail.py", 48, "Mailer.start")),
            notes=(("closed at", "tests/test_orders.py:24 in OrderTests.test_checkout"),),
        ),
        case.thread(),
        Leak("timer", "timer \"tick\" was still waiting after its test", test),
        Leak("executor", "thread pool of 4 was not shut down", test, acquisition=app),
        Leak(
            "child process",
            "child process 'sleep 60' was still running after its test",
            test,
            acquisition=app,
            notes=(("now at", "state S (sleeping)"),),
        ),
        Leak("pool", "multiprocessing pool of 2 was not terminated", test),
        Leak("event loop", "event loop was left open", test, acquisition=ours),
        Leak(
            "task",
            "task 'poll' was destroyed but it is pending",
            test,
            acquisition=app,
            notes=(("now at", "shop/mail.py:61 in poll"),),
        ),
        Leak("coroutine", "coroutine 'send' was never awaited", test, remedy="await send(...)"),
        Leak("generator", "async generator 'rows' was not closed", test),
        Leak(
            "exception",
            "exception of task 'poll' was never retrieved",
            test,
            notes=(("it was", "ValueError: no order"),),
        ),
        Leak("warning", "ResourceWarning: unclosed file", test),
        Leak(
            "temporary folder",
            "temporary folder '/tmp/shop-x' was left behind",
            test,
            acquisition=case.opened(test[0], ("tests/gone.py", 5, "make"), thread="worker-1"),
        ),
        Leak("temporary file", "temporary file '/tmp/shop-x.txt' was left", test),
        Leak("shared memory", "shared memory '/dev/shm/psm_1' was not unlinked", test),
        Leak("patch", "the patch of shop.mail.send was not stopped", test,
             remedy="self.addCleanup(patcher.stop)"),
        Leak(
            "environment",
            'environment variable "SHOP_DB" was changed',
            test,
            notes=(("was", "'mysql://shop:hunter2@db/shop'"), ("is", "'sqlite://'")),
        ),
        Leak(
            "environment",
            'environment variable "SHOP_PASSWORD" was changed',
            test,
            notes=(("was", "'hunter2'"), ("is", "'hunter3'")),
        ),
        Leak("cwd", "the working directory was changed", test, notes=was),
        Leak("sys.path", "sys.path was changed", test, notes=(("added", "'/tmp/x' at 0"),)),
        Leak("logging handler", "handler StreamHandler was left on logger \"shop\"", test),
        Leak("logging filter", "shop.only_mine was left on logger \"shop\"", test),
        Leak("warnings filter", "warnings filter ('ignore', UserWarning) was left", test),
        Leak("signal handler", "the handler of SIGALRM was changed", test),
        Leak("locale", "the locale was changed", test, notes=(("was", "'C'"), ("is", "'de_DE'"))),
        Leak("module", 'sys.modules["shop.rates"] was replaced', test,
             notes=(("was", "module"), ("is", "unittest.mock.Mock object"))),
        Leak("alarm", "signal.setitimer(ITIMER_REAL) was left running", test),
        Leak("umask", "the umask was changed", test, notes=(("was", "0o022"), ("is", "0o000"))),
        Leak("lock", "shop.lock was left taken", test),
        Leak("context variable", 'context variable "user" was set, and not reset', test,
             notes=(("it is", "shop.user"), ("is", "'ann'"))),
        Leak("random state", "the state of random was set, and not put back", test),
        Leak("current event loop", "the current event loop was left closed", test),
        Leak("event loop policy", "the event loop policy was changed", test),
        Leak("socket timeout", "the default socket timeout was changed", test,
             notes=(("was", "None"), ("is", "5.0"))),
        Leak("zeppelin", "a zeppelin was left in the air", test),
    ]
