"""One page, which says in which thread it was made and whether its connection was open before."""
from __future__ import annotations

import threading

from django.db import connections
from django.http import HttpResponse
from django.urls import path

SEEN = []
"""The wrapper of each request, in order."""


def page(request, alias):
    """Ask the database something."""
    before = connections[alias].connection is not None
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT 1")
    SEEN.append((threading.current_thread(), connections[alias]))
    return HttpResponse("open before" if before else "opened")


urlpatterns = [path("<str:alias>/", page)]
