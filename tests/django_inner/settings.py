"""SQLite twice: a file, as a database server is shared among threads, and in memory."""
from __future__ import annotations

import os

SECRET_KEY = "for tests only"
USE_TZ = True
INSTALLED_APPS = []
STATIC_URL, MEDIA_URL = "/static/", "/media/"
ROOT_URLCONF = "tests.django_inner.urls"
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "none",
                "TEST": {"NAME": os.path.join(os.environ["INNER_FOLDER"], "inner.sqlite3")}},
    "memory": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"},
}
