"""DTLS-SRTP: the protection profiles and the keys derived for them (RFC 5764)."""

from collections.abc import Callable

from trio_rtc import _attrs as attrs

Exporter = Callable[[bytes, bytes | None, int], bytes]
"""Exports keying material for another protocol (RFC 5705, RFC 8446 section 7.5): label, context and length."""

EXPORTER_LABEL = b"EXTRACTOR-dtls_srtp"


@attrs.frozen
class SrtpProfile:
    """An SRTP protection profile (RFC 5764 section 4.1.2, RFC 7714 section 14.2).

    Attributes:
        identifier: Number in IANA's registry "DTLS-SRTP Protection Profiles".
        name: Name in that registry.
        key_length: Bytes of a master key.
        salt_length: Bytes of a master salt.
    """

    identifier: int
    name: str
    key_length: int
    salt_length: int


SRTP_AEAD_AES_256_GCM = SrtpProfile(0x0008, "SRTP_AEAD_AES_256_GCM", 32, 12)
SRTP_AEAD_AES_128_GCM = SrtpProfile(0x0007, "SRTP_AEAD_AES_128_GCM", 16, 12)
SRTP_AES128_CM_HMAC_SHA1_80 = SrtpProfile(0x0001, "SRTP_AES128_CM_HMAC_SHA1_80", 16, 14)

SRTP_PROFILES = (SRTP_AEAD_AES_256_GCM, SRTP_AEAD_AES_128_GCM, SRTP_AES128_CM_HMAC_SHA1_80)


@attrs.frozen
class SrtpKeys:
    """SRTP master keys and salts (RFC 5764 section 4.2).

    Attributes:
        profile: The negotiated profile.
        client_key: Master key of the packets that the DTLS client sends.
        client_salt: Its salt.
        server_key: Master key of the packets that the DTLS server sends.
        server_salt: Its salt.
    """

    profile: SrtpProfile
    client_key: bytes = attrs.field(repr=False)
    client_salt: bytes = attrs.field(repr=False)
    server_key: bytes = attrs.field(repr=False)
    server_salt: bytes = attrs.field(repr=False)

    @classmethod
    def derive(cls, profile: SrtpProfile, export: Exporter) -> "SrtpKeys":
        """Derive the keys of a profile from the exporter of a connection."""
        key, salt = profile.key_length, profile.salt_length
        material = export(EXPORTER_LABEL, None, 2 * (key + salt))
        return cls(
            profile,
            client_key=material[:key],
            server_key=material[key : 2 * key],
            client_salt=material[2 * key : 2 * key + salt],
            server_salt=material[2 * key + salt :],
        )
