"""Which process of this machine holds a session: by the client's address, or the socket's other
end.

Where /proc may be read (Linux), and of other people's processes only for root.
"""
from __future__ import annotations

import ipaddress
import os
import socket
import struct
import sys
from dataclasses import replace
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

from unittest_leakfix._core import redaction
from unittest_leakfix._core.early import bind
from unittest_leakfix.databases.server_sessions import Session

__unittest = True
bind(globals())

_basename = os.path.basename
_isdir = os.path.isdir
_socket = socket.socket

_OPEN = ("01", "04", "05", "08")  # established, and half closed: the session may still be there
_NAMES = ("localhost", "localhost.localdomain", socket.gethostname())

_open, _listdir, _readlink = open, os.listdir, os.readlink


class _Connection(NamedTuple):
    host: str
    port: int
    remote_port: int
    inode: int


def held_here(sessions: Sequence[Session], server_port: Optional[int] = None) -> Tuple[Session,
                                                                                       ...]:
    """Return `sessions` with `pids_here` and `command_here` filled in, where a holder can be seen.

    `server_port` (that of the server) decides where a client's port is used twice.
    """
    if not _isdir("/proc/self/fd"):
        return tuple(sessions)
    peers = _unix_peers() if any(not each.client_host for each in sessions) else {}
    connections = set(_connections())
    for _ in range(3):
        inodes = [_inode(each, connections, server_port) if each.client_host
                  else _unix_inode(each, peers)
                  for each in sessions]
        # The kernel writes its list piece by piece, and skips some while others come and go.
        if all(inode or not _may_be_here(each, connections)
               for each, inode in zip(sessions, inodes)):
            break
        connections.update(_connections())
    owners = _owners({inode for inode in inodes if inode})
    return tuple(_with(session, owners.get(inode, []) if inode else [])
                 for session, inode in zip(sessions, inodes))


def _with(session: Session, pids: List[int]) -> Session:
    if not pids:
        return session
    pids = sorted(pids, key=_born)
    return replace(session, pids_here=tuple(pids), command_here=command_of(pids[0]))


def command_of(pid: int) -> str:
    """Return the command line of a process as it may be shown; "" when it is gone."""
    words = _read("/proc/%d/cmdline" % pid).rstrip("\0").split("\0")
    return redaction.shown(redaction.command([_basename(words[0])] + words[1:]))


def _may_be_here(session: Session, connections: Set[_Connection]) -> bool:
    return session.client_port is not None and any(each.host == session.client_host
                                                   for each in connections)


def _inode(session: Session, connections: Set[_Connection], server_port: Optional[int]) -> int:
    found = [each for each in connections if each.port == session.client_port
             and _is_host(session.client_host, each, server_port)]
    if len(found) > 1:
        found = [each for each in found if each.remote_port == server_port]
    return found[0].inode if len(found) == 1 else 0


def _is_host(host: str, connection: _Connection, server_port: Optional[int]) -> bool:
    try:
        return str(_unmapped(ipaddress.ip_address(host))) == connection.host
    except ValueError:
        # A server that resolves names: only a name of this machine, and never by asking the net.
        return host in _NAMES and connection.remote_port == server_port


def _connections() -> Iterator[_Connection]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in _read(table).splitlines()[1:]:
            fields = line.split()
            if len(fields) > 9 and fields[3] in _OPEN:
                (host, port), (_, remote) = _address(fields[1]), _address(fields[2])
                yield _Connection(host, port, remote, int(fields[9]))


def _address(text: str) -> Tuple[str, int]:
    host, port = text.split(":")
    packed = bytes.fromhex(host)
    if sys.byteorder == "little":  # words of four bytes, each in the machine's order
        packed = b"".join(packed[start:start + 4][::-1] for start in range(0, len(packed), 4))
    return str(_unmapped(ipaddress.ip_address(packed))), int(port, 16)


def _unmapped(address: object) -> object:
    return getattr(address, "ipv4_mapped", None) or address


def _unix_inode(session: Session, peers: Dict[int, int]) -> int:
    """Return the inode of the client's end, if the session's id is a process that holds the
    other."""
    # PostgreSQL has a process for each session, MySQL a thread: there it is not known.
    if not _read("/proc/%d/cmdline" % session.id).startswith("postgres:"):
        return 0
    found = {peers[inode] for inode in _sockets_of(str(session.id)) if peers.get(inode)}
    return found.pop() if len(found) == 1 else 0


def _unix_peers() -> Dict[int, int]:
    """Ask the kernel (sock_diag) for the pairs of connected Unix sockets: inode to inode."""
    header = struct.pack("=IHHII", 40, 20, 0x301, 1, 0)  # SOCK_DIAG_BY_FAMILY, a dump
    request = struct.pack("=BBHIIIII", socket.AF_UNIX, 0, 0, 0xFFFFFFFF, 0, 4, 0, 0)  # with peers
    peers: Dict[int, int] = {}
    try:
        with _socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as kernel:
            kernel.settimeout(1)
            kernel.send(header + request)
            while _take_peers(kernel.recv(65536), peers):
                pass
    except (OSError, AttributeError, struct.error):  # not allowed here, or no such kernel
        pass
    return peers


def _take_peers(answer: bytes, peers: Dict[int, int]) -> bool:
    """Add the pairs of one answer; return False when it was the last."""
    place = 0
    while place + 16 <= len(answer):
        length, kind = struct.unpack_from("=IH", answer, place)
        if kind in (2, 3) or length < 16:  # error, done
            return False
        inode = struct.unpack_from("=I", answer, place + 20)[0]
        attribute, end = place + 32, place + length
        while attribute + 4 <= end:
            size, what = struct.unpack_from("=HH", answer, attribute)
            if what == 2 and size == 8:
                peers[inode] = struct.unpack_from("=I", answer, attribute + 4)[0]
            attribute += max((size + 3) & ~3, 4)
        place += (length + 3) & ~3
    return bool(answer)


def _owners(inodes: Set[int]) -> Dict[int, List[int]]:
    """Return the pids that hold each of the socket `inodes`."""
    owners: Dict[int, List[int]] = {}
    if inodes:
        for pid in filter(str.isdigit, _listdir("/proc")):
            for inode in inodes & set(_sockets_of(pid)):
                owners.setdefault(inode, []).append(int(pid))
    return owners


def _sockets_of(pid: str) -> Iterator[int]:
    folder = "/proc/%s/fd" % pid
    try:
        numbers = _listdir(folder)
    except OSError:  # gone, or another user's
        return
    for number in numbers:
        try:
            target = _readlink("%s/%s" % (folder, number))
        except OSError:
            continue
        if target.startswith("socket:["):
            yield int(target[8:-1])


def _born(pid: int) -> Tuple[int, int]:
    fields = _read("/proc/%d/stat" % pid).rpartition(")")[2].split()
    return (int(fields[19]) if len(fields) > 19 else sys.maxsize, pid)


def _read(path: str) -> str:
    try:
        with _open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
