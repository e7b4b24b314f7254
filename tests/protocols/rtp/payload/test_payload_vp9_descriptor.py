"""The VP9 descriptor of RFC 9628 section 4.2, bit by bit."""

import pytest

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.rtp.payload.vp9_descriptor import GroupPicture, ScalabilityStructure, Vp9Descriptor

VECTORS = {
    # B and E.
    "0c": Vp9Descriptor(starts_layer_frame=True, ends_layer_frame=True),
    # I, P; seven bits of picture ID.
    "c0 11": Vp9Descriptor(True, picture_id=17, picture_id_bits=7),
    # I, B; fifteen bits of picture ID.
    "88 92 67": Vp9Descriptor(starts_layer_frame=True, picture_id=4711, picture_id_bits=15),
    # I, P, L, E, Z, non-flexible: TID=1, U, SID=2, D; TL0PICIDX.
    "e5 80 01 35 fe": Vp9Descriptor(
        True,
        ends_layer_frame=True,
        not_reference_for_upper=True,
        picture_id=1,
        picture_id_bits=15,
        temporal_id=1,
        switching_up_point=True,
        spatial_id=2,
        inter_layer_dependent=True,
        tl0_picture_index=254,
    ),
    # I, P, L, F: TID=0, SID=1; references 1 (N) and 5.
    "f0 01 02 03 0a": Vp9Descriptor(
        True, True, picture_id=1, picture_id_bits=7, temporal_id=0, spatial_id=1, references=(1, 5)
    ),
    # F without P has no references.
    "10": Vp9Descriptor(flexible=True),
    # V, B: one spatial layer, no size, no group.
    "0a 00": Vp9Descriptor(starts_layer_frame=True, structure=ScalabilityStructure()),
    # V, B: N_S=1, Y, G: 320x180, 640x360; N_G=2: TID=0 with reference 2, TID=1 with U and reference 1.
    "0a 38 0140 00b4 0280 0168 02 04 02 34 01": Vp9Descriptor(
        starts_layer_frame=True,
        structure=ScalabilityStructure(
            2, ((320, 180), (640, 360)), (GroupPicture(0, False, (2,)), GroupPicture(1, True, (1,)))
        ),
    ),
}


@pytest.mark.parametrize(("encoded", "descriptor"), VECTORS.items())
def test_descriptor(encoded: str, descriptor: Vp9Descriptor) -> None:
    data = bytes.fromhex(encoded)
    parsed = Vp9Descriptor.parse(data + b"\x99")
    assert parsed == descriptor
    assert parsed.size == len(data)
    assert descriptor.encode() == data
    for size in range(len(data) + 1):
        with pytest.raises(ProtocolError):
            Vp9Descriptor.parse(data[:size])


def test_more_than_three_references_are_malformed() -> None:
    assert Vp9Descriptor.parse(bytes.fromhex("50 030502 99")).references == (1, 2, 1)
    with pytest.raises(ProtocolError):
        Vp9Descriptor.parse(bytes.fromhex("50 03050302 99"))
