"""RTCCertificate: key algorithms, expiry and the choice of a connection's certificate."""

import random
from collections.abc import Mapping
from typing import Any

import pytest
import trio

from trio_rtc import (
    InvalidAccessError,
    NotSupportedError,
    RTCCertificate,
    RTCConfiguration,
    RTCPeerConnection,
)
from trio_rtc.certificate import (
    DEFAULT_LIFETIME,
    choose_certificate,
    core_certificate,
    generate_certificate,
    needs_thread,
)

DAY = 86400_000


@pytest.mark.parametrize(
    "algorithm",
    [
        "ECDSA",
        "ecdsa",
        {"name": "ECDSA", "namedCurve": "P-256"},
        {"name": "ECDSA", "named_curve": "P-256"},
        {
            "name": "RSASSA-PKCS1-v1_5",
            "modulusLength": 2048,
            "publicExponent": b"\x01\x00\x01",
            "hash": {"name": "SHA-256"},
        },
    ],
    ids=str,
)
async def test_algorithms_of_certificates(algorithm: str | Mapping[str, Any]) -> None:
    certificate = await RTCPeerConnection.generate_certificate(algorithm)
    (fingerprint,) = certificate.get_fingerprints()
    assert fingerprint.algorithm == "sha-256"
    assert len(fingerprint.value.split(":")) == 32
    assert fingerprint.value == fingerprint.value.lower()
    assert (await RTCPeerConnection.generate_certificate("ECDSA")).get_fingerprints() != [fingerprint]


@pytest.mark.parametrize(
    "algorithm",
    [
        "RSA-OAEP",
        {"name": "ECDSA", "namedCurve": "P-384"},
        {"name": "RSASSA-PKCS1-v1_5", "modulusLength": 1024},
        {"name": "RSASSA-PKCS1-v1_5", "hash": "SHA-1"},
        {"name": "RSASSA-PKCS1-v1_5", "publicExponent": [3]},
        {"name": "HMAC"},
    ],
    ids=str,
)
async def test_unsupported_algorithms(algorithm: str | Mapping[str, Any]) -> None:
    with pytest.raises(NotSupportedError):
        await RTCPeerConnection.generate_certificate(algorithm)


@pytest.mark.parametrize(
    "algorithm",
    [{}, {"name": 5}, {"name": "ECDSA", "expires": -1}, {"name": "ECDSA", "expires": "1"}],
    ids=str,
)
async def test_invalid_algorithms(algorithm: Mapping[str, Any]) -> None:
    with pytest.raises(TypeError):
        await RTCPeerConnection.generate_certificate(algorithm)


@pytest.mark.parametrize(("wanted", "expected"), [(None, 30 * DAY), (DAY, DAY), (10_000 * DAY, 365 * DAY)])
async def test_expiry_of_certificates(wanted: float | None, expected: float) -> None:
    algorithm = {"name": "ECDSA"} if wanted is None else {"name": "ECDSA", "expires": wanted}
    reference = await RTCPeerConnection.generate_certificate({"name": "ECDSA", "expires": 0})
    certificate = await RTCPeerConnection.generate_certificate(algorithm)
    assert abs(certificate.expires - reference.expires - expected) <= 60_000
    with pytest.raises(InvalidAccessError):
        RTCPeerConnection(RTCConfiguration(certificates=[reference]))
    await trio.lowlevel.checkpoint()


def test_a_certificate_depends_on_the_source_of_randomness_and_time_only() -> None:
    first, same, other = (generate_certificate(rng=random.Random(seed), wall_now=1e9) for seed in (1, 1, 2))
    assert first.get_fingerprints() == same.get_fingerprints() != other.get_fingerprints()
    assert first.expires == (1e9 + DEFAULT_LIFETIME) * 1000
    assert first != same
    assert core_certificate(first).fingerprint("sha-256").value.lower() == first.get_fingerprints()[0].value


def test_the_private_key_is_not_shown() -> None:
    assert (
        repr(generate_certificate(rng=random.Random(1), wall_now=0.0))
        == "RTCCertificate(expires=2592000000.0)"
    )


@pytest.mark.parametrize(("wall_now", "is_expired"), [(99.999, False), (100.0, True), (101.0, True)])
@pytest.mark.parametrize("position", [0, 1])
def test_an_expired_certificate_is_refused_wherever_it_stands(
    wall_now: float, is_expired: bool, position: int
) -> None:
    expiring = generate_certificate({"name": "ECDSA", "expires": 100_000}, rng=random.Random(1), wall_now=0.0)
    configured = [generate_certificate(rng=random.Random(2), wall_now=0.0)]
    configured.insert(position, expiring)
    if is_expired:
        with pytest.raises(InvalidAccessError, match="has expired"):
            choose_certificate(configured, random.Random(3), wall_now)
    else:
        assert choose_certificate(configured, random.Random(3), wall_now) is configured[0]


def test_without_a_configured_certificate_a_new_one_is_generated() -> None:
    chosen = choose_certificate([], random.Random(3), 50.0)
    assert (
        chosen.get_fingerprints()
        == generate_certificate(rng=random.Random(3), wall_now=50.0).get_fingerprints()
    )
    assert chosen.expires == (50.0 + DEFAULT_LIFETIME) * 1000


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("ECDSA", False),
        ({"name": "ecdsa", "namedCurve": "P-256"}, False),
        ("RSASSA-PKCS1-v1_5", True),
        ({"name": "RSASSA-PKCS1-v1_5", "modulusLength": 2048}, True),
    ],
)
def test_only_an_rsa_key_needs_a_thread(algorithm: str | Mapping[str, Any], expected: bool) -> None:
    assert needs_thread(algorithm) is expected


def test_a_certificate_is_kept_as_pem() -> None:
    certificate = generate_certificate(rng=random.Random(1), wall_now=0.0)
    again = RTCCertificate.from_pem(certificate.to_pem())
    assert again.get_fingerprints() == certificate.get_fingerprints()
    assert again.expires == certificate.expires == DEFAULT_LIFETIME * 1000


def test_a_text_without_a_certificate_is_refused() -> None:
    with pytest.raises(ValueError, match=r"PEM|certificate"):
        RTCCertificate.from_pem("nothing")


async def test_a_connection_uses_a_certificate_from_pem() -> None:
    text = (await RTCPeerConnection.generate_certificate("ECDSA")).to_pem()
    certificate = RTCCertificate.from_pem(text)
    async with RTCPeerConnection(RTCConfiguration(certificates=[certificate])) as pc:
        pc.create_data_channel("")
        offer = await pc.create_offer()
    (fingerprint,) = certificate.get_fingerprints()
    assert f"a=fingerprint:sha-256 {fingerprint.value.upper()}" in offer.sdp
