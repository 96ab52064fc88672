"""Another process, as orders.py starts it: connects to the database, and waits."""

import sys

try:
    import psycopg as driver
except ImportError:
    import psycopg2 as driver

if __name__ == "__main__":
    db = driver.connect(dbname=sys.argv[1])
    print("connected", flush=True)
    sys.stdin.read()    # until the process that started this one is over
