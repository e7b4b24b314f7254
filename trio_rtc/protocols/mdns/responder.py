"""Answering for our own ``.local`` names (RFC 6762 section 6), so that candidates need not show addresses.

A name is *published* with its addresses until it is withdrawn. A query for it is answered by multicast at
once, as there is nobody else who could answer, but not more often than once a second: an answer that would
come too early waits. Withdrawing, and closing, tells everybody to forget the name.

Names are random UUIDs, so probing for conflicts and announcing are left out, as
draft-ietf-mmusic-mdns-ice-candidates section 3.1 allows. Left out, too: unicast answers, and negative ones.
"""

import ipaddress
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from trio_rtc.errors import ProtocolError

from .events import MdnsClosed
from .message import AddressRecord, Message, Name, Question, RecordType, name_from_text
from .options import ResponderOptions
from .state import Publication


class Responder:
    """Answers for published names; a ``Core[bytes, MdnsClosed]`` on the multicast group.

    Args:
        options: Intervals and bounds.
    """

    def __init__(self, options: ResponderOptions) -> None:
        self._options = options
        self._publications: dict[Name, Publication] = {}
        self._outgoing: list[bytes] = []
        self._events: list[MdnsClosed] = []
        self._dropped: Counter[str] = Counter()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether ``close`` or ``lower_closed`` was called."""
        return self._closed

    @property
    def dropped(self) -> Mapping[str, int]:
        """How many packets were ignored, by reason."""
        return MappingProxyType(self._dropped)

    def publish(self, name: str, hosts: Sequence[str], now: float) -> None:
        """Answer for a name from now on; one that is published already gets these addresses instead.

        Raises:
            ValueError: It is not a name under ``.local``, an address is not numeric, or there are too
                many names or addresses.
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
            raise ValueError(f"there are {len(self._publications)} published names already")
        canonical = tuple(dict.fromkeys(str(ipaddress.ip_address(host)) for host in hosts))
        if len(canonical) > self._options.max_hosts:
            raise ValueError(f"{len(canonical)} addresses are too many for one name")
        self._publications[key] = Publication(key, canonical)

    def withdraw(self, name: str, now: float) -> None:
        """Answer for a name no longer, and tell so. Harmless if it is not published."""
        try:
            publication = self._publications.pop(name_from_text(name), None)
        except ProtocolError:
            return
        if publication is not None:
            self._send(publication, ttl=0)

    def receive(self, batch: Sequence[bytes], now: float) -> None:
        """Take packets; all but queries for published names are ignored."""
        if self._closed:
            return
        for data in batch:
            try:
                message = Message.parse(data)
            except ProtocolError:
                self._dropped["malformed"] += 1
                continue
            if not message.is_response:
                for question in message.questions:
                    self._process_question(question, now)
        self.handle_timer(now)

    def handle_timer(self, now: float) -> None:
        """Send the answers that are due."""
        for publication in self._publications.values():
            if publication.due <= now:
                publication.due = math.inf
                publication.answered_at = now
                self._send(publication, ttl=self._options.ttl)

    def next_timer(self) -> float:
        """Return when the next answer is due."""
        return min((publication.due for publication in self._publications.values()), default=math.inf)

    def datagrams_to_send(self, now: float) -> list[bytes]:
        """Take the packets for the multicast group."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def events(self) -> list[MdnsClosed]:
        """Take what has happened."""
        events, self._events = self._events, []
        return events

    def close(self, now: float) -> None:
        """Withdraw all names, then end."""
        if self._closed:
            return
        self._end()
        for publication in self._publications.values():
            self._send(publication, ttl=0)
        self._publications.clear()

    def lower_closed(self, now: float) -> None:
        """Hear that nothing can be sent any more."""
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
        wanted: dict[int, set[int]] = {
            RecordType.A: {4},
            RecordType.AAAA: {6},
            RecordType.ANY: {4, 6},
        }
        if versions & wanted.get(question.type, set()):
            publication.due = max(now, publication.answered_at + self._options.min_interval)

    def _send(self, publication: Publication, ttl: int) -> None:
        records = tuple(AddressRecord(publication.name, host, ttl) for host in publication.hosts)
        if records:
            self._outgoing.append(Message(is_response=True, addresses=records).encode())
