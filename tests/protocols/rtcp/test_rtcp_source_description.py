"""Source descriptions, BYE and application-defined packets: encoded bytes and items."""

import pytest

from trio_rtc.protocols.rtcp import (
    ApplicationDefined,
    Bye,
    ItemType,
    RtcpPacket,
    SourceDescription,
    SourceDescriptionChunk,
    encode,
    parse,
)

VECTORS = [
    # Items that end at a 32-bit boundary are still terminated by a zero.
    (SourceDescription((SourceDescriptionChunk(1, ((1, b"ab"),)),)), "81ca0003 00000001 01026162 00000000"),
    (
        SourceDescription(
            (
                SourceDescriptionChunk(1, ((ItemType.CNAME, b"a"), (ItemType.MID, b"0"))),
                SourceDescriptionChunk(2),
            )
        ),
        "82ca0005 00000001 0101610f 01300000 00000002 00000000",
    ),
    (SourceDescription(), "80ca0000"),
    (Bye((1, 2)), "82cb0002 00000001 00000002"),
    (Bye((1,), b"bye"), "81cb0002 00000001 03627965"),
    (Bye((1,), b"over"), "81cb0003 00000001 046f7665 72000000"),
    (Bye(()), "80cb0000"),
    (ApplicationDefined(5, 1, b"trio", b"data"), "85cc0003 00000001 7472696f 64617461"),
]


@pytest.mark.parametrize(("packet", "data"), VECTORS)
def test_encoded_bytes(packet: RtcpPacket, data: str) -> None:
    assert encode([packet]) == bytes.fromhex(data)
    assert parse(bytes.fromhex(data)) == [packet]


def test_items_are_looked_up_by_type() -> None:
    chunk = SourceDescriptionChunk(1, ((ItemType.CNAME, "né".encode()), (ItemType.MID, b"\xff")))
    assert chunk.cname == "né"
    assert chunk.item(ItemType.MID) is None
    assert chunk.item(ItemType.NOTE) is None
