"""Signatures."""

import pytest

from tests.strategies.dtls_pair import certificate
from trio_rtc.protocols.dtls import (
    ECDSA_P256,
    RSA_2048,
    AlertDescription,
    DtlsRole,
)
from trio_rtc.protocols.dtls.alert import HandshakeFailure
from trio_rtc.protocols.dtls.crypto.signature import (
    SignatureScheme,
    sign,
    verify,
)


@pytest.mark.parametrize("scheme", SignatureScheme)
def test_a_signature_verifies_only_its_data_under_its_key(scheme: SignatureScheme) -> None:
    algorithm = RSA_2048 if scheme.name.startswith("RSA") else ECDSA_P256
    own, other = (certificate(role, algorithm).private_key for role in DtlsRole)
    signature = sign(own, scheme, b"data")
    verify(own.public_key(), scheme, signature, b"data")
    for key, wrong, data in (
        (own, signature[:-1] + bytes((signature[-1] ^ 1,)), b"data"),
        (own, signature, b"date"),
        (own, b"", b"data"),
        (other, signature, b"data"),
    ):
        with pytest.raises(HandshakeFailure) as info:
            verify(key.public_key(), scheme, wrong, data)
        assert info.value.alert == AlertDescription.DECRYPT_ERROR
