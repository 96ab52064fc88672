"""Kinds: sockets, servers, protocol clients, selectors and logging handlers."""
from __future__ import absolute_import

import sys

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import class_of, mro, name_of, on_type, own_attribute
from unittest_leakfix._core.waiting import within
from unittest_leakfix.resources.kind import Kind, method, open_by_flags, short_text

try:
    from _thread import get_ident as _get_ident
except ImportError:  # Python 2.7
    from thread import get_ident as _get_ident

__unittest = True
bind(globals())

_frames = sys._current_frames if hasattr(sys, "_current_frames") else dict


def socket_open(value):
    """True when the socket still has a descriptor."""
    try:
        return value.fileno() != -1
    except EnvironmentError:  # Python 2.7: a closed socket raises EBADF
        return False


def _address(look_up):
    try:
        found = look_up()
    except Exception:
        return ""
    if type(found) is tuple:
        if found[1:2] == (0,):  # not bound yet
            return ""
        return "(%s)" % ", ".join(
            str(part) if isinstance(part, int) else repr(short_text(part)) for part in found[:2])
    return short_text(found)


def _socket_text(value):
    secure = any(name_of(base)[0] == "ssl" for base in mro(class_of(value)))
    here, there = _address(value.getsockname), _address(value.getpeername)
    words = ["ssl socket" if secure else "socket", here]
    if there:
        words += ["to", there]
    return " ".join(word for word in words if word)


def _held_socket_open(value):
    """Openness of a client that keeps its socket as ``sock``."""
    held = own_attribute(value, "sock")
    return bool(held) and socket_open(held)


def _client_text(noun):
    def describe(value):
        host, port = short_text(own_attribute(value, "host")), own_attribute(value, "port")
        if not host:
            return noun
        return "%s to %s" % (noun, host) + (":%d" % port if type(port) is int else "")
    return describe


def _client(noun, close):
    return Kind(noun, close, _held_socket_open, _client_text(noun))


def _pop3_close(value):
    if hasattr(value, "close"):
        return value.close()
    # Python 2.7: POP3 can only quit, which talks to the server and waits.
    value.file.close()
    value.sock.close()


def _imap_open(value):
    process = own_attribute(value, "process")  # IMAP4_stream talks to a child
    if process is not None:
        return process.returncode is None
    return _held_socket_open(value)


def _serving(server):
    """The id of the thread that is inside ``server.serve_forever()``, or None."""
    for thread, frame in _frames().items():
        while frame is not None:
            if frame.f_code.co_name == "serve_forever" \
                    and frame.f_locals.get("self") is server:
                return thread
            frame = frame.f_back
    return None


def _server_close(server):
    # shutdown() waits for ever when no thread serves, and in the serving thread.
    serving = _serving(server)
    if serving == _get_ident():
        server._BaseServer__shutdown_request = True
    elif serving is not None:
        within(server.shutdown, _server_text(server))
    # Python 3.7: ThreadingMixIn's server_close() joins its request threads.
    within(server.server_close, _server_text(server))


def _server_open(server):
    held = own_attribute(server, "socket")
    return None if held is None else socket_open(held)


def _server_text(server):
    address = own_attribute(server, "server_address")
    return ("server %s" % _address(lambda: address)).strip()


def _selector_open(value):
    return own_attribute(value, "_map", own_attribute(value, "_fd_to_key")) is not None


def _response_open(value):
    # A body read to its end gives the connection back: fp is None, though
    # IOBase.closed is still False.
    return own_attribute(value, "fp") is not None


def _handler_open(value):
    for name in ("stream", "sock", "socket"):
        held = own_attribute(value, name)
        if held is not None:
            return socket_open(held) if name != "stream" else open_by_flags(held)
    if own_attribute(value, "stream", value) is None or own_attribute(value, "sock", value) is None:
        return False  # nothing opened yet (delay=True), or closed
    # One without a close() of its own has nothing to close: logging knows it weakly.
    closes = [on_type(each, "close") for each in mro(class_of(value))
              if (each.__module__, name_of(each)[1]) == ("logging", "Handler")]
    if closes and on_type(class_of(value), "close") is closes[0]:
        return False
    return open_by_flags(value, ("_closed",))


def _handler_text(value):
    name = short_text(own_attribute(value, "baseFilename"))
    return "logging %s%s" % (name_of(class_of(value))[1], " " + name if name else "")


def _syslog_close(value):
    try:
        value.close()
    finally:
        held = own_attribute(value, "socket")
        if held is not None:  # Python 2.7 closes a unix socket only
            held.close()


_SOCKET = Kind("socket", method("close"), socket_open, _socket_text)
_SERVER = Kind("server", _server_close, _server_open, _server_text)
_HTTP = _client("http connection", method("close"))
_RESPONSE = Kind("http response", method("close"), _response_open)

#: (module, class) -> Kind, or None for what is not a resource.
KINDS = {
    ("socket", "socket"): _SOCKET,
    ("_socket", "socket"): _SOCKET,
    ("socket", "_socketobject"): _SOCKET,  # Python 2.7
    ("socketserver", "BaseServer"): _SERVER,
    ("SocketServer", "BaseServer"): _SERVER,  # Python 2.7
    ("smtplib", "SMTP"): _client("smtp connection", method("close")),
    ("ftplib", "FTP"): _client("ftp connection", method("close")),
    ("telnetlib", "Telnet"): _client("telnet connection", method("close")),
    ("poplib", "POP3"): _client("pop3 connection", _pop3_close),
    # IMAP4.close() closes a mailbox; shutdown() the connection.
    ("imaplib", "IMAP4"): Kind("imap connection", method("shutdown"), _imap_open,
                               _client_text("imap connection")),
    ("http.client", "HTTPConnection"): _HTTP,
    ("httplib", "HTTPConnection"): _HTTP,  # Python 2.7
    ("http.client", "HTTPResponse"): _RESPONSE,
    ("httplib", "HTTPResponse"): _RESPONSE,  # Python 2.7
    ("selectors", "BaseSelector"): Kind("selector", method("close"), _selector_open),
    ("select", "epoll"): Kind("selector", method("close")),
    ("select", "kqueue"): Kind("selector", method("close")),
    ("select", "devpoll"): Kind("selector", method("close")),
    ("logging", "Handler"): Kind("logging handler", method("close"), _handler_open,
                                 _handler_text),
    # Its stream was given to it: nothing of its own to give back.
    ("logging", "StreamHandler"): None,
    ("logging", "FileHandler"): Kind("logging handler", method("close"), _handler_open,
                                     _handler_text),
    ("logging", "NullHandler"): None,
    ("logging.handlers", "SysLogHandler"): Kind(
        "logging handler", _syslog_close, _handler_open, _handler_text),
}
