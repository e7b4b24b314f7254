"""Resolving ``.local`` names by multicast DNS (RFC 6762), as ICE needs it.

Browsers hide a host's addresses behind random names like ``1f4712db-ea17-4bcf-a596-105139dfd8bf.local``
(draft-ietf-mmusic-mdns-ice-candidates) that only their own network can resolve. A name is *open* from
``resolve`` on: it is asked for at once, again after one second, and at doubling intervals from then on, until
an answer with an address of it comes or the last interval has passed without one.

There is no authentication in mDNS; anyone on the link may answer. That is harmless here: a wrong address gets
connectivity checks that it cannot answer without the peer's ICE password. So an answer counts if somebody has
asked for its name, and nothing else is kept of it: there is no cache.

Each question travels in a packet of its own, because Chromium ignores packets with more than one. Left out:
the cache, known answers (section 7.1), passive observation, and everything else that is for browsing services.
"""

import ipaddress
import logging
import math
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from trio_rtc.errors import ProtocolError
from trio_rtc.protocols.timer import Timer

from .events import MdnsClosed, MdnsEvent, NameResolved, ResolutionFailed
from .message import Message, Name, Question, RecordType, name_from_text
from .options import ResolverOptions
from .state import Lookup

_logger = logging.getLogger("trio_rtc.mdns")

# Safari's last group may have more than 12 digits.
_UUID_NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12,27}\.local\.?", re.IGNORECASE | re.ASCII)
_RETRANSMISSION_SPREAD = 1.1


class Resolver:
    """Asks for names; a ``Core[bytes, MdnsEvent]``. Packets go to and come from the multicast group.

    Args:
        options: Intervals and bounds.
        rng: Spreads retransmissions, so that those who missed the same answer do not ask again in step.
    """

    def __init__(self, options: ResolverOptions, *, rng: random.Random) -> None:
        self._options = options
        self._rng = rng
        self._lookups: dict[Name, Lookup] = {}
        self._outgoing: list[bytes] = []
        self._events: list[MdnsEvent] = []
        self._dropped: Counter[str] = Counter()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether ``close`` or ``lower_closed`` was called."""
        return self._closed

    @property
    def dropped(self) -> Mapping[str, int]:
        """How many packets and addresses were ignored, by reason."""
        return MappingProxyType(self._dropped)

    def resolve(self, name: str, now: float) -> None:
        """Ask for a name; ``NameResolved`` or ``ResolutionFailed`` will tell the result.

        A name that is open already is not asked for twice. One that may not be asked for (see
        ``ResolverOptions.any_local_name``), or is one too many, fails at once.
        """
        if self._closed:
            return
        try:
            key = self._parse_permitted(name)
        except ProtocolError as error:
            _logger.debug("not resolving: %s", error)
            self._events.append(ResolutionFailed(name))
            return
        if key in self._lookups:
            return
        if len(self._lookups) >= self._options.max_names:
            self._events.append(ResolutionFailed(name))
            return
        lookup = self._lookups[key] = Lookup(name, Timer(self._options.first_interval))
        self._send_queries(key, lookup, now)

    def receive(self, batch: Sequence[bytes], now: float) -> None:
        """Take packets; what does not tell an address of an open name is ignored."""
        if self._closed:
            return
        for data in batch:
            try:
                message = Message.parse(data)
            except ProtocolError:
                self._dropped["malformed"] += 1
                continue
            if message.is_response:
                self._process_answers(message)

    def handle_timer(self, now: float) -> None:
        """Ask again for what is due, give up what has been asked for often enough."""
        for key, lookup in list(self._lookups.items()):
            if now < lookup.timer.deadline:
                continue
            if lookup.queries < self._options.max_queries:
                self._send_queries(key, lookup, now)
            else:
                del self._lookups[key]
                self._events.append(ResolutionFailed(lookup.text))

    def next_timer(self) -> float:
        """Return when the next query or failure is due."""
        return min((lookup.timer.deadline for lookup in self._lookups.values()), default=math.inf)

    def datagrams_to_send(self, now: float) -> list[bytes]:
        """Take the packets for the multicast group."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def events(self) -> list[MdnsEvent]:
        """Take what has happened."""
        events, self._events = self._events, []
        return events

    def close(self, now: float) -> None:
        """Forget all names; a resolver has nobody to say goodbye to."""
        if self._closed:
            return
        self._closed = True
        self._lookups.clear()
        self._outgoing.clear()
        self._events.append(MdnsClosed())

    def lower_closed(self, now: float) -> None:
        """Hear that nothing can be sent any more."""
        self.close(now)

    def _parse_permitted(self, name: str) -> Name:
        key = name_from_text(name)
        if self._options.any_local_name:
            if len(key) < 2 or key[-1] != b"local":
                raise ProtocolError(f"{name!r} is not a name under .local")
        elif not _UUID_NAME.fullmatch(name):
            raise ProtocolError(f"{name!r} is not a name that a browser makes up")
        return key

    def _send_queries(self, key: Name, lookup: Lookup, now: float) -> None:
        unicast_response = self._options.unicast_response and lookup.queries == 0
        for record_type in (RecordType.A, RecordType.AAAA):
            question = Question(key, record_type, unicast_response)
            self._outgoing.append(Message(is_response=False, questions=(question,)).encode())
        interval = self._options.first_interval * self._options.factor**lookup.queries
        lookup.timer.start(now, interval * self._rng.uniform(1.0, _RETRANSMISSION_SPREAD))
        lookup.queries += 1

    def _process_answers(self, message: Message) -> None:
        answers: dict[Name, list[str]] = {}
        for record in message.addresses:
            if record.name not in self._lookups or record.ttl == 0:
                continue
            if not _is_usable(record.host):
                self._dropped["unusable address"] += 1
                continue
            hosts = answers.setdefault(record.name, [])
            if record.host not in hosts and len(hosts) < self._options.max_hosts:
                hosts.append(record.host)
        for name, hosts in answers.items():
            lookup = self._lookups.pop(name)
            self._events.append(NameResolved(lookup.text, tuple(hosts)))


def _is_usable(host: str) -> bool:
    """Return whether a peer can have the address: loopback it can, when it is on this very host."""
    address = ipaddress.ip_address(host)
    return not (address.is_multicast or address.is_unspecified)
