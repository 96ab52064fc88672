"""Tells what happened: as in many a framework, what is connected stays connected."""

from __future__ import absolute_import


class Signal(object):
    def __init__(self):
        self.receivers = []

    def connect(self, receiver):
        self.receivers.append(receiver)

    def disconnect(self, receiver):
        self.receivers.remove(receiver)

    def send(self, *values):
        for receiver in self.receivers:
            receiver(*values)


post_save = Signal()
