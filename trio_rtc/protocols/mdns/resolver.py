"""Resolution of ``.local`` names by multicast DNS (RFC 6762), for ICE.

Browsers replace a host's addresses by random names like ``1f4712db-ea17-4bcf-a596-105139dfd8bf.local``
(draft-ietf-mmusic-mdns-ice-candidates) that only the local network can resolve. A name is *being resolved* from
``resolve`` on: it is queried immediately, again after one second, and then at doubling intervals. It is *resolved* by
the first response with an address, and *fails* when the last interval has passed without one.

mDNS has no authentication; any host on the link may respond. That is harmless for ICE: a wrong address receives
connectivity checks that it cannot answer without the peer's ICE password. Only responses for names being resolved are
used, and nothing is cached.

Each question is sent in a separate packet, because Chromium ignores packets with several. Left out: the cache, known
answers (section 7.1), passive observation, and service discovery.
"""

import ipaddress
import logging
import math
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from trio_rtc import _attrs as attrs
from trio_rtc.errors import ProtocolError
from trio_rtc.protocols._contract import QueuedCore
from trio_rtc.protocols.timer import Timer

from .events import MdnsClosed, MdnsEvent, NameResolved, ResolutionFailed
from .message import DnsMessage, Name, Question, RecordType, name_from_text
from .options import ResolverOptions

_logger = logging.getLogger("trio_rtc.mdns")

# Safari's last group may have more than 12 digits.
_UUID_NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12,27}\.local\.?", re.IGNORECASE | re.ASCII)
_RETRANSMISSION_SPREAD = 1.1


@attrs.define
class _Lookup:
    """A name that is being resolved; the timer is for the next query or the failure."""

    text: str
    timer: Timer
    queries: int = 0


class Resolver(QueuedCore[bytes, MdnsEvent]):
    """Resolves names. Packets are sent to and received from the multicast group.

    Args:
        options: Intervals and limits.
        rng: Randomizes retransmissions, so that hosts that missed the same response do not query simultaneously.
    """

    def __init__(self, options: ResolverOptions, *, rng: random.Random) -> None:
        super().__init__()
        self._options = options
        self._rng = rng
        self._lookups: dict[Name, _Lookup] = {}
        self._dropped: Counter[str] = Counter()
        self._closed = False

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def dropped(self) -> Mapping[str, int]:
        """Numbers of ignored packets and addresses by reason."""
        return MappingProxyType(self._dropped)

    def resolve(self, name: str, now: float) -> None:
        """Resolve a name; the result is a ``NameResolved`` or ``ResolutionFailed`` event.

        A name that is being resolved is not queried twice. One that is not permitted (see
        ``ResolverOptions.any_local_name``) or exceeds ``max_names`` fails immediately.
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
        lookup = self._lookups[key] = _Lookup(name, Timer(self._options.first_interval))
        self._send_queries(key, lookup, now)

    def receive(self, batch: Sequence[bytes], now: float) -> None:
        """Process packets; only addresses of names being resolved are used."""
        if self._closed:
            return
        for data in batch:
            try:
                message = DnsMessage.parse(data)
            except ProtocolError:
                self._dropped["malformed"] += 1
                continue
            if message.is_response:
                self._process_answers(message)

    def handle_timer(self, now: float) -> None:
        """Send due queries, and fail names after their last interval."""
        for key, lookup in list(self._lookups.items()):
            if now < lookup.timer.deadline:
                continue
            if lookup.queries < self._options.max_queries:
                self._send_queries(key, lookup, now)
            else:
                del self._lookups[key]
                self._events.append(ResolutionFailed(lookup.text))

    def next_timer(self) -> float:
        """Return the time of the next query or failure."""
        return min((lookup.timer.deadline for lookup in self._lookups.values()), default=math.inf)

    def close(self, now: float) -> None:
        """Stop all resolutions."""
        if self._closed:
            return
        self._closed = True
        self._lookups.clear()
        self._outgoing.clear()
        self._events.append(MdnsClosed())

    def lower_closed(self, now: float) -> None:
        self.close(now)

    def _parse_permitted(self, name: str) -> Name:
        key = name_from_text(name)
        if self._options.any_local_name:
            if len(key) < 2 or key[-1] != b"local":
                raise ProtocolError(f"{name!r} is not a name under .local")
        elif not _UUID_NAME.fullmatch(name):
            raise ProtocolError(f"{name!r} is not a UUID under .local")
        return key

    def _send_queries(self, key: Name, lookup: _Lookup, now: float) -> None:
        unicast_response = self._options.unicast_response and lookup.queries == 0
        for record_type in (RecordType.A, RecordType.AAAA):
            question = Question(key, record_type, unicast_response)
            self._outgoing.append(DnsMessage(is_response=False, questions=(question,)).encode())
        interval = self._options.first_interval * self._options.factor**lookup.queries
        lookup.timer.start(now, interval * self._rng.uniform(1.0, _RETRANSMISSION_SPREAD))
        lookup.queries += 1

    def _process_answers(self, message: DnsMessage) -> None:
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
    """Return whether a peer can have the address; a peer on this host may have a loopback address."""
    address = ipaddress.ip_address(host)
    return not (address.is_multicast or address.is_unspecified)
