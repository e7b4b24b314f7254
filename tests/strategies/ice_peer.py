"""A scripted ICE peer that sends and answers single STUN messages, so that a test can violate the protocol."""

import itertools
import random
from collections.abc import Sequence
from typing import Any, Final

from trio_rtc.protocols._contract import Address, Datagram
from trio_rtc.protocols.ice import Agent, Candidate, IceOptions, IceParameters, IceRole
from trio_rtc.protocols.stun import (
    AttributeType,
    ErrorCode,
    Message,
    MessageClass,
    StunAttribute,
    binding_request,
    error_response,
    success_response,
)

ALICE: Final = Address("10.0.0.1", 10000)
BOB: Final = Address("10.0.0.2", 2000)
BOB_AGAIN: Final = Address("10.0.0.3", 3000)


def agent_with_two_pairs(role: IceRole) -> tuple[Agent, "ScriptedPeer"]:
    """Return an agent at ALICE, and its peer with candidates at BOB (higher priority) and BOB_AGAIN, none checked."""
    agent = Agent(IceOptions(), rng=random.Random(1), role=role)
    agent.add_socket(ALICE, local_preference=65535, now=0.0)
    agent.finish_sources(0.0)
    peer = ScriptedPeer(agent, ALICE, BOB)
    agent.set_remote_parameters(peer.parameters, 0.0)
    agent.add_remote_candidate(peer.candidate(), 0.0)
    host, port = BOB_AGAIN
    agent.add_remote_candidate(Candidate.parse(f"candidate:5 1 udp 5 {host} {port} typ host"), 0.0)
    return agent, peer


def agent_with_pairs(
    role: IceRole,
    *,
    local: Sequence[Address] = (ALICE,),
    remote: Sequence[Address] = (BOB, BOB_AGAIN),
    **options: Any,
) -> tuple[Agent, "ScriptedPeer"]:
    """Return an agent and its peer with candidates at these addresses, by falling priority, none checked."""
    agent = Agent(IceOptions(**options), rng=random.Random(1), role=role)
    for index, address in enumerate(local):
        agent.add_socket(address, local_preference=65535 - index, now=0.0)
    agent.finish_sources(0.0)
    peer = ScriptedPeer(agent, local[0], remote[0])
    agent.set_remote_parameters(peer.parameters, 0.0)
    add_candidates(agent, 0.0, *remote)
    return agent, peer


def add_candidates(agent: Agent, now: float, *addresses: Address) -> None:
    """Add candidates of the peer at these addresses, of falling priority and different foundations."""
    for index, (host, port) in enumerate(addresses):
        line = f"candidate:{index} 1 udp {1000 - index} {host} {port} typ host"
        agent.add_remote_candidate(Candidate.parse(line), now)


class ScriptedPeer:
    """A peer that exchanges STUN messages with one agent from one address."""

    def __init__(self, agent: Agent, local: Address, address: Address, *, ice_lite: bool = False) -> None:
        self.agent = agent
        self.local = local
        self.address = address
        self.parameters = IceParameters("peer", "peerpasswordpeerpassword", ice_lite)
        self._passwords = {self.parameters.username_fragment: self.parameters.password}
        self._counter = itertools.count(1)

    def restart(self) -> IceParameters:
        """Return new parameters; requests with the previous ones are still answered."""
        number = len(self._passwords) + 1
        self.parameters = IceParameters(f"peer-{number}", f"peerpassword-{number}".ljust(24, "+"))
        self._passwords[self.parameters.username_fragment] = self.parameters.password
        return self.parameters

    def candidate(self, priority: int = 2130706431, **changes: object) -> Candidate:
        host, port = self.address
        return Candidate.parse(f"candidate:1 1 udp {priority} {host} {port} typ host")

    def request(
        self,
        *,
        use_candidate: bool = False,
        controlling: bool | None = None,
        tie_breaker: int = 1,
        username: str | None = None,
        password: str | None = None,
        extra: tuple[StunAttribute, ...] = (),
        priority: bytes = b"\x6e\x7f\xff\xff",
    ) -> Message:
        """Return a check for the agent, and record its key."""
        parameters = self.agent.local_parameters
        self.key = (password or parameters.password).encode()
        if controlling is None:
            controlling = self.agent.role == "controlled"
        role = AttributeType.ICE_CONTROLLING if controlling else AttributeType.ICE_CONTROLLED
        name = username or f"{parameters.username_fragment}:{self.parameters.username_fragment}"
        attributes = [
            StunAttribute(AttributeType.USERNAME, name.encode()),
            StunAttribute(AttributeType.PRIORITY, priority),
            StunAttribute(role, tie_breaker.to_bytes(8, "big")),
            *extra,
        ]
        if use_candidate:
            attributes.append(StunAttribute(AttributeType.USE_CANDIDATE, b""))
        return binding_request(next(self._counter).to_bytes(12, "big"), attributes)

    def check(self, now: float, *, source: Address | None = None, **kwargs: object) -> Message | None:
        """Send a check and return the agent's response; other packets of the agent are discarded."""
        request = self.request(**kwargs)  # type: ignore[arg-type]
        datagram = Datagram(request.encode(key=self.key), self.local, source or self.address)
        self.agent.receive([datagram], now)
        self.sent = self.agent.datagrams_to_send(now)
        for sent in self.sent:
            message = Message.parse(sent.data)
            if message.transaction_id == request.transaction_id and sent.remote == datagram.remote:
                return message
        return None

    def new_requests(self, now: float) -> list[Datagram]:
        """Return the agent's new requests to this peer's address."""
        return [
            datagram
            for datagram in self.agent.datagrams_to_send(now)
            if Message.parse(datagram.data).message_class is MessageClass.REQUEST
            and datagram.remote == self.address
        ]

    def answer(
        self,
        datagram: Datagram,
        now: float,
        *,
        mapped: Address | None = None,
        error: ErrorCode | None = None,
        source: Address | None = None,
        password: str | None = None,
    ) -> None:
        """Answer one of the agent's requests."""
        request = Message.parse(datagram.data)
        fragment, _, _ = (request.username or "").partition(":")
        key = (password or self._passwords[fragment]).encode()
        if error is None:
            response = success_response(request, mapped or datagram.local)
        else:
            response = error_response(request, error)
        self.agent.receive(
            [Datagram(response.encode(key=key), datagram.local, source or datagram.remote)], now
        )

    def answer_until(self, now: float, until: float, *targets: Address) -> list[Datagram]:
        """Run the agent until a time, answer its requests to ``targets`` (default: all), and return all requests."""
        agent, requests = self.agent, []
        while now <= until:
            for datagram in agent.datagrams_to_send(now):
                if Message.parse(datagram.data).message_class is not MessageClass.REQUEST:
                    continue
                requests.append(datagram)
                if not targets or datagram.remote in targets:
                    self.answer(datagram, now)
            now = agent.next_timer()
            if now <= until:
                agent.handle_timer(now)
                assert agent.next_timer() > now
        return requests
