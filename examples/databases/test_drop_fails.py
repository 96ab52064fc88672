"""Sessions that keep a test database from being dropped, and nobody says whose they are.

    export PGHOST=127.0.0.1 PGPORT=5432 PGUSER=shop PGPASSWORD=...
    python -m unittest discover -s examples/databases -p test_drop_fails.py

The three tests pass. Then ``DROP DATABASE`` waits for five seconds and fails: the database "is
being accessed by other users", "There are 3 other sessions", and the database stays. test_drop.py
mends it.
"""

import orders


def setUpModule():
    orders.on_the_server("DROP DATABASE IF EXISTS " + orders.DATABASE,
                         "CREATE DATABASE " + orders.DATABASE)


def tearDownModule():
    orders.on_the_server("DROP DATABASE " + orders.DATABASE)


class OrderTests(orders.OrderTests):
    pass
