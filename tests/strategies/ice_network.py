"""Two ICE agents on a simulated network in virtual time."""

import heapq
import itertools
import math
import random
from collections.abc import Callable, Sequence

from trio_rtc.protocols._contract import Address, Datagram
from trio_rtc.protocols.ice import Agent, Candidate, IceEvent, IceOptions, IceRole
from trio_rtc.protocols.ice.events import LocalCandidateGathered

Route = Callable[[Datagram], "Datagram | None"]


class Host:
    """An agent with its events and local addresses."""

    def __init__(self, agent: Agent, addresses: Sequence[Address]) -> None:
        self.agent = agent
        self.addresses = tuple(addresses)
        self.events: list[IceEvent] = []

    def collect_events(self) -> list[IceEvent]:
        events = list(self.agent.events())
        self.events += events
        return events

    def events_of(self, kind: type) -> list[IceEvent]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def candidates(self) -> list[Candidate]:
        """The candidates of the current generation."""
        fragment = self.agent.local_parameters.username_fragment
        return [
            event.candidate
            for event in self.events
            if isinstance(event, LocalCandidateGathered) and event.candidate.username_fragment == fragment
        ]


class IceNetwork:
    """Carries datagrams between hosts after ``delay`` seconds; ``route`` may change, answer or drop them."""

    def __init__(self, delay: float = 0.001) -> None:
        self.now = 100.0
        self.delay = delay
        self.hosts: list[Host] = []
        self.route: Route = lambda datagram: datagram
        self.sent: list[tuple[float, Datagram]] = []
        self._flight: list[tuple[float, int, Datagram]] = []
        self._counter = itertools.count()

    def add_host(
        self,
        role: IceRole,
        *addresses: Address,
        seed: int = 0,
        options: IceOptions | None = None,
        complete: bool = True,
    ) -> Host:
        agent = Agent(options or IceOptions(), rng=random.Random(seed or len(self.hosts) + 1), role=role)
        host = Host(agent, addresses)
        self.hosts.append(host)
        for index, address in enumerate(addresses):
            agent.add_socket(address, local_preference=65535 - index, now=self.now)
        if complete:
            agent.finish_sources(self.now)
        host.collect_events()
        return host

    def send(self, datagram: Datagram, delay: float | None = None) -> None:
        """Put a datagram onto the network; ``local`` is its source, ``remote`` its destination."""
        self.sent.append((self.now, datagram))
        routed = self.route(datagram)
        if routed is not None:
            due = self.now + (self.delay if delay is None else delay)
            heapq.heappush(self._flight, (due, next(self._counter), routed))

    def flush(self) -> None:
        for host in self.hosts:
            for datagram in host.agent.datagrams_to_send(self.now):
                self.send(datagram)
            host.collect_events()

    def deliver(self, datagram: Datagram) -> None:
        for host in self.hosts:
            if datagram.remote in host.addresses:
                host.agent.receive([Datagram(datagram.data, datagram.remote, datagram.local)], self.now)

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Advance time until ``until`` holds, at most ``seconds``; return whether it holds."""
        end = self.now + seconds
        self.flush()
        while not until():
            due = min(
                self._flight[0][0] if self._flight else math.inf,
                *(host.agent.next_timer() for host in self.hosts),
            )
            if due > end:
                self.now = end
                return until()
            self.now = max(self.now, due)
            while self._flight and self._flight[0][0] <= self.now:
                self.deliver(heapq.heappop(self._flight)[2])
            for host in self.hosts:
                if host.agent.next_timer() <= self.now:
                    host.agent.handle_timer(self.now)
                    assert host.agent.next_timer() > self.now, "the timer spins"
            self.flush()
        return True


def signal(network: IceNetwork, source: Host, target: Host, *, complete: bool = True) -> None:
    """Pass one host's parameters and candidates to the other."""
    target.agent.set_remote_parameters(source.agent.local_parameters, network.now)
    for candidate in source.candidates:
        target.agent.add_remote_candidate(Candidate.parse(candidate.to_sdp()), network.now)
    if complete:
        target.agent.remote_candidates_complete(network.now)


def are_connected(*hosts: Host) -> bool:
    """Return whether all agents are connected and have selected a nominated pair."""
    entries = [host.agent.selected_entry for host in hosts]
    if any(entry is None or not entry.nominated for entry in entries):
        return False
    return all(host.agent.state in ("connected", "completed") for host in hosts)
