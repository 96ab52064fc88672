"""Letters are sent by a thread, so that nobody waits for them."""

from __future__ import absolute_import

import threading


class Mailer(object):
    def __init__(self):
        self.sent = []
        self._letters = []
        self._changed = threading.Condition()
        self._ended = False

    def start(self):
        self._thread = threading.Thread(target=self._loop, name="mailer")
        self._thread.daemon = True
        self._thread.start()

    def send(self, letter):
        with self._changed:
            self._letters.append(letter)
            self._changed.notify_all()

    def wait(self):
        """Wait until everything is sent."""
        with self._changed:
            while self._letters:
                self._changed.wait()

    def stop(self):
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._thread.join()

    def _loop(self):
        with self._changed:
            while not self._ended:
                while self._letters:
                    self.sent.append(self._letters.pop(0))
                self._changed.notify_all()
                self._changed.wait()
