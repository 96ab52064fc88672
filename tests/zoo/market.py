"""An application's state: settings, registries, caches, a singleton, a default argument."""
import collections
import functools

MODE = "prod"
RETRIES = 3
PLUGINS = []
ROUTES = {"/": "index"}
FLAGS = {"beta": False, "audit": True}
NAMES = set()
LAST = collections.deque(maxlen=3)
ROWS = []
BY_KEY = {}
BUFFER = bytearray()
_loaded = False
_counter = 0
_table = None
current_user = None


class Config:
    DEBUG = False
    rows = []

    @staticmethod
    def load():
        return "real"

    def save(self):
        return "saved"


class User:
    def __init__(self, name):
        self.name = name


class Session:
    """Made when it is first wanted."""

    _one = None
    user = None

    @classmethod
    def get(cls):
        if cls._one is None:
            cls._one = cls()
        return cls._one


app = User("app")


@functools.lru_cache(maxsize=None)
def mode():
    return MODE


@functools.lru_cache(maxsize=None)
def load(number):
    return bytes(400000) + bytes([number])


@functools.lru_cache(maxsize=2)
def load_few(number):
    return bytes(900000) + bytes([number])


def now():
    return 0


def collect(item, into=[]):     # noqa: B006 (that is the point)
    into.append(item)
    return into


def counted():
    global _counter
    _counter += 1
    return _counter


def table():
    """Read once."""
    global _table, _loaded
    if _table is None:
        _table = {number: bytes(60000) for number in range(20)}
        _loaded = True
    return _table


def remember(key, value):
    BY_KEY[key] = value


def enter(mode):
    """Switches the application over."""
    global MODE
    MODE = mode


def handle(path):
    LAST.append(bytes(1200000))
    return ROUTES.get(path)
