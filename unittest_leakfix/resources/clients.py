"""Clients of servers other than databases: HTTP, queues, search, gRPC, SSH, browsers; then
figures, data files, messages and widgets.

`client_table` says what a row is; `KINDS` are all of them.
"""
from __future__ import absolute_import

import os
import sys

from unittest_leakfix._core.early import bind
from unittest_leakfix._core.introspection import own_attribute
from unittest_leakfix._core.waiting import within
from unittest_leakfix.resources import client_table, database_clients
from unittest_leakfix.resources.client_table import (
    address_text,
    as_text,
    by_flag,
    by_sockets,
    client,
    has_socket,
    path_of,
    url_at,
    url_text,
)
from unittest_leakfix.resources.kind import short_text

__unittest = True
bind(globals())

_abspath = os.path.abspath

#: (module, class) -> Kind: those of databases, and those that are added below.
KINDS = database_clients.KINDS
MADE, NOUNS, OPENERS = client_table.MADE, client_table.NOUNS, client_table.OPENERS


# -- search engines and queues

def _search_open(value):
    return has_socket(own_attribute(value, "_transport") or own_attribute(value, "transport"))


def _search_parts(value):
    transport = own_attribute(value, "_transport") or own_attribute(value, "transport")
    return [own_attribute(transport, each) for each in ("node_pool", "connection_pool")]


client("search client", "elasticsearch.Elasticsearch elasticsearch.client.Elasticsearch"
       " opensearchpy.client.OpenSearch", _search_open,
       made_by="OpenSearch", parts=_search_parts)
client("search client", "elasticsearch.AsyncElasticsearch"
       " opensearchpy._async.client.AsyncOpenSearch", _search_open, parts=_search_parts)
client("RabbitMQ connection", "pika.adapters.blocking_connection.BlockingConnection",
       by_flag("is_open", True), leak="connection", awaits=False)
client("Kafka client", "kafka.producer.kafka.KafkaProducer kafka.consumer.group.KafkaConsumer"
       " kafka.admin.client.KafkaAdminClient", by_flag("_closed", False),
       lambda value: ",".join([short_text(each) for each in _servers(value)]), awaits=False)
client("Kafka client", "cimpl.Consumer cimpl.Producer", lambda value: None)


def _servers(value):
    listed = own_attribute(value, "config", {}).get("bootstrap_servers", ())
    return [listed] if isinstance(listed, str) else sorted(listed)


# -- HTTP and other protocols

def _httpx_open(value):
    transports = [own_attribute(value, "_transport")]
    transports += list((own_attribute(value, "_mounts") or {}).values())
    pools = [own_attribute(each, "_pool") for each in transports if each is not None]
    return not value.is_closed and any(
        not each.is_closed() for pool in pools if pool is not None
        for each in list(own_attribute(pool, "_connections", ())))


def _boto_manager(value):
    return has_socket(path_of(value, "_endpoint.http_session._manager"))


def _grpc_open(value):
    # Its C object says nothing else without a crash once it is closed.
    try:
        value._channel.check_connectivity_state(False)
    except ValueError:
        return False
    return True


def _ssh_place(value):
    transport = own_attribute(value, "_transport") or value
    peer = transport.getpeername()
    return address_text(peer[0], peer[1]) if type(peer) is tuple else ""


def _ssh_open(value):
    transport = own_attribute(value, "_transport")
    return transport is not None and bool(transport.active)


def _websocket_place(value):
    address = value.remote_address
    return address_text(address[0], address[1]) if type(address) is tuple else ""


client("aiohttp session", "aiohttp.client.ClientSession", by_flag("closed", False),
       url_at("_base_url"), parts=lambda value: [own_attribute(value, "_connector")])
client("aiohttp connector", "aiohttp.connector.BaseConnector", by_flag("_closed", False),
       awaits=True, made_by="TCPConnector UnixConnector")
client("httpx client", "httpx.Client httpx._client.Client", _httpx_open,
       url_at("_base_url"), awaits=False)
client("httpx client", "httpx.AsyncClient httpx._client.AsyncClient", _httpx_open,
       url_at("_base_url"), close="aclose")
client("requests session", "requests.sessions.Session", by_sockets("adapters"), awaits=False)
client("urllib3 pool", "urllib3.poolmanager.PoolManager", by_sockets("pools"), close="clear",
       awaits=False)
