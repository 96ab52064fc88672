"""The command ``python -m unittest_leakfix sessions URL``: what holds the connections of a
server."""
from __future__ import annotations

import argparse
import getpass
import os
import sys
import time
from dataclasses import replace
from typing import Any, List, NoReturn, Optional, Sequence, Tuple

from unittest_leakfix._core import redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix.databases import connect
from unittest_leakfix.databases.connect import Address, AddressError, filled, read
from unittest_leakfix.databases.server import Server
from unittest_leakfix.databases.server_sessions import Sessions, count, outcome, quoted, table
from unittest_leakfix.leaks.report.terminal import style_for

__unittest = True
bind(globals())

DONE, NOT_ALL_ENDED, FAULT = 0, 1, 2
_EVERY = 2.0

_DESCRIPTION = """\
Show the sessions on a database: whose they are, what they do, and which process of this machine
holds each. Needs a driver that you have: PyMySQL, mysqlclient or mysql-connector-python; psycopg
or psycopg2.
"""
_EPILOG = """\
password: from the address, which others can read in the list of processes while this runs; better
  from MYSQL_PWD or ~/.my.cnf, PGPASSWORD or ~/.pgpass; else it is asked for. It is never shown.
exit status: 0 shown, or all ended; 1 not all ended, or the answer was no; 2 wrong arguments, no
  driver, no connection, or the connection was lost.
A test module of the name "sessions" is run by: python -m unittest_leakfix sessions.py
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # argparse repeats what it did not understand, an address with a password as well.
        super().error(redaction.line(message))


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run the command and return its exit status. `arguments` are those after "sessions"."""
    options = _options(sys.argv[2:] if arguments is None else arguments)
    try:
        address = read(options.url)
        if options.terminate and not address.database:
            raise AddressError("--terminate needs the one database whose sessions shall end: "
                               "%s://.../NAME"
                               % address.dialect)
        address, connection = _connected(filled(address))
    except (AddressError, connect.CannotConnect) as error:
        return _fault(str(error))
    try:
        return _run(options, address, connect.server(address.dialect, connection))
    except BrokenPipeError:  # "| head" has seen enough; the interpreter flushes once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except KeyboardInterrupt:
        print()
        return DONE if options.watch else 130
    except Exception as error:
        return _fault("%s: %s" % (address, redaction.error(error, address.password)))
    finally:
        _close(connection)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(prog="python -m unittest_leakfix sessions", description=_DESCRIPTION,
                     epilog=_EPILOG,
                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", metavar="URL", help="mysql://user@host:port/database or "
                        "postgresql://user@host:port/database; without a database, all of the "
                        "server")
    parser.add_argument("--watch", nargs="?", type=float, const=_EVERY, metavar="SECONDS",
                        help="show it again every SECONDS (2) until Ctrl-C")
    parser.add_argument("--terminate", action="store_true",
                        help="end the sessions shown, after a question")
    parser.add_argument("--yes", action="store_true", help="with --terminate: do not ask")
    options = parser.parse_args(_watch_apart(arguments))
    if options.watch is not None and not 0.1 <= options.watch <= 86400:
        parser.error("--watch takes seconds, from 0.1 to 86400")
    if options.watch and options.terminate:
        parser.error("--watch and --terminate do not go together")
    if options.yes and not options.terminate:
        parser.error("--yes goes with --terminate")
    return options


def _watch_apart(arguments: Sequence[str]) -> List[str]:
    """Give --watch its number where the address follows it, which argparse would take for one."""
    given = list(arguments)
    for place, word in enumerate(given[:-1]):
        if word == "--watch" and "://" in given[place + 1]:
            given[place] = "--watch=%s" % _EVERY
    return given


def _connected(address: Address) -> Tuple[Address, Any]:
    try:
        return address, connect.connect(address)
    except connect.PasswordNeeded:
        if address.password or not sys.stdin.isatty():
            raise
    address = replace(address, password=getpass.getpass("Password for %s: " % address))
    return address, connect.connect(address)


def _run(options: argparse.Namespace, address: Address, server: Server) -> int:
    database = address.database or None
    if options.watch:
        while True:
            text = _text(server.sessions(database))
            print(("\033[H\033[2J" if sys.stdout.isatty() else "") + text + "\n", flush=True)
            time.sleep(options.watch)
    found = server.sessions(database)
    print(_text(found), flush=True)
    if not options.terminate or not found.sessions:
        return DONE
    if not options.yes and not _agreed(found):
        print("Nothing was ended.")
        return NOT_ALL_ENDED
    ended = server.terminate(address.database, only=found.sessions)
    style = style_for(sys.stdout)
    print("\n" + "\n".join(map(style.clean, outcome(ended).split("\n"))))
    return DONE if ended.complete else NOT_ALL_ENDED


def _text(found: Sessions) -> str:
    return table(found, style_for(sys.stdout))


def _agreed(found: Sessions) -> bool:
    question = "End %s on %s? [y/N] " % (count(len(found)), quoted(found.database or ""))
    try:
        return input(style_for(sys.stdout).clean(question)).strip().lower() in ("y", "yes")
    except EOFError:
        print()
        return False


def _close(connection: Any) -> None:
    try:
        connection.close()
    except Exception:  # it was lost, or ended by another client
        pass


def _fault(line: str) -> int:
    style = style_for(sys.stderr)
    sys.stderr.write("unittest_leakfix sessions: %s\n" % style.clean(line))
    return FAULT
