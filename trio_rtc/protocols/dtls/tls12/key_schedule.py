"""The key schedule of TLS 1.2: PRF, extended master secret (RFC 7627), key block, exporter (RFC 5705)."""

from cryptography.hazmat.primitives import hashes, hmac

from trio_rtc import _attrs as attrs
from trio_rtc.protocols.dtls.crypto.cipher_suites import CipherSuite
from trio_rtc.protocols.dtls.options import DtlsRole

from .protection import AeadProtection

VERIFY_DATA_LENGTH = 12


def hash_of(algorithm: hashes.HashAlgorithm, data: bytes) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(data)
    return digest.finalize()


def _mac(keyed: hmac.HMAC, data: bytes) -> bytes:
    mac = keyed.copy()
    mac.update(data)
    return mac.finalize()


def prf(algorithm: hashes.HashAlgorithm, secret: bytes, label: bytes, seed: bytes, length: int) -> bytes:
    """Return ``length`` bytes of the pseudorandom function (RFC 5246 section 5)."""
    keyed = hmac.HMAC(secret, algorithm)  # copied for each block, since setting the key takes longer
    seed = label + seed
    link = seed
    output = bytearray()
    while len(output) < length:
        link = _mac(keyed, link)
        output += _mac(keyed, link + seed)
    return bytes(output[:length])


@attrs.frozen
class SessionSecrets:
    """Secrets that both sides share after the key exchange, derived from the 48 bytes of ``master_secret``."""

    suite: CipherSuite
    client_random: bytes
    server_random: bytes
    master_secret: bytes = attrs.field(repr=False)

    @classmethod
    def derive(
        cls,
        suite: CipherSuite,
        client_random: bytes,
        server_random: bytes,
        premaster_secret: bytes,
        transcript: bytes,
    ) -> "SessionSecrets":
        """Derive the extended master secret; ``transcript`` ends with ClientKeyExchange (RFC 7627 section 4)."""
        session_hash = hash_of(suite.hash_algorithm, transcript)
        master_secret = prf(
            suite.hash_algorithm, premaster_secret, b"extended master secret", session_hash, 48
        )
        return cls(suite, client_random, server_random, master_secret)

    def verify_data(self, sender: DtlsRole, transcript: bytes) -> bytes:
        """Return the contents of the Finished message of ``sender`` (RFC 5246 section 7.4.9)."""
        label = b"client finished" if sender is DtlsRole.CLIENT else b"server finished"
        algorithm = self.suite.hash_algorithm
        return prf(algorithm, self.master_secret, label, hash_of(algorithm, transcript), VERIFY_DATA_LENGTH)

    def protections(self) -> dict[DtlsRole, AeadProtection]:
        """Return the protection of the records that each role sends (RFC 5246 section 6.3)."""
        aead = self.suite.aead
        key_length, iv_length = aead.key_length, aead.fixed_iv_length
        key_block = prf(
            self.suite.hash_algorithm,
            self.master_secret,
            b"key expansion",
            self.server_random + self.client_random,
            2 * (key_length + iv_length),
        )
        ivs = key_block[2 * key_length :]
        return {
            DtlsRole.CLIENT: AeadProtection(aead, key_block[:key_length], ivs[:iv_length]),
            DtlsRole.SERVER: AeadProtection(
                aead, key_block[key_length : 2 * key_length], ivs[iv_length : 2 * iv_length]
            ),
        }

    def export(self, label: bytes, context: bytes | None, length: int) -> bytes:
        """Return keying material for another protocol (RFC 5705 section 4)."""
        seed = self.client_random + self.server_random
        if context is not None:
            seed += len(context).to_bytes(2, "big") + context
        return prf(self.suite.hash_algorithm, self.master_secret, label, seed, length)
