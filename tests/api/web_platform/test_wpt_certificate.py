"""RTCCertificate in a configuration and in descriptions (W3C webrtc sections 4.2.1 and 4.9)."""

import re

import pytest

from tests.api.web_platform.peers import channel_between
from tests.strategies.scenarios import messages_pass
from trio_rtc import (
    InvalidAccessError,
    InvalidModificationError,
    RTCCertificate,
    RTCConfiguration,
    RTCPeerConnection,
)


async def generate(**members: object) -> RTCCertificate:
    return await RTCPeerConnection.generate_certificate({"name": "ECDSA", "namedCurve": "P-256", **members})


async def test_an_expired_certificate_is_refused() -> None:
    certificate = await generate(expires=0)
    with pytest.raises(InvalidAccessError):
        RTCPeerConnection(RTCConfiguration(certificates=[certificate]))


async def test_a_configuration_with_other_certificates_is_refused() -> None:
    one, other = await generate(), await generate()
    pc = RTCPeerConnection(RTCConfiguration(certificates=[one]))
    pc.set_configuration(RTCConfiguration(certificates=[one]))
    for certificates in ([other], [one, other]):
        with pytest.raises(InvalidModificationError):
            pc.set_configuration(RTCConfiguration(certificates=certificates))
    both = RTCPeerConnection(RTCConfiguration(certificates=[one, other]))
    both.set_configuration(RTCConfiguration(certificates=[one, other]))
    with pytest.raises(InvalidModificationError):
        both.set_configuration(RTCConfiguration(certificates=[other, one]))


async def test_a_configuration_without_the_certificates_is_refused() -> None:
    """A missing member has its default, an empty list, which has another length (section 4.4.1.6)."""
    configuration = RTCConfiguration(certificates=[await generate(), await generate()])
    pc = RTCPeerConnection(configuration)
    pc.create_data_channel("chat")
    before = (await pc.create_offer()).sdp.count("a=fingerprint:")
    with pytest.raises(InvalidModificationError):
        pc.set_configuration(RTCConfiguration())
    assert pc.get_configuration() == configuration
    assert (await pc.create_offer()).sdp.count("a=fingerprint:") == before == 2
    pc.set_configuration(pc.get_configuration())


async def test_fingerprints_are_lower_case_hexadecimal() -> None:
    fingerprints = (await generate()).get_fingerprints()
    assert fingerprints
    for fingerprint in fingerprints:
        assert fingerprint.algorithm in ("sha-1", "sha-224", "sha-256", "sha-384", "sha-512")
        assert re.fullmatch("([0-9a-f]{2}:)+[0-9a-f]{2}", fingerprint.value)


@pytest.mark.parametrize("count", [1, 2])
async def test_an_offer_has_the_fingerprint_of_each_certificate(count: int) -> None:
    certificates = [await generate() for _ in range(count)]
    pc = RTCPeerConnection(RTCConfiguration(certificates=certificates))
    pc.create_data_channel("chat")
    offer = await pc.create_offer()
    for certificate in certificates:
        for fingerprint in certificate.get_fingerprints():
            line = f"a=fingerprint:{fingerprint.algorithm} {fingerprint.value.upper()}\r\n"
            assert line in offer.sdp


@pytest.mark.usefixtures("autojump_clock")
async def test_peers_with_two_certificates_connect() -> None:
    configuration = RTCConfiguration(certificates=[await generate(), await generate()])
    async with channel_between(negotiated=False, configuration=configuration) as (mine, theirs, _):
        await messages_pass(mine, theirs)
