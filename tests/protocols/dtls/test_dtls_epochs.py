"""Records of other epochs, and records before their keys."""

from tests.strategies.dtls_pair import check_agreement, make_connection, make_pair
from tests.strategies.dtls_records import connected, received, seal
from trio_rtc.protocols.dtls import DtlsOptions, DtlsRole


def test_records_of_other_epochs_are_dropped() -> None:
    pair = connected()
    (datagram,) = seal(pair, b"1")
    for epoch in (0, 2, 65535):
        assert received(pair, [datagram[:3] + epoch.to_bytes(2, "big") + datagram[5:]]) == []
    assert pair.server.counters.wrong_epoch == 3
    assert received(pair, [datagram]) == [b"1"]


def test_early_records_are_bounded() -> None:
    server = make_connection(DtlsRole.SERVER, DtlsOptions(max_early_records=4))
    server.start(0.0)
    record = bytes((23, 0xFE, 0xFD)) + b"\0\1" + bytes(6) + b"\0\x20" + bytes(32)
    server.receive([record] * 10, 0.0)
    assert server.counters.wrong_epoch == 6


def test_forged_early_records_do_not_disturb_the_handshake() -> None:
    pair = make_pair()
    numbers = b"\0\1" + (999).to_bytes(6, "big")
    garbage = [bytes((kind, 0xFE, 0xFD)) + numbers + b"\0\3xyz" for kind in (20, 21, 22, 23)]
    pair.client.start(0.0)
    pair.client.receive(garbage, 0.0)
    pair.server.start(0.0)
    pair.server.receive(garbage, 0.0)
    pair.flush()
    pair.run(lambda: pair.completed)
    check_agreement(pair)
    assert pair.server.counters.malformed == pair.client.counters.malformed == len(garbage)
