"""NAL units in byte streams (Annex B of H.264 and H.265)."""

import pytest

from trio_rtc.protocols.rtp.payload._nal import split_annex_b


@pytest.mark.parametrize(
    ("data", "units"),
    [
        ("000001 4199", ["4199"]),
        ("00000001 4199 000001 4198", ["4199", "4198"]),
        ("00000001 4199 0000000001 4198 0000", ["4199", "4198"]),
        ("000001 000001 4198", ["4198"]),
    ],
)
def test_byte_streams(data: str, units: list[str]) -> None:
    assert split_annex_b(bytes.fromhex(data)) == [bytes.fromhex(unit) for unit in units]


@pytest.mark.parametrize("data", ["", "0000", "000001", "4199", "99 000001 4199", "00000003 6742c00c"])
def test_malformed_byte_streams(data: str) -> None:
    with pytest.raises(ValueError, match=r"frame"):
        split_annex_b(bytes.fromhex(data))
