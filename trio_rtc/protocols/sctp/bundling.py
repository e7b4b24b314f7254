"""Puts chunks into packets: control chunks first, then as much data as may leave (RFC 9260 section 6.10)."""

from collections.abc import Iterable

from .packet.header import HEADER_SIZE, add_checksum
from .tx.transmitter import Transmitter


class Bundler:
    """Fills packets for one control block.

    Args:
        header: The common header with a zero checksum.
        max_packet_size: In bytes, a multiple of four.
        checksum: Whether packets get a CRC32c; without, RFC 9653 applies.
    """

    def __init__(self, header: bytes, max_packet_size: int, *, checksum: bool) -> None:
        self._header = header
        self._capacity = max_packet_size - HEADER_SIZE
        self._checksum = checksum

    def bundle(
        self,
        control: Iterable[bytes],
        transmitter: Transmitter | None,
        now: float,
        *,
        max_packets: int,
        partial: bool = True,
        checksum: bool = False,
    ) -> list[bytes]:
        """Return packets of all of ``control`` and of what ``transmitter`` may send.

        Args:
            control: Encoded control chunks, in their order.
            transmitter: Where data comes from; None for no data.
            now: The time.
            max_packets: Data begins no further packet than this many; control chunks always go.
            partial: Whether new data may leave in a packet that is not full.
            checksum: Whether these packets need a CRC32c in any case.
        """
        packets: list[bytes] = []
        header, capacity = self._header, self._capacity
        parts = [header]
        space = capacity
        for chunk in control:
            if len(chunk) > space:
                packets.append(b"".join(parts))
                parts = [header]
                space = capacity
            parts.append(chunk)
            space -= len(chunk)
        while True:
            if transmitter is not None and len(packets) < max_packets and transmitter.wants_packet(partial):
                transmitter.fill_packet(parts, space, now)
            if len(parts) == 1:
                break
            packets.append(b"".join(parts))
            parts = [header]
            space = capacity
        if self._checksum or checksum:
            return [add_checksum(packet) for packet in packets]
        return packets
