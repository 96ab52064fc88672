"""The shop's settings. Which server, and how its connections are kept, comes from the
environment."""

import importlib.util
import os

SECRET_KEY = "for tests only"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.staticfiles", "shop"]
if importlib.util.find_spec("drf_spectacular"):     # the API needs more than Django
    INSTALLED_APPS += ["rest_framework", "drf_spectacular"]
    REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
                      "DEFAULT_AUTHENTICATION_CLASSES": [], "UNAUTHENTICATED_USER": None}
ASGI_APPLICATION = "shop.asgi.application"
STATIC_URL = "/static/"
# tells the length, so that clients need not hang up
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "shop.urls"
LOGGING = {"version": 1, "loggers": {"django.request": {"level": "ERROR"}}}

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends." + os.environ.get("SHOP_ENGINE", "sqlite3"),
        "NAME": "shop",
        "HOST": os.environ.get("SHOP_HOST", ""),
        "PORT": os.environ.get("SHOP_PORT", ""),
        "USER": os.environ.get("SHOP_USER", ""),
        "PASSWORD": os.environ.get("SHOP_PASSWORD", ""),
        "CONN_MAX_AGE": int(os.environ.get("SHOP_CONN_MAX_AGE", "0")),
        "OPTIONS": {},
    },
}
if "SHOP_POOL" in os.environ:       # Django 5.1 and later, psycopg 3
    DATABASES["default"]["OPTIONS"]["pool"] = {"min_size": 1, "max_size": 4}
if not DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # the default; channels' live server wants it said
    DATABASES["default"]["TEST"] = {"NAME": "test_shop"}
if DATABASES["default"]["ENGINE"].endswith("mysql"):
    DATABASES["default"]["TEST"]["CHARSET"] = "utf8mb4"
    try:
        import MySQLdb  # noqa: F401
    except ImportError:
        import pymysql
        pymysql.version_info = (2, 2, 1, "final", 0)
        pymysql.install_as_MySQLdb()
if "SHOP_REPLICA" in os.environ:    # its host: the same server, perhaps under another name
    DATABASES["replica"] = dict(DATABASES["default"], HOST=os.environ["SHOP_REPLICA"])

if os.environ.get("SHOP_TERMINATE") == "no":
    LEAKFIX_TERMINATE_SESSIONS = False
if "SHOP_PATIENCE" in os.environ:
    LEAKFIX_PATIENCE = float(os.environ["SHOP_PATIENCE"])
