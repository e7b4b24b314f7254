"""``generate_certificate`` (W3C webrtc section 4.9.1)."""

from typing import Any

import pytest

from trio_rtc import NotSupportedError, RTCCertificate, RTCPeerConnection
from trio_rtc._environment import default_wall_clock

ECDSA: dict[str, Any] = {"name": "ECDSA", "namedCurve": "P-256"}
RSA: dict[str, Any] = {
    "name": "RSASSA-PKCS1-v1_5",
    "modulusLength": 2048,
    "publicExponent": bytes([1, 0, 1]),
    "hash": "SHA-256",
}


def milliseconds() -> float:
    return 1000 * default_wall_clock()()


@pytest.mark.parametrize("algorithm", [ECDSA, RSA], ids=["ECDSA", "RSA"])
async def test_both_algorithms(algorithm: dict[str, Any]) -> None:
    certificate = await RTCPeerConnection.generate_certificate(algorithm)
    assert isinstance(certificate, RTCCertificate)
    assert certificate.expires > milliseconds()


@pytest.mark.parametrize("algorithm", ["invalid-algo", {"name": "invalid-algo"}], ids=str)
async def test_other_algorithms(algorithm: str | dict[str, Any]) -> None:
    with pytest.raises(NotSupportedError):
        await RTCPeerConnection.generate_certificate(algorithm)


@pytest.mark.parametrize("lifetime", [0, 2000])
async def test_the_lifetime(lifetime: int) -> None:
    now = milliseconds()
    certificate = await RTCPeerConnection.generate_certificate({**ECDSA, "expires": lifetime})
    assert abs(certificate.expires - now - lifetime) < 2000


@pytest.mark.parametrize("lifetime", [-1, "invalid"])
async def test_invalid_lifetimes(lifetime: Any) -> None:
    with pytest.raises(TypeError):
        await RTCPeerConnection.generate_certificate({**ECDSA, "expires": lifetime})
