"""Valid and invalid bytes of WebSockets: opening handshakes with one hostile field, and frames with any header."""

import struct

import attrs
from hypothesis import strategies as st

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
HANDSHAKE_FIELDS: tuple[tuple[bytes, bytes], ...] = (
    (b"Host", b"signaling.example"),
    (b"Upgrade", b"websocket"),
    (b"Connection", b"Upgrade"),
    (b"Sec-WebSocket-Key", KEY),
    (b"Sec-WebSocket-Version", b"13"),
)
HOSTILE_VALUES = (
    *(
        b"",
        b" ",
        b"\t",
        b"\xff",
        b"\x80\x81",
        b"\x00",
        b"\x7f",
        b",",
        b",,,",
        b";",
        b"=",
        b'"',
        b'"\\',
        b"%00",
        b"%zz",
    ),
    *(
        b"http://[",
        b"http://[::1",
        b"http://[::g]/",
        b"//",
        b"http://a@b",
        b"http://x:99999",
        b"http://x:port",
        b"null",
    ),
    *(b"[", b"[::1", b"x:y", b"x:-1", b"\xe2\x98\x83.example", b"xn--", b"a" * 64 + b".example", b".." * 50),
    *(b"websocket, websocket", b"h2c", b"\xff, Upgrade", b"Upgrade, \xff", b"keep-alive, Upgrade", b"close"),
    *(b"12", b"13, 13", b"-1", b"1" * 5000, b"13" + b" " * 3000, b"=" * 24, KEY * 100, b"AAAA", b"\x85"),
    *(b"1", b"chunked", b"gzip, chunked", b"100-continue", b"10, 20", b"bytes=0-"),
    *(b"permessage-deflate", b"permessage-deflate; client_max_window_bits=99", b"permessage-deflate; a"),
    *(b"permessage-deflate; server_max_window_bits=\xff", b"permessage-deflate; client_max_window_bits=1e3"),
    *(b'permessage-deflate; x="a,b"', b"permessage-deflate, permessage-deflate", b"x-webkit-deflate-frame"),
    *(
        b"folded\r\n and on",
        b"folded\r\n\t\xff",
        b"split\r\nX: y",
        b"lone\nline",
        b"lone\rline",
        b"x" * 16_000,
    ),
)
HOSTILE_NAMES = (
    *(
        b"Origin",
        b"Sec-WebSocket-Protocol",
        b"Sec-WebSocket-Extensions",
        b"Content-Length",
        b"Transfer-Encoding",
    ),
    *(b"Expect", b"Cookie", b"Sec-WebSocket-Accept", b"Authorization", b"Forwarded", b"Range"),
    *(b"", b" ", b"\xff", b"A b", b"Host ", b"x" * 5000, b"HOST", b"connection", b":authority"),
)


def head(first_line: bytes, fields: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """Return the head of an HTTP message."""
    return b"\r\n".join([first_line, *(name + b": " + value for name, value in fields), b"", b""])


def handshake(*fields: tuple[bytes, bytes], target: bytes = b"/?room=r") -> bytes:
    """Return an opening handshake; fields replace those of the same name or are added."""
    names = {name.lower() for name, _ in fields}
    kept = tuple(field for field in HANDSHAKE_FIELDS if field[0].lower() not in names)
    return head(b"GET " + target + b" HTTP/1.1", kept + fields)


def hostile_values() -> st.SearchStrategy[bytes]:
    return (
        st.sampled_from(HOSTILE_VALUES)
        | st.binary(max_size=40)
        | st.binary(max_size=3).map(lambda it: it * 200)
    )


@st.composite
def hostile_heads(draw: st.DrawFn, first_line: bytes, fields: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """Return a head with one field replaced, repeated, removed, renamed or added."""
    value = draw(hostile_values())
    number = draw(st.integers(0, len(fields) - 1))
    name, old = fields[number]
    before, after = fields[:number], fields[number + 1 :]
    changed: tuple[tuple[bytes, bytes], ...] = draw(
        st.sampled_from(
            [
                (*before, (name, value), *after),
                (*before, (name, old + b", " + value), *after),
                (*before, (name, value + b", " + old), *after),
                (*fields, (name, value)),
                (*before, *after),
                (*fields, (draw(st.sampled_from(HOSTILE_NAMES) | st.binary(max_size=20)), value)),
                (*fields, *(((name, value),) * 150)),
            ]
        )
    )
    return head(first_line, changed)


@attrs.frozen
class Frame:
    """A frame of RFC 6455 section 5.2, whose header may be invalid."""

    opcode: int
    payload: bytes = b""
    fin: bool = True
    rsv: int = 0
    mask: bytes | None = b"\x01\x02\x03\x04"
    length_size: int | None = None
    announced: int | None = None

    def encode(self) -> bytes:
        length = len(self.payload) if self.announced is None else self.announced
        size = self.length_size
        if size is None:
            size = 0 if length < 126 else 2 if length < 65_536 else 8
        short = {0: min(length, 125), 2: 126, 8: 127}[size]
        header = bytes([self.fin << 7 | self.rsv << 4 | self.opcode, (self.mask is not None) << 7 | short])
        if size:
            header += struct.pack("!H" if size == 2 else "!Q", length % (1 << (8 * size)))
        if self.mask is None:
            return header + self.payload
        masked = bytes(byte ^ self.mask[index % 4] for index, byte in enumerate(self.payload))
        return header + self.mask + masked


def payloads() -> st.SearchStrategy[bytes]:
    return (
        st.sampled_from(
            [
                b"",
                b'{"data":{}}',
                b"\xff",
                b"\xe2\x98",
                b"\xed\xa0\x80",
                b"\x03",
                b"\x03\xe8",
                b"\x03\xedx",
                b"\x13\x88",
            ]
        )
        | st.integers(0, 65_535).map(lambda code: struct.pack("!H", code))
        | st.binary(max_size=130)
    )


def frames() -> st.SearchStrategy[bytes]:
    return st.builds(
        Frame,
        st.integers(0, 15) | st.sampled_from([0, 1, 8, 9, 10]),
        payloads(),
        fin=st.booleans(),
        rsv=st.just(0) | st.integers(0, 7),
        mask=st.just(b"\x01\x02\x03\x04") | st.just(b"\0\0\0\0") | st.none(),
        length_size=st.none() | st.sampled_from([0, 2, 8]),
        announced=st.none()
        | st.sampled_from([0, 1, 125, 126, 65_535, 65_536, 1 << 31, (1 << 63) - 1, 1 << 63]),
    ).map(Frame.encode)


def parse_frames(data: bytes) -> list[tuple[int, bytes]]:
    """Parse a server's frames: opcodes and payloads."""
    found = []
    while data:
        short = data[1]
        assert not short & 0x80, "a server must not mask"
        start, length = 2, short
        if short == 126:
            start, length = 4, struct.unpack_from("!H", data, 2)[0]
        elif short == 127:
            start, length = 10, struct.unpack_from("!Q", data, 2)[0]
        found.append((data[0], data[start : start + length]))
        data = data[start + length :]
    return found
