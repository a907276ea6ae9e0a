"""The built module with a trap in one callback, and a client that springs it.

Nothing in the product fails on demand. So the module is rewritten: the function that it exports as
`proxy_on_request_trailers` becomes `unreachable`. A request with trailers then traps the VM of the worker that has it.
"""

import socket
import struct

CALLBACK = "proxy_on_request_trailers"
EXPORT, IMPORT, CODE = 7, 2, 10
# No locals, `unreachable`, `end` (https://webassembly.github.io/spec/core/binary/, 2026-11-21).
TRAP = bytes([0, 0x00, 0x0B])


def number(data, at):
    """An unsigned LEB128 number and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at, value, shift = at + 1, value | (byte & 0x7F) << shift, shift + 7
        if byte < 0x80:
            return value, at


def written(value):
    out = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def sections(module):
    """(id, bytes) of each section."""
    assert module[:8] == b"\0asm\1\0\0\0", "not a WebAssembly module"
    at, found = 8, []
    while at < len(module):
        kind = module[at]
        size, at = number(module, at + 1)
        found.append((kind, module[at : at + size]))
        at += size
    return found


def name(data, at):
    size, at = number(data, at)
    return data[at : at + size].decode(), at + size


def imported_functions(section):
    count, at = number(section, 0)
    functions = 0
    for _ in range(count):
        for _ in range(2):
            _, at = name(section, at)
        kind, at = section[at], at + 1
        assert kind == 0, "the module imports functions only"
        _, at = number(section, at)
        functions += 1
    return functions


def exported_function(section, wanted):
    count, at = number(section, 0)
    for _ in range(count):
        found, at = name(section, at)
        kind, at = section[at], at + 1
        index, at = number(section, at)
        if kind == 0 and found == wanted:
            return index
    raise AssertionError(f"the module does not export {wanted}")


def trapping(module, callback=CALLBACK):
    """The module whose `callback` traps."""
    parts = sections(module)
    by_kind = dict(parts)
    place = exported_function(by_kind[EXPORT], callback) - imported_functions(by_kind[IMPORT])

    def code(section):
        count, at = number(section, 0)
        bodies = []
        for index in range(count):
            size, at = number(section, at)
            bodies.append(TRAP if index == place else section[at : at + size])
            at += size
        return written(count) + b"".join(written(len(body)) + body for body in bodies)

    out = bytearray(module[:8])
    for kind, section in parts:
        section = code(section) if kind == CODE else section
        out += bytes([kind]) + written(len(section)) + section
    return bytes(out)


# --- HTTP/2 in the clear, as far as a request with trailers needs it (RFC 9113, RFC 7541)

DATA, HEADERS, SETTINGS = 0, 1, 4
END_STREAM, END_HEADERS = 1, 4


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def header_block(fields):
    """Literal fields, no table and no Huffman code."""
    text = lambda value: bytes([len(value)]) + value.encode()  # noqa: E731
    return b"".join(b"\0" + text(key) + text(value) for key, value in fields)


def send_trailers(port, key, body=b'{"model":"m"'):
    """A request that ends in trailers. Gives once anything comes back, or the connection ends."""
    head = {":method": "POST", ":scheme": "http", ":authority": "localhost", ":path": "/v1/chat/completions"}
    head |= {"content-type": "application/json", "authorization": f"Bearer {key}"}
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        client.sendall(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + frame(SETTINGS, 0, 0)
            + frame(HEADERS, END_HEADERS, 1, header_block(head.items()))
            + frame(DATA, 0, 1, body)
            + frame(HEADERS, END_HEADERS | END_STREAM, 1, header_block([("x-end", "1")]))
        )
        answer = b""
        while not any(kind == HEADERS for kind in kinds(answer)):
            piece = client.recv(65536)
            if not piece:
                return
            answer += piece


def kinds(frames):
    """The kinds of the frames that came, as far as they came."""
    while len(frames) >= 9:
        yield frames[3]
        frames = frames[9 + int.from_bytes(frames[:3]) :]
