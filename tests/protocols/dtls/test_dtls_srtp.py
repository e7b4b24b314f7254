"""SRTP keys from keying material."""

import pytest

from trio_rtc.protocols.dtls import SRTP_PROFILES, SrtpKeys, SrtpProfile
from trio_rtc.protocols.dtls.crypto.cipher_suites import ECDHE_ECDSA_AES_128_GCM
from trio_rtc.protocols.dtls.tls12.key_schedule import SessionSecrets


def secrets() -> SessionSecrets:
    return SessionSecrets.derive(ECDHE_ECDSA_AES_128_GCM, bytes(32), b"\1" * 32, b"premaster", b"transcript")


@pytest.mark.parametrize("profile", SRTP_PROFILES, ids=lambda profile: profile.name)
def test_srtp_keying_material_is_split_in_the_order_of_rfc_5764(profile: SrtpProfile) -> None:
    keys = SrtpKeys.derive(profile, secrets().export)
    whole = secrets().export(b"EXTRACTOR-dtls_srtp", None, 2 * (profile.key_length + profile.salt_length))
    assert keys.client_key + keys.server_key + keys.client_salt + keys.server_salt == whole
