"""Authentication of received checks (RFC 8489 section 9.1.3)."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trio_rtc.protocols._contract import Address
from trio_rtc.protocols.ice import IceOptions, IceParameters
from trio_rtc.protocols.ice.generation import Generation
from trio_rtc.protocols.ice.responder import (
    BAD_REQUEST,
    ROLE_CONFLICT,
    UNAUTHENTICATED,
    UNKNOWN_ATTRIBUTE,
    ErrorResponse,
    PeerCheck,
    authenticate_request,
)
from trio_rtc.protocols.stun import (
    AttributeType,
    ErrorCode,
    Message,
    MessageClass,
    StunAttribute,
    binding_request,
)

TRANSACTION_ID = bytes(range(12))
REMOTE = Address("192.0.2.7", 4000)
PRIORITY = StunAttribute(AttributeType.PRIORITY, bytes.fromhex("6e0001ff"))


def make_generation(number: int) -> Generation:
    return Generation(
        IceOptions(), random.Random(1), IceParameters(f"user{number}", f"password-{number}".ljust(24, "x"))
    )


CURRENT, PREVIOUS = make_generation(1), make_generation(2)


def receive(
    username: bytes | None, *attributes: StunAttribute, key: str | None = CURRENT.local.password
) -> PeerCheck | ErrorResponse:
    """Authenticate a request with these attributes, encoded and parsed again."""
    named = [] if username is None else [StunAttribute(AttributeType.USERNAME, username)]
    request = binding_request(TRANSACTION_ID, [*named, *attributes])
    data = request.encode(key=None if key is None else key.encode())
    return authenticate_request(Message.parse(data), [CURRENT, PREVIOUS])


@pytest.mark.parametrize("generation", [CURRENT, PREVIOUS], ids=["current", "previous"])
@pytest.mark.parametrize("use_candidate", [True, False])
def test_an_authentic_check(generation: Generation, use_candidate: bool) -> None:
    nomination = [StunAttribute(AttributeType.USE_CANDIDATE, b"")] if use_candidate else []
    name = f"{generation.local.username_fragment}:peer".encode()
    check = receive(name, PRIORITY, *nomination, key=generation.local.password)
    assert isinstance(check, PeerCheck)
    assert check.generation is generation
    assert check.remote_username_fragment == "peer"
    assert check.priority == 0x6E0001FF
    assert check.use_candidate is use_candidate


def test_responses_are_authenticated_with_the_password_of_the_generation() -> None:
    check = receive(b"user2:peer", PRIORITY, key=PREVIOUS.local.password)
    assert isinstance(check, PeerCheck)
    accepted, refused = Message.parse(check.accept(REMOTE)), Message.parse(check.refuse(ROLE_CONFLICT))
    assert accepted.message_class is MessageClass.SUCCESS_RESPONSE
    assert accepted.mapped_address == REMOTE
    assert refused.message_class is MessageClass.ERROR_RESPONSE
    assert refused.error_code == ErrorCode(487, "Role Conflict")
    for response in (accepted, refused):
        assert response.transaction_id == TRANSACTION_ID
        assert response.has_valid_integrity(PREVIOUS.local.password.encode())
        assert not response.has_valid_integrity(CURRENT.local.password.encode())


@pytest.mark.parametrize(
    ("username", "key", "error"),
    [
        (None, CURRENT.local.password, BAD_REQUEST),
        (b"user1:peer", None, BAD_REQUEST),
        (b"\xff:peer", CURRENT.local.password, BAD_REQUEST),
        (b"user1:peer", PREVIOUS.local.password, UNAUTHENTICATED),
        (b"user1:peer", "", UNAUTHENTICATED),
        (b"user2:peer", CURRENT.local.password, UNAUTHENTICATED),
        (b"user3:peer", CURRENT.local.password, UNAUTHENTICATED),
        (b"peer:user1", CURRENT.local.password, UNAUTHENTICATED),
        (b"", CURRENT.local.password, UNAUTHENTICATED),
    ],
)
def test_a_request_without_valid_credentials_gets_a_response_without_integrity(
    username: bytes | None, key: str | None, error: ErrorCode
) -> None:
    """RFC 8489 section 9.1.3: 400 without USERNAME or integrity, otherwise 401."""
    refusal = receive(username, PRIORITY, StunAttribute(0x7777, b""), key=key)
    assert isinstance(refusal, ErrorResponse)
    assert (refusal.error, refusal.is_authentic) == (error, False)
    response = Message.parse(refusal.response)
    assert (response.error_code, response.transaction_id) == (error, TRANSACTION_ID)
    assert not response.has_integrity


@pytest.mark.parametrize(
    ("attributes", "error", "unknown"),
    [
        (
            [PRIORITY, StunAttribute(0x7777, b""), StunAttribute(0x0100, b"")],
            UNKNOWN_ATTRIBUTE,
            (0x7777, 0x0100),
        ),
        ([StunAttribute(0x7777, b"")], UNKNOWN_ATTRIBUTE, (0x7777,)),
        ([], BAD_REQUEST, None),
        ([StunAttribute(AttributeType.PRIORITY, bytes(3))], BAD_REQUEST, None),
    ],
)
def test_an_authentic_but_invalid_check_gets_an_authenticated_response(
    attributes: Sequence[StunAttribute], error: ErrorCode, unknown: tuple[int, ...] | None
) -> None:
    refusal = receive(b"user1:peer", *attributes)
    assert isinstance(refusal, ErrorResponse)
    assert (refusal.error, refusal.is_authentic) == (error, True)
    response = Message.parse(refusal.response)
    assert response.error_code == error
    assert response.has_valid_integrity(CURRENT.local.password.encode())
    if unknown is not None:
        assert set(response.unknown_attributes or ()) == set(unknown)


def test_unknown_comprehension_optional_attributes_are_ignored() -> None:
    assert isinstance(receive(b"user1:peer", PRIORITY, StunAttribute(0xC057, b"1")), PeerCheck)


@given(
    st.none() | st.binary(max_size=20),
    st.lists(st.builds(StunAttribute, st.integers(0, 0xFFFF), st.binary(max_size=8)), max_size=4),
)
def test_no_request_without_the_password_is_accepted(
    username: bytes | None, attributes: list[StunAttribute]
) -> None:
    attributes = [each for each in attributes if each.type not in (0x08, 0x1C, 0x8028)]
    refusal = receive(username, *attributes, key="guess")
    assert isinstance(refusal, ErrorResponse)
    assert not refusal.is_authentic
