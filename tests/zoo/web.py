"""Tests of the web shop: each leaves one thing."""
from __future__ import annotations

import logging
import os
import socket
import threading
import unittest
from unittest import mock

from tests.zoo import web_app


class Setup(unittest.TestCase):

    def test_setting(self):
        web_app.Settings.debug = True

    def test_settings_by_the_shop(self):
        web_app.configure("dark", "localhost")

    def test_backend_added(self):
        web_app.Settings.backends.append("sms")

    def test_timeout_changed(self):
        web_app.Settings.timeouts["payment"] = 1

    def test_route_added(self):
        web_app.routes["/new"] = "new"

    def test_flag(self):
        web_app.flags.add("beta")

    def test_environment(self):
        os.environ["WEB_DEBUG"] = "1"

    def test_log_level(self):
        web_app.log.setLevel(logging.DEBUG)

    def test_log_handler(self):
        handler = logging.StreamHandler()
        web_app.log.addHandler(handler)

    def test_propagation(self):
        web_app.log.propagate = False


class Receivers(unittest.TestCase):

    def test_receiver_stays(self):
        web_app.order_paid.connect(self.paid)

    def test_middleware_stays(self):
        web_app.middleware.append(self.passed)

    def test_backend_of_the_mailer(self):
        web_app.mailer.backend = self.passed

    def test_visitor_in_a_context(self):
        web_app.request.set(self)

    def test_visitor_of_the_thread(self):
        web_app.local.visitor = self

    def test_charged_by_hand(self):
        web_app.Payments.charge = lambda amount: self.passed(amount)

    def test_charged_by_a_patch(self):
        patcher = mock.patch.object(web_app.Payments, "charge", self.passed)
        charge = patcher.start()
        self.assertEqual(charge(1), 1)

    def test_session_kept(self):
        session = web_app.Session("ann")
        session.basket.append(self)
        web_app.outbox.append(session)

    def paid(self, **event):
        return event

    def passed(self, path):
        return path


class Network(unittest.TestCase):

    def test_listening(self):
        self.sock = socket.create_server(("127.0.0.1", 0))

    def test_pair_that_is_dropped(self):
        here, there = socket.socketpair()
        here.close()
        web_app.outbox.append(there)

    def test_pair_on_self(self):
        self.here, self.there = socket.socketpair()

    def test_mail_thread(self):
        timer = threading.Timer(60, web_app.mailer.send, ("late",))
        timer.start()


class Base(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        web_app.outbox.append(open(__file__))

    def test_it(self):
        self.assertEqual("index", web_app.handle("/"))
