"""W3C's enumerations."""

from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.api.w3c_conformance import values_of
from tests.api.w3c_coverage import enumerations
from trio_rtc import enums
from trio_rtc.enums import RTCRtpTransceiverDirection, RTCSignalingState, member_of

ENUMERATIONS = [
    each
    for each in vars(enums).values()
    if isinstance(each, type) and issubclass(each, StrEnum) and each is not StrEnum
]


@pytest.mark.parametrize("enumeration", ENUMERATIONS)
def test_members_equal_their_w3c_spelling(enumeration: type[StrEnum]) -> None:
    for member in enumeration:
        assert member == member.value == str(member)
        assert member_of(enumeration, member.value) is member
        assert member_of(enumeration, member) is member


def test_there_are_all_enumerations_of_the_webidl_with_all_values() -> None:
    expected = {name: set(values) for name, values in enumerations().items()}
    assert {each.__name__: set(values_of(each.__name__)) for each in ENUMERATIONS} == expected


@given(st.text(max_size=20).filter(lambda text: text not in set(RTCSignalingState)))
def test_an_unknown_spelling_raises_a_type_error(value: str) -> None:
    with pytest.raises(TypeError, match="is no RTCSignalingState; there are 'stable', 'have-local-offer', "):
        member_of(RTCSignalingState, value)


@pytest.mark.parametrize(
    ("direction", "sends", "receives"),
    [
        ("sendrecv", True, True),
        ("sendonly", True, False),
        ("recvonly", False, True),
        ("inactive", False, False),
        ("stopped", False, False),
    ],
)
def test_directions(direction: str, sends: bool, receives: bool) -> None:
    member = RTCRtpTransceiverDirection(direction)
    assert (member.sends, member.receives) == (sends, receives)
