"""Ephemeral keys: private keys, public keys and shared secrets."""

import random

import pytest

from trio_rtc.protocols.dtls import (
    GROUPS,
    AlertDescription,
    NamedGroup,
)
from trio_rtc.protocols.dtls.alert import HandshakeFailure
from trio_rtc.protocols.dtls.crypto.key_exchange import EphemeralKey, generate_curve_key


@pytest.mark.parametrize("group", GROUPS)
def test_both_sides_compute_the_same_secret(group: NamedGroup) -> None:
    rng = random.Random(1)
    first, second = EphemeralKey.generate(group, rng), EphemeralKey.generate(group, rng)
    assert first.exchange(second.public_bytes) == second.exchange(first.public_bytes)


class Extreme(random.Random):
    """Returns the least number of a range, or the greatest."""

    def __init__(self, greatest: bool) -> None:
        super().__init__(0)
        self._greatest = greatest

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        assert stop is not None
        return stop - 1 if self._greatest else start


@pytest.mark.parametrize("group", [NamedGroup.SECP256R1, NamedGroup.SECP384R1])
def test_a_private_key_is_between_1_and_the_order(group: NamedGroup) -> None:
    """SEC 1 section 3.2.1. The points of the least and the greatest differ only in sign."""
    least, greatest = (EphemeralKey.generate(group, Extreme(which)).public_bytes for which in (False, True))
    size = len(least) // 2
    assert least[1 : 1 + size] == greatest[1 : 1 + size]
    assert least != greatest
    assert generate_curve_key(group, Extreme(False)).private_numbers().private_value == 1


POINT = EphemeralKey.generate(NamedGroup.SECP256R1, random.Random(1)).public_bytes


@pytest.mark.parametrize(
    ("group", "public_bytes"),
    [
        (NamedGroup.X25519, b""),
        (NamedGroup.X25519, bytes(31)),
        (NamedGroup.X25519, bytes(32)),  # of small order: the secret would be zero
        (NamedGroup.X25519, b"\1" + bytes(31)),
        (NamedGroup.SECP256R1, b""),
        (NamedGroup.SECP256R1, b"\0"),  # the point at infinity
        (NamedGroup.SECP256R1, bytes((2 + POINT[-1] % 2,)) + POINT[1:33]),  # compressed
        (NamedGroup.SECP256R1, POINT[:-1] + bytes((POINT[-1] ^ 1,))),  # not on the curve
        (NamedGroup.SECP384R1, POINT),
    ],
)
def test_invalid_public_keys(group: NamedGroup, public_bytes: bytes) -> None:
    with pytest.raises(HandshakeFailure) as info:
        EphemeralKey.generate(group, random.Random(2)).exchange(public_bytes)
    assert info.value.alert == AlertDescription.ILLEGAL_PARAMETER
