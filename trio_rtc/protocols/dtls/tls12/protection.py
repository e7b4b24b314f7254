"""Protection of records with an AEAD, as DTLS 1.2 has it (RFC 5246 section 6.2.3.3).

This is the hot path: each packet of user data passes ``AeadProtection.seal_batch`` or ``open`` once.
"""

from collections.abc import Sequence
from struct import Struct

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.dtls.crypto.cipher_suites import AeadAlgorithm
from trio_rtc.protocols.dtls.record.codec import HEADER, HEADER_LENGTH, MAX_PLAINTEXT, VERSION_1_2

TAG_LENGTH = 16
_ADDITIONAL_DATA = Struct(">QBHH")
_HEADER_WITH_NONCE = Struct(">BHQHQ")


class AeadProtection:
    """AEAD cipher with the nonces of RFC 5288 (AES-GCM) or RFC 7905 (ChaCha20-Poly1305).

    Both nonces are twelve bytes: a fixed part, XORed with the 64 bits of epoch and sequence number. With AES-GCM the
    last eight bytes of the fixed part are zero, and these eight bytes of the nonce are sent in each record.
    """

    __slots__ = ("_decrypt", "_encrypt", "_explicit_length", "_fixed_iv", "_iv", "overhead")

    def __init__(self, algorithm: AeadAlgorithm, key: bytes, fixed_iv: bytes) -> None:
        aead = algorithm.create(key)
        self._encrypt = aead.encrypt
        self._decrypt = aead.decrypt
        self._explicit_length = algorithm.explicit_nonce_length
        self._fixed_iv = fixed_iv
        self._iv = int.from_bytes(fixed_iv.ljust(12, b"\0"), "big")
        self.overhead = HEADER_LENGTH + self._explicit_length + TAG_LENGTH

    def seal_batch(self, content_type: int, number: int, batch: Sequence[bytes]) -> list[bytes]:
        records: list[bytes] = []
        append, encrypt, iv = records.append, self._encrypt, self._iv
        pack_additional, version = _ADDITIONAL_DATA.pack, VERSION_1_2
        explicit, expansion = self._explicit_length, self._explicit_length + TAG_LENGTH
        pack_header, pack_header_with_nonce = HEADER.pack, _HEADER_WITH_NONCE.pack
        for plaintext in batch:
            length = len(plaintext)
            sealed = encrypt(
                (iv ^ number).to_bytes(12, "big"),
                plaintext,
                pack_additional(number, content_type, version, length),
            )
            if explicit:
                append(
                    pack_header_with_nonce(content_type, version, number, length + expansion, number) + sealed
                )
            else:
                append(pack_header(content_type, version, number, length + expansion) + sealed)
            number += 1
        return records

    def open(self, content_type: int, number: int, datagram: bytes, start: int, end: int) -> bytes:
        length = end - start - self._explicit_length - TAG_LENGTH
        if not 0 <= length <= MAX_PLAINTEXT:
            raise ProtocolError(f"protected fragment of {end - start} bytes")
        if self._explicit_length:
            body = start + self._explicit_length
            nonce = self._fixed_iv + datagram[start:body]
        else:
            body = start
            nonce = (self._iv ^ number).to_bytes(12, "big")
        additional_data = _ADDITIONAL_DATA.pack(number, content_type, VERSION_1_2, length)
        return self._decrypt(nonce, datagram[body:end], additional_data)
