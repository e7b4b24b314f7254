"""Records of a connected pair."""

from typing import Any

from tests.strategies.dtls_pair import Pair, make_pair
from trio_rtc.protocols.dtls import CIPHER_SUITES, ApplicationDataReceived, CipherSuite, DtlsOptions


def connected(suite: CipherSuite = CIPHER_SUITES[0], **options: Any) -> Pair:
    return make_pair(DtlsOptions(cipher_suites=(suite,)), DtlsOptions(**options)).connect()


def seal(pair: Pair, *items: bytes) -> list[bytes]:
    pair.client.send(items, pair.now)
    return pair.client.datagrams_to_send(pair.now)


def received(pair: Pair, datagrams: list[bytes]) -> list[bytes]:
    pair.server.receive(datagrams, pair.now)
    match pair.server.events():
        case []:
            return []
        case [ApplicationDataReceived(batch)]:
            return list(batch)
        case others:
            raise AssertionError(others)
