"""The parameters of RE-CONFIG."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.sctp.packet import reconfiguration
from trio_rtc.protocols.sctp.packet.parameters import Parameter
from trio_rtc.protocols.sctp.packet.reconfiguration import (
    OutgoingResetRequest,
    ReconfigurationResponse,
    Result,
    parse_reconfiguration,
)

bits16 = st.integers(0, 0xFFFF)
bits32 = st.integers(0, 0xFFFFFFFF)


@given(bits32, bits32, bits32, st.lists(bits16, max_size=5).map(tuple), st.sampled_from(Result))
def test_reconfiguration_survives_a_round_trip(
    request: int, response: int, tsn: int, streams: tuple[int, ...], result: Result
) -> None:
    for sent in (
        OutgoingResetRequest(request, response, tsn, streams),
        ReconfigurationResponse(response, result),
    ):
        assert parse_reconfiguration(sent.encode()) == sent


@given(st.sampled_from([13, 14, 15, 16, 17, 18, 99]), st.binary(max_size=20))
def test_reconfiguration_of_any_bytes(kind: int, value: bytes) -> None:
    try:
        parse_reconfiguration(Parameter(kind, value))
    except ProtocolError:
        assert kind != 99


def test_numbers_of_reconfiguration() -> None:
    """RFC 6525 section 4."""
    assert [result.name for result in sorted(reconfiguration.Result)] == [
        *("NOTHING_TO_DO", "PERFORMED", "DENIED", "WRONG_SSN", "REQUEST_IN_PROGRESS", "BAD_SEQUENCE_NUMBER"),
        "IN_PROGRESS",
    ]
    assert sorted(reconfiguration.Result) == [*range(7)]
    assert reconfiguration.OutgoingResetRequest.kind == 13
    assert reconfiguration.ReconfigurationResponse.kind == 16
    assert reconfiguration.UnsupportedRequest.kinds == {14, 15, 17, 18}


@pytest.mark.parametrize(
    ("kind", "size", "is_good"),
    [
        *((13, 11, False), (13, 12, True), (13, 13, False), (13, 14, True)),
        *((16, 7, False), (16, 8, True), (16, 12, True), (17, 3, False), (17, 4, True), (17, 8, True)),
    ],
)
def test_how_long_requests_of_a_reset_may_be(kind: int, size: int, is_good: bool) -> None:
    if is_good:
        assert reconfiguration.parse_reconfiguration(Parameter(kind, bytes(size))) is not None
    else:
        with pytest.raises(ProtocolError):
            reconfiguration.parse_reconfiguration(Parameter(kind, bytes(size)))
