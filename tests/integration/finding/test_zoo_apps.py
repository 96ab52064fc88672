# needs Python 3.8
"""Suites such as people have: of a data pipeline, of a web shop, of a service that awaits.

Each test leaves one thing: one cause with its test, its line or its holder, and a proven remedy.
"""
from __future__ import annotations

import io
import json
import os
import sys
import unittest

from tests.integration.finding.test_zoo_advice import AdviceCase
from tests.tiers import nightly
from tests.zoo.case import ROOT, ZooCase, animals, each_animal, keeper

APPS = ("pipeline", "web", "service")
# The kind, and what the line that is shown has in it, or else what keeps it begins with.
LEAKS = {
    "pipeline.Files.test_sink_of_the_test": ("file", "self.file = open(path"),
    "pipeline.Files.test_reader_on_self": ("file", "self.source = open("),
    "pipeline.Files.test_archive": ("file", "zipfile.ZipFile("),
    "pipeline.Files.test_spool_folder": ("temporary folder", "mkdtemp(prefix="),
    "pipeline.Files.test_two_files_on_one_line": ("file", "left, right = open"),
    "pipeline.Files.test_spooled_descriptor": ("descriptor", "mkstemp("),
    "pipeline.Stages.test_listener_stays": ("kept test", "tests.zoo.pipeline_app.clean.listeners["),
    "pipeline.Stages.test_stage_of_a_test": ("kept test", "tests.zoo.pipeline_app.stages['mine']"),
    "pipeline.Stages.test_converter_by_hand": (
        "kept test", "tests.zoo.pipeline_app.converters['upper']"),
    "pipeline.Stages.test_size_of_batches": ("state", "pipeline_app.batch_size = 2"),
    "pipeline.Stages.test_strict": ("state", "pipeline_app.strict = True"),
    "pipeline.Stages.test_sink_mocked_by_hand": ("state", "pipeline_app.Sink = mock"),
    "pipeline.Stages.test_rows_kept": ("growth", ""),
    "pipeline.Stores.test_store_replaced": ("connection", "pipeline_app._store = sqlite3"),
    "pipeline.Stores.test_function_of_the_store": ("connection", "store = sqlite3.connect"),
    "pipeline.Runs.test_watcher": ("thread", "threading.Thread("),
    "web.Setup.test_setting": ("state", "web_app.Settings.debug = True"),
    "web.Setup.test_settings_by_the_shop": ("state", ""),
    "web.Setup.test_backend_added": ("state", "backends.append("),
    "web.Setup.test_timeout_changed": ("state", 'timeouts["payment"] = 1'),
    "web.Setup.test_route_added": ("state", 'routes["/new"]'),
    "web.Setup.test_flag": ("state", "flags.add("),
    "web.Setup.test_environment": ("environment", 'os.environ["WEB_DEBUG"]'),
    "web.Setup.test_log_level": ("logging level", "log.setLevel("),
    "web.Setup.test_log_handler": ("logging handler", "logging.StreamHandler()"),
    "web.Setup.test_propagation": ("logging level", ""),
    "web.Receivers.test_receiver_stays": ("kept test", "tests.zoo.web_app.order_paid.receivers["),
    "web.Receivers.test_middleware_stays": ("kept test", "tests.zoo.web_app.middleware["),
    "web.Receivers.test_backend_of_the_mailer": ("kept test", "tests.zoo.web_app.mailer.backend"),
    "web.Receivers.test_visitor_in_a_context": ("kept test", "tests.zoo.web_app.request.get()"),
    "web.Receivers.test_visitor_of_the_thread": ("kept test", "list(dict.values(gc.get_referents("),
    "web.Receivers.test_charged_by_hand": ("kept test", "tests.zoo.web_app.Payments.charge"),
    "web.Receivers.test_charged_by_a_patch": ("patch", "charge = patcher.start()"),
    "web.Receivers.test_session_kept": ("kept test", "tests.zoo.web_app.outbox[0].basket[0]"),
    "web.Network.test_listening": ("socket", "socket.create_server("),
    "web.Network.test_pair_that_is_dropped": ("socket", "here, there = socket.socketpair()"),
    "web.Network.test_pair_on_self": ("socket", "self.here, self.there = socket.socketpair()"),
    "web.Network.test_mail_thread": ("timer", "timer.start()"),
    "web.Base.test_it": ("file", "web_app.outbox.append(open("),
    "service.Loops.test_loop_of_the_test": ("event loop", "asyncio.new_event_loop()"),
    "service.Loops.test_callback_that_waits": ("event loop", "asyncio.new_event_loop()"),
    "service.Feeds.test_subscriber_stays": (
        "kept test", "list(set.__iter__(tests.zoo.service_app.subscribers))"),
    "service.Feeds.test_callback_stays": ("kept test", "tests.zoo.service_app.feed.callbacks["),
    "service.Feeds.test_handler_stays": ("kept test", "tests.zoo.service_app.handlers['price']"),
    "service.Feeds.test_test_in_a_list": ("kept test", "tests.zoo.service_app.pending[0]"),
}
# Up to 3.9 the collector does not see what a connection of sqlite3 refers to, nor it.
UNSEEN_BEFORE_3_10 = ("pipeline.Stores.test_store_replaced",
                      "pipeline.Stores.test_function_of_the_store")
# Of these what is advised is in words, or the line to be changed is not the one that is shown.
WORDS = ("pipeline.Runs.test_watcher", "pipeline.Files.test_spool_folder")


def tearDownModule():
    keeper.close()


@each_animal(*APPS)
class AppsTests(ZooCase):

    def see(self, name):
        if name in UNSEEN_BEFORE_3_10 and sys.version_info < (3, 10):
            self.skipTest("sqlite3's connections are seen from Python 3.10 on")
        answer = keeper.ask(name, options={"leaks_json": "ZOO/leaks.json"})
        self.assertTrue(answer["successful"], answer["output"])
        leak, = json.loads(answer["files"]["leaks.json"])["leaks"]
        kind, wanted = LEAKS[name]
        self.assertEqual(kind, leak["kind"], answer["report"])
        self.assertTrue(leak["remedy"])
        if not name.startswith("web.Base"):
            self.assertEqual(["tests.zoo." + name], leak["tests"])
        if leak["user_line"] and leak["kind"] != "growth":
            self.assertIn(wanted, self.line(leak["user_line"]))
        elif wanted:
            self.assertTrue(leak["chain"]["expression"].startswith(wanted), leak["chain"])

    def line(self, line):
        with io.open(os.path.join(ROOT, line["file"])) as file:
            return file.readlines()[line["line"] - 1]


class CompleteTests(unittest.TestCase):

    def test_each_is_in_the_table(self):
        self.assertEqual({"%s.%s" % (app, name) for app in APPS for name in animals(app)},
                         set(LEAKS))


@unittest.skipIf(sys.version_info < (3, 9), "ast.unparse came with Python 3.9")
@nightly
@each_animal(*APPS)
class AppsAdviceTests(AdviceCase):
    """What is advised, typed in by machine, leaves nothing to be reported, and the apps work."""

    def see(self, name):
        if name not in WORDS:
            super().see(name)


if __name__ == "__main__":
    unittest.main()
