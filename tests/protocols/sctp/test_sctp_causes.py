"""Error causes: their numbers, and texts of a peer."""

import pytest

from trio_rtc.protocols.sctp.packet import causes
from trio_rtc.protocols.sctp.packet.causes import CauseCode, describe_causes, user_initiated_abort
from trio_rtc.protocols.sctp.packet.parameters import Parameter


def test_causes_have_the_numbers_of_rfc_9260() -> None:
    """Section 3.3.10, in its order."""
    assert [cause.value for cause in CauseCode] == list(range(1, 14))


def test_unprintable_text_of_a_peer_is_replaced() -> None:
    assert describe_causes((user_initiated_abort("bye\x1b[31m"),)) == "user initiated abort: bye?[31m"
    assert describe_causes((Parameter(999, b""),)) == "cause 999"
    assert describe_causes(()) == "no cause given"


def test_numbers_of_causes() -> None:
    """RFC 9260 section 3.3.10."""
    assert [code.name for code in sorted(causes.CauseCode)] == [
        *("INVALID_STREAM_IDENTIFIER", "MISSING_MANDATORY_PARAMETER", "STALE_COOKIE", "OUT_OF_RESOURCE"),
        *("UNRESOLVABLE_ADDRESS", "UNRECOGNIZED_CHUNK_TYPE", "INVALID_MANDATORY_PARAMETER"),
        *("UNRECOGNIZED_PARAMETERS", "NO_USER_DATA", "COOKIE_RECEIVED_WHILE_SHUTTING_DOWN"),
        *("RESTART_WITH_NEW_ADDRESSES", "USER_INITIATED_ABORT", "PROTOCOL_VIOLATION"),
    ]
    assert sorted(causes.CauseCode) == [*range(1, 14)]


def test_of_a_reason_256_bytes_are_sent_and_kept() -> None:
    for cause in (causes.user_initiated_abort("x" * 300), causes.protocol_violation("x" * 300)):
        assert cause.value == b"x" * 256
        words = causes.describe_causes((Parameter(cause.kind, b"y" * 300),))
        assert words.endswith(": " + "y" * 256)
    assert causes.describe_causes(()) == "no cause given"
    assert causes.describe_causes((Parameter(9, b""), Parameter(99, b"x"))) == "no user data, cause 99"
    assert causes.describe_causes((Parameter(12, b"a\nb"),)) == "user initiated abort: a?b"


@pytest.mark.parametrize(
    ("staleness", "micros"), [(0.0, 0), (0.5, 500_000), (4294.0, 4_294_000_000), (4295.0, 0xFFFFFFFF)]
)
def test_staleness_is_reported_in_microseconds(staleness: float, micros: int) -> None:
    assert causes.stale_cookie(staleness) == Parameter(3, micros.to_bytes(4, "big"))
