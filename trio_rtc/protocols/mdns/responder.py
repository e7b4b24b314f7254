"""A multicast DNS responder for local ``.local`` names (RFC 6762 section 6), which hide addresses in candidates.

A name is *published* with its addresses until it is withdrawn. A query for it is answered by multicast immediately,
since the records are unique, but at most once per second: an earlier response is delayed. Withdrawing a name, and
closing, sends its records with TTL 0 (section 10.1).

Names are random UUIDs, so that probing and announcing are omitted, as draft-ietf-mmusic-mdns-ice-candidates section 3.1
permits. Left out: unicast and negative responses.
"""

import ipaddress
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols._contract import QueuedCore

from .events import MdnsClosed
from .message import AddressRecord, DnsMessage, Name, Question, RecordType, name_from_text
from .options import ResponderOptions


@attrs.define
class _Publication:
    """A published name; the next response is ``due`` at ``math.inf`` without a query."""

    name: Name
    hosts: tuple[str, ...]
    answered_at: float = -math.inf
    due: float = math.inf


class Responder(QueuedCore[bytes, MdnsClosed]):
    """Responds to queries for published names on the multicast group."""

    def __init__(self, options: ResponderOptions) -> None:
        super().__init__()
        self._options = options
        self._publications: dict[Name, _Publication] = {}
        self._dropped: Counter[str] = Counter()
        self._closed = False

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def dropped(self) -> Mapping[str, int]:
        """Numbers of ignored packets by reason."""
        return MappingProxyType(self._dropped)

    def publish(self, name: str, hosts: Sequence[str], now: float) -> None:
        """Publish a name with these addresses, which replace earlier ones.

        Raises:
            ValueError: The name is not under ``.local``, an address is not numeric, or there are too many names or
                addresses.
        """
        if self._closed:
            return
        try:
            key = name_from_text(name)
        except ProtocolError as error:
            raise ValueError(str(error)) from error
        if len(key) < 2 or key[-1] != b"local":
            raise ValueError(f"{name!r} is not a name under .local")
        if key not in self._publications and len(self._publications) >= self._options.max_names:
            raise ValueError(f"cannot publish more than {self._options.max_names} names")
        canonical = tuple(dict.fromkeys(str(ipaddress.ip_address(host)) for host in hosts))
        if len(canonical) > self._options.max_hosts:
            raise ValueError(f"a name has at most {self._options.max_hosts} addresses, not {len(canonical)}")
        self._publications[key] = _Publication(key, canonical)

    def withdraw(self, name: str, now: float) -> None:
        """Withdraw a name and send a packet with TTL 0. No effect if it is not published."""
        try:
            publication = self._publications.pop(name_from_text(name), None)
        except ProtocolError:
            return
        if publication is not None:
            self._send(publication, ttl=0)

    def receive(self, batch: Sequence[bytes], now: float) -> None:
        """Process packets; only queries for published names are used."""
        if self._closed:
            return
        for data in batch:
            try:
                message = DnsMessage.parse(data)
            except ProtocolError:
                self._dropped["malformed"] += 1
                continue
            if not message.is_response:
                for question in message.questions:
                    self._process_question(question, now)
        self.handle_timer(now)

    def handle_timer(self, now: float) -> None:
        """Send due responses."""
        for publication in self._publications.values():
            if publication.due <= now:
                publication.due = math.inf
                publication.answered_at = now
                self._send(publication, ttl=self._options.ttl)

    def next_timer(self) -> float:
        """Return the time of the next response."""
        return min((publication.due for publication in self._publications.values()), default=math.inf)

    def close(self, now: float) -> None:
        """Withdraw all names, then end."""
        if self._closed:
            return
        self._end()
        for publication in self._publications.values():
            self._send(publication, ttl=0)
        self._publications.clear()

    def lower_closed(self, now: float) -> None:
        if self._closed:
            return
        self._end()
        self._publications.clear()

    def _end(self) -> None:
        self._closed = True
        self._outgoing.clear()
        self._events.append(MdnsClosed())

    def _process_question(self, question: Question, now: float) -> None:
        publication = self._publications.get(question.name)
        if publication is None or publication.due != math.inf:
            return
        versions = {ipaddress.ip_address(host).version for host in publication.hosts}
        requested: dict[int, set[int]] = {
            RecordType.A: {4},
            RecordType.AAAA: {6},
            RecordType.ANY: {4, 6},
        }
        if versions & requested.get(question.type, set()):
            publication.due = max(now, publication.answered_at + self._options.min_interval)

    def _send(self, publication: _Publication, ttl: int) -> None:
        records = tuple(AddressRecord(publication.name, host, ttl) for host in publication.hosts)
        if records:
            self._outgoing.append(DnsMessage(is_response=True, addresses=records).encode())
