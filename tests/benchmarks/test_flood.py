"""Datagrams of the flood: well-formed, and refused because they do not authenticate."""

import itertools
import random
import socket
import struct

from benchmarks.flood import _with_headers, forged_datagrams
from trio_rtc.protocols.stun import Message


def test_every_kind_is_sent_in_its_turn() -> None:
    datagrams = list(itertools.islice(forged_datagrams(random.Random(1)), 10))
    assert [each[0] for each in datagrams[:4]] == [0, 23, 0x80, 0x81]
    assert [len(each) for each in datagrams[:5]] == [len(each) for each in datagrams[5:]]
    request = Message.parse(datagrams[0])
    assert request.transaction_id == datagrams[0][8:20]


def test_headers_name_the_peer_as_the_source() -> None:
    packet = _with_headers(b"data", ("10.0.0.1", 1000), ("10.0.0.2", 2000))
    assert (socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])) == ("10.0.0.1", "10.0.0.2")
    assert struct.unpack("!BBH", packet[:4]) == (0x45, 0, 32)
    assert struct.unpack("!HHHH", packet[20:28]) == (1000, 2000, 12, 0)
    assert packet[28:] == b"data"
