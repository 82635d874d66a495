"""moto's S3 and CloudWatch on a port.

One request to a bucket at a time: it looks and writes in two steps, where S3 does so in one. Requests to CloudWatch in CBOR,
as SDKs send them, are put as moto has them, in its query protocol; what breaks a limit of the service, none of which moto
knows, is refused.
"""

import gzip
import io
import struct
import sys
import threading
from urllib.parse import urlencode

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import run_simple

moto = DomainDispatcherApplication(create_backend_app)
turn = threading.Lock()


def one_at_a_time(environ, start_response):
    # Read first, so that a slow client keeps nobody waiting.
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length)
    if environ.pop("HTTP_SMITHY_PROTOCOL", "") == "rpc-v2-cbor":
        return in_cbor(environ, start_response, body)
    environ["wsgi.input"] = io.BytesIO(body)
    with turn:
        return list(moto(environ, start_response))


def in_cbor(environ, start_response, body):
    if environ.pop("HTTP_CONTENT_ENCODING", "") == "gzip":
        body = gzip.decompress(body)
    request = value(io.BytesIO(body))
    broken = broken_limit(body, request)
    status = "400 Bad Request" if broken else "200 OK"
    if not broken:
        operation = environ["PATH_INFO"].rsplit("/", 1)[1]
        form = {"Action": operation, "Version": "2010-08-01"} | dict(flat("", request))
        query = urlencode(form).encode()
        environ |= {
            "PATH_INFO": "/",
            "REQUEST_URI": "/",
            "RAW_URI": "/",
            "CONTENT_TYPE": "application/x-www-form-urlencoded",
            "CONTENT_LENGTH": str(len(query)),
            "wsgi.input": io.BytesIO(query),
        }
        statuses = []
        with turn:
            answer = b"".join(moto(environ, lambda status, *_: statuses.append(status)))
        status = statuses[0]
        broken = "" if status.startswith("200") else answer.decode()
    headers = [("smithy-protocol", "rpc-v2-cbor"), ("content-type", "application/cbor")]
    start_response(status, headers)
    text = lambda text: b"\x79" + struct.pack(">H", len(text.encode())) + text.encode()
    refusal = {"__type": "InvalidParameterValue", "message": broken}
    pairs = b"".join(text(name) + text(said) for name, said in refusal.items())
    return [b"\xa2" + pairs if broken else b"\xa0"]


def broken_limit(body, request):
    """Which limit of PutMetricData is broken, if any."""
    data = request.get("MetricData", [])
    if len(body) > 1_000_000 or not 1 <= len(data) <= 1000:
        return f"{len(body)} bytes, {len(data)} metrics"
    for metric in data:
        values, counts = metric.get("Values", []), metric.get("Counts", [])
        dimensions = metric.get("Dimensions", [])
        if len(values) > 150 or len(values) != len(counts) or len(dimensions) > 30:
            return f"{metric['MetricName']}: {len(values)} values, {len(dimensions)} dimensions"
        if ("Value" in metric) == bool(values) or not all(d["Value"].isascii() for d in dimensions):
            return f"{metric['MetricName']} has both kinds of values, or none, or no ASCII"
    return ""


def flat(name, value):
    """Names and values as the query protocol has them."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flat(f"{name}.{key}" if name else key, inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value, 1):
            yield from flat(f"{name}.member.{number}", inner)
    else:
        yield name, value


END = object()


def value(stream):
    """The next value in CBOR."""
    kind, more = divmod(stream.read(1)[0], 32)
    if kind == 7:
        floats = {25: (2, ">e"), 26: (4, ">f"), 27: (8, ">d")}
        if more in floats:
            length, format = floats[more]
            return struct.unpack(format, stream.read(length))[0]
        return {20: False, 21: True, 31: END}.get(more)
    size = more
    if 24 <= more <= 27:
        size = int.from_bytes(stream.read(1 << (more - 24)), "big")
    count = iter(int, 1) if more == 31 else range(size)
    if kind == 4:
        return [item for item in until_end(stream, count)]
    if kind == 5:
        return {key: value(stream) for key in until_end(stream, count)}
    if kind == 6:
        return value(stream)
    return [lambda: size, lambda: -1 - size, lambda: stream.read(size), lambda: stream.read(size).decode()][kind]()


def until_end(stream, count):
    for _ in count:
        item = value(stream)
        if item is END:
            return
        yield item


run_simple(
    "127.0.0.1",
    int(sys.argv[1]),
    one_at_a_time,
    threaded=True,
    request_handler=MotoRequestHandler,
)
