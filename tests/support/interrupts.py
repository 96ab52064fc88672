"""For suites in which somebody presses Ctrl-C. Python 3.8 and later."""

from __future__ import absolute_import

import signal


def press_at(place, name, number=signal.SIGINT):
    """Press Ctrl-C, or send the signal *number*, when *name* of this module or class
    is called the next time."""
    original = getattr(place, name)

    def pressing(*arguments, **options):
        setattr(place, name, original)
        signal.raise_signal(number)
        return original(*arguments, **options)
    setattr(place, name, pressing)
