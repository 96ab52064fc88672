"""For suites that use up the descriptors of their process."""

from __future__ import absolute_import

import os


def exhaust(held, limit=100, open=lambda: os.dup(0)):
    """Lower the limit, and put what ``open()`` returns on the list *held* until it fails."""
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE,
                       (limit, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    try:
        while True:
            held.append(open())
    except EnvironmentError:
        pass
