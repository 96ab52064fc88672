"""The applications at work, after whatever a test was advised to do: all must be as it was."""
from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
import unittest
import warnings

from tests.zoo import market, office, pipeline_app, service_app, shop, web_app


class Afterwards(unittest.TestCase):

    def test_the_shop_works(self):
        order = shop.Order(1)
        shop.orders.append(order)
        self.addCleanup(shop.orders.remove, order)
        shop.by_number[1] = order
        self.addCleanup(shop.by_number.pop, 1)
        shop.post_save.connect(order)
        self.addCleanup(shop.post_save.receivers.remove, order)
        self.assertEqual(shop.price(order), 42)
        shop.price.cache_clear()
        self.assertEqual(len(shop.rates("EUR")), 3)
        shop.rates.cache_clear()
        self.assertIsNone(shop.Client.connection)
        self.assertIsNone(shop.current_order.get())
        self.addCleanup(setattr, shop.Settings, "_instance", shop.Settings._instance)
        self.assertIsInstance(shop.Settings.instance(), shop.Settings)
        for container in (shop.feeds, shop.pool, shop.tasks, shop.hooks):
            self.assertEqual(len(container), 0)

    def test_the_market_is_as_ever(self):
        self.assertEqual(
            ("prod", 3, [], {"/": "index"}, {"beta": False, "audit": True}, set(), [], None),
            (market.MODE, market.RETRIES, market.PLUGINS, market.ROUTES, market.FLAGS,
             market.NAMES, market.Config.rows, market.current_user))
        self.assertEqual((False, "real", "saved", 0, "x", "app"), (
            market.Config.DEBUG, market.Config.load(), market.Config().save(),
            market.now(), market.User("x").name, market.app.name))
        self.assertEqual("real", market.Config().load())
        self.assertFalse(hasattr(market, "EXTRA"))

    def test_the_office_works(self):
        office.listen(1)
        self.addCleanup(office.listeners.discard, 1)
        self.assertEqual(office.emit("order"), [])
        self.assertEqual((office.export("csv", 1), office.export("json", "1")), ("1", "'1'"))
        self.assertEqual((office.Service().run(), office.Service.name(), office.Service.timeout),
                         ("run", "service", 30))
        self.assertEqual(office.Service().name(), "service")
        self.assertIsInstance(office.registry.current, office.Desk)
        self.assertIsNone(office.registry.current.owner)
        item = office.Item()
        item.price = 4
        self.addCleanup(office.Item.__dict__["price"].values.pop, item)
        self.assertEqual(item.price, 4)
        office.mailer.send("letter")
        office.mailer.reset_mock()
        office.Registry.factory = staticmethod(lambda: 7)
        self.addCleanup(setattr, office.Registry, "factory", None)
        self.assertEqual(office.registry.handler, 7)
        del office.registry.handler
        for each in office.connect():
            each.close()
        office.serve().server_close()

    def test_the_pipeline_works(self):
        self.assertEqual(2, pipeline_app.Stage("load").run(pipeline_app.Batch([1, 2])))
        self.assertEqual([], pipeline_app.clean.listeners)
        self.assertEqual((["clean"], {"int": int}, 500, False), (
            list(pipeline_app.stages), pipeline_app.converters, pipeline_app.batch_size,
            pipeline_app.strict))
        self.assertTrue(next(pipeline_app.rows_of(__file__)))
        self.assertIsNone(pipeline_app._store)
        self.addCleanup(setattr, pipeline_app, "_store", None)
        with contextlib.closing(pipeline_app.store()) as store:
            self.assertEqual([(1,)], store.execute("select 1").fetchall())

    def test_the_web_shop_works(self):
        self.assertEqual(("index", None), (web_app.handle("/"), web_app.handle("/new")))
        self.assertEqual([], web_app.order_paid.send(order=1))
        self.assertEqual("hi", web_app.mailer.send("hi"))
        web_app.mailer.sent = 0
        self.assertEqual((3, 1), (web_app.Payments.retries, web_app.Payments.charge(1)))
        self.assertEqual((False, "plain", "shop.example", ["mail"], {"payment": 5}, set()), (
            web_app.Settings.debug, web_app.Settings.theme, web_app.Settings.host,
            web_app.Settings.backends, web_app.Settings.timeouts, web_app.flags))
        self.assertIsNone(web_app.request.get())
        self.assertEqual((logging.NOTSET, [], True), (
            web_app.log.level, web_app.log.handlers, web_app.log.propagate))

    def test_the_service_works(self):
        service_app.feed.publish("price")
        self.assertEqual((set(), {}), (service_app.subscribers, service_app.handlers))

    def test_the_process_is_as_it_was(self):
        self.assertEqual(os.getcwd(), START)
        self.assertEqual(socket.getdefaulttimeout(), None)
        self.assertEqual(os.environ["SHOP_URL"], "https://shop.example")
        self.assertNotIn("SHOP_DEBUG", os.environ)
        self.assertIs(sys.excepthook, HOOK)
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            warnings.warn("one", UserWarning, stacklevel=1)
        self.assertEqual(len(seen), 1)
        print(end="", file=sys.stdout)
        asyncio.run(asyncio.sleep(0))


START = os.getcwd()
HOOK = sys.excepthook