client("urllib3 pool", "urllib3.connectionpool.HTTPConnectionPool", by_sockets("pool"),
       lambda value: address_text(value.host, value.port), awaits=False)
client("AWS client", "botocore.client.BaseClient", _boto_manager,
       lambda value: url_text(value._endpoint.host), made_by="client create_client", awaits=False)
client("gRPC channel", "grpc._channel.Channel", _grpc_open,
       lambda value: url_text(as_text(value._target)), made_by="insecure_channel secure_channel",
       awaits=False)
client("gRPC channel", "grpc.aio._channel.Channel", lambda value: not value._channel.closed(),
       made_by="insecure_channel secure_channel")
client("SSH client", "paramiko.client.SSHClient", _ssh_open, _ssh_place, awaits=False)
client("SSH transport", "paramiko.transport.Transport", by_flag("active", True), _ssh_place,
       awaits=False)
client("websocket", "websockets.sync.connection.Connection",
       lambda value: value.socket.fileno() != -1, _websocket_place, leak="connection",
       made_by="connect", awaits=False)
client("websocket", "websockets.asyncio.connection.Connection"
       " websockets.legacy.protocol.WebSocketCommonProtocol",
       lambda value: not value.transport.is_closing(), _websocket_place, leak="connection",
       made_by="connect")
client("websocket", "websocket._core.WebSocket", by_flag("connected", True), leak="connection",
       made_by="create_connection", awaits=False)
client("browser", "selenium.webdriver.remote.webdriver.WebDriver",
       lambda value: value.session_id is not None, close="quit",
       made_by="Chrome Firefox Edge Safari Remote")
client("browser", "playwright.sync_api._generated.Browser playwright.async_api._generated.Browser",
       lambda value: value.is_connected(), made_by="launch")


# -- figures, data files, messages, widgets

def _figure_parts(value):
    managers = sys.modules["matplotlib._pylab_helpers"].Gcf.figs
    return [part for each in list(managers.values()) if each.canvas.figure is value
            for part in (each, each.canvas)]


def _figure_close(value):
    sys.modules["matplotlib.pyplot"].close(value)


def _file_name(path):
    return lambda value: short_text(as_text(getattr(value, path)), 100)


def _file_parts(path):
    name = _file_name(path)
    return lambda value: [_abspath(name(value))]


def _zmq_context_close(value):
    # term() waits for what is still to be sent.
    within(lambda: value.destroy(linger=0), "zmq context")


def _zmq_close(value):
    value.close(linger=0)


def _zmq_place(value):
    return as_text(value.last_endpoint).rstrip("\0")


def _zmq_parts(value):
    return [_zmq_place(value).rpartition("/")[2]]


client("pyplot figure", "matplotlib.figure.Figure", lambda value: bool(_figure_parts(value)),
       close=_figure_close, ends=("matplotlib.pyplot.close",), parts=_figure_parts, leak="figure",
       made_by="figure subplots", awaits=False)
client("HDF5 file", "h5py._hl.files.File", lambda value: bool(value), _file_name("filename"),
       leak="file", awaits=False, parts=_file_parts("filename"))
client("HDF5 file", "tables.file.File", by_flag("isopen", True), _file_name("filename"),
       leak="file", made_by="open_file", awaits=False, parts=_file_parts("filename"))
client("HDF5 store", "pandas.io.pytables.HDFStore", by_flag("is_open", True), _file_name("_path"),
       leak="file", awaits=False, parts=_file_parts("_path"))
client("zmq context", "zmq.sugar.context.Context", by_flag("closed", False),
       close=_zmq_context_close, ends=("destroy",), awaits=False)
client("zmq socket", "zmq.sugar.socket.Socket", by_flag("closed", False), _zmq_place,
       close=_zmq_close, ends=("close",), parts=_zmq_parts, made_by="socket", awaits=False)
for _qt in ("PySide6", "PyQt6", "PySide2", "PyQt5"):
    client("Qt timer", _qt + ".QtCore.QTimer", lambda value: value.isActive(), close="stop",
           leak="widget", awaits=False)
    client("Qt widget", _qt + ".QtWidgets.QWidget", lambda value: value.isVisible(),
           leak="widget", awaits=False)
