"""Every core implements the interface of cores, in every stage."""

import functools
import hashlib
import math
import os
import random
import subprocess
import sys
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.contract import (
    START,
    AnyCore,
    NetworkAction,
    Stage,
    Subject,
    check_closing,
    check_collecting_twice_is_empty,
    check_determinism,
    check_empty_batch,
    check_hostile_packets,
    check_lower_closing,
    check_sizes,
    check_timer_does_not_spin,
    make_fixture,
    network_actions,
    transcript,
)
from tests.strategies import rtp_pair
from tests.strategies.sealed_packets import seal_dtls, seal_ice, seal_rtp, seal_sctp, seal_stun
from trio_rtc.protocols import datachannel, dtls, ice, mdns, rtp, sctp, stun, turn
from trio_rtc.protocols._contract import Address, Datagram
from trio_rtc.testing import TurnServer

ALICE, BOB = Address("192.0.2.1", 5000), Address("192.0.2.2", 6000)
MDNS_NAME = "1f4712db-ea17-4bcf-a596-105139dfd8bf.local"


def reverse_path(datagram: Datagram) -> Datagram:
    """Return a datagram with the path of its receiver."""
    return Datagram(datagram.data, datagram.remote, datagram.local)


def to_alice(data: bytes) -> Datagram:
    return Datagram(data, ALICE, BOB)


# STUN: a client, and another one as its peer, which does not answer.


def make_stun(rng: random.Random) -> tuple[AnyCore, AnyCore]:
    return stun.Client(stun.TransactionOptions()), stun.Client(stun.TransactionOptions())


def start_stun(core: AnyCore, peer: AnyCore, now: float) -> None:
    for client, local, remote in ((core, ALICE, BOB), (peer, BOB, ALICE)):
        assert isinstance(client, stun.Client)
        client.start(stun.binding_request(local.host.encode()[:12].ljust(12)), local, remote, now=now)


def use_stun(core: AnyCore, now: float) -> None:
    assert isinstance(core, stun.Client)
    core.start(stun.binding_request(bytes(12)), ALICE, BOB, now=now, key=b"key")


# TURN: the client of an allocation, and the simulated server, which has no timers and never ends.


class TurnServerPeer:
    """A simulated server with the interface of a core."""

    def __init__(self, rng: random.Random) -> None:
        self._server = TurnServer({"alice": "secret"}, [BOB.host], rng=rng)
        self._outgoing: list[bytes] = []
        self.closed = False

    def receive(self, batch: Sequence[bytes], now: float) -> None:
        for data in batch:
            if not self.closed:
                answers = self._server.receive(Datagram(data, BOB, ALICE), now)
                self._outgoing += [answer.data for answer in answers if answer.remote == ALICE]

    def handle_timer(self, now: float) -> None:
        pass

    def next_timer(self) -> float:
        return math.inf

    def datagrams_to_send(self, now: float) -> list[bytes]:
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def events(self) -> list[turn.TurnEvent]:
        return []

    def close(self, now: float) -> None:
        self.closed = True

    lower_closed = close


def make_turn(rng: random.Random, *, reliable: bool) -> tuple[AnyCore, AnyCore]:
    credentials = stun.LongTermCredentials("alice", "secret")
    core = turn.Allocation(turn.TurnOptions(), rng=rng, credentials=credentials, reliable=reliable)
    return core, TurnServerPeer(rng)


def start_turn(core: AnyCore, peer: AnyCore, now: float) -> None:
    assert isinstance(core, turn.Allocation)
    core.allocate(now)


def use_turn(core: AnyCore, now: float) -> None:
    assert isinstance(core, turn.Allocation)
    for packet in (b"\x00check", b"\x16data", b"\x16data"):
        core.send([packet], Address("203.0.113.5", 5000), now)
    core.received_data()


def turn_subject(name: str, *, reliable: bool) -> Subject:
    make = functools.partial(make_turn, reliable=reliable)
    return Subject(name=name, make=make, start=start_turn, use=use_turn, reports_closed=False)


# ICE: two agents with an address each.


def make_ice(rng: random.Random, *, role: ice.IceRole) -> tuple[AnyCore, AnyCore]:
    other = ice.IceRole.CONTROLLED if role is ice.IceRole.CONTROLLING else ice.IceRole.CONTROLLING
    options = ice.IceOptions()
    return ice.Agent(options, rng=rng, role=role), ice.Agent(options, rng=rng, role=other)


def start_ice(core: AnyCore, peer: AnyCore, now: float) -> None:
    assert isinstance(core, ice.Agent)
    assert isinstance(peer, ice.Agent)
    for agent, address in ((core, ALICE), (peer, BOB)):
        agent.add_socket(address, local_preference=65535, now=now)
        agent.finish_sources(now)
    for agent, other in ((core, peer), (peer, core)):
        agent.set_remote_parameters(other.local_parameters, now)
        for candidate in other.local_candidates:
            agent.add_remote_candidate(candidate, now)
        agent.remote_candidates_complete(now)


def restart_ice(core: AnyCore, now: float) -> None:
    assert isinstance(core, ice.Agent)
    core.restart(now)
    core.set_remote_parameters(ice.IceParameters("abcd", "x" * 22), now)
    core.add_stun_server(ice.IceServer.parse("stun:stun.example"), Address("198.51.100.1", 3478), now)


# DTLS


@functools.cache
def certificate(seed: int) -> dtls.Certificate:
    return dtls.Certificate.generate(random.Random(seed), 1_700_000_000.0)


def make_dtls(
    rng: random.Random, *, role: dtls.DtlsRole, options: dtls.DtlsOptions
) -> tuple[AnyCore, AnyCore]:
    first, second = certificate(1), certificate(2)
    core = dtls.Connection(options, role=role, certificate=first, rng=rng, wall_clock=1_700_000_000.0)
    peer = dtls.Connection(options, role=role.other, certificate=second, rng=rng, wall_clock=1_700_000_000.0)
    core.set_remote_fingerprints([second.fingerprint()])
    peer.set_remote_fingerprints([first.fingerprint()])
    return core, peer


def start_dtls(core: AnyCore, peer: AnyCore, now: float) -> None:
    for connection in (core, peer):
        assert isinstance(connection, dtls.Connection)
        connection.start(now)


def use_dtls(core: AnyCore, now: float) -> None:
    assert isinstance(core, dtls.Connection)
    core.send([b"hello", bytes(core.max_application_data)], now)


# SCTP


def make_sctp(rng: random.Random) -> tuple[AnyCore, AnyCore]:
    options = sctp.SctpOptions()
    return sctp.Association(options, rng=rng), sctp.Association(options, rng=rng)


def connect_sctp(core: AnyCore, peer: AnyCore, now: float) -> None:
    assert isinstance(core, sctp.Association)
    core.connect(now)


def be_connected_sctp(core: AnyCore, peer: AnyCore, now: float) -> None:
    assert isinstance(peer, sctp.Association)
    peer.connect(now)
    peer.send(0, 51, b"x" * 5000, now)


def use_sctp(core: AnyCore, now: float) -> None:
    assert isinstance(core, sctp.Association)
    core.send(1, 51, b"x" * 5000, now)
    core.send(2, 51, b"unreliable", now, ordered=False, max_retransmits=0)
    core.send(3, 51, b"for a second", now, lifetime=1.0)
    core.reset_streams([1], now)


# Data channels


def make_channels(rng: random.Random) -> tuple[AnyCore, AnyCore]:
    return datachannel.ChannelControl(), datachannel.ChannelControl()


def start_channels(core: AnyCore, peer: AnyCore, now: float) -> None:
    for control, is_dtls_client in ((core, True), (peer, False)):
        assert isinstance(control, datachannel.ChannelControl)
        control.create_channel(datachannel.ChannelParameters("label"))
        control.set_role(is_dtls_client=is_dtls_client)
        control.association_established(1024)


def use_channels(core: AnyCore, now: float) -> None:
    assert isinstance(core, datachannel.ChannelControl)
    core.close_channel(core.create_channel(datachannel.ChannelParameters("another")))


def control_message(data: bytes) -> datachannel.ControlMessage:
    return datachannel.ControlMessage(data[0] if data else 0, data[1:])


def control_payload(message: datachannel.ControlMessage) -> bytes:
    return bytes([message.stream_id % 256]) + message.data


# mDNS: a resolver and a responder.


def make_resolver(rng: random.Random) -> tuple[AnyCore, AnyCore]:
    return (
        mdns.Resolver(mdns.ResolverOptions(), rng=rng),
        mdns.Responder(mdns.ResponderOptions()),
    )


def start_resolver(core: AnyCore, peer: AnyCore, now: float) -> None:
    assert isinstance(core, mdns.Resolver)
    assert isinstance(peer, mdns.Responder)
    peer.publish(MDNS_NAME, ["192.0.2.1", "2001:db8::1"], now)
    core.resolve(MDNS_NAME, now)


def use_resolver(core: AnyCore, now: float) -> None:
    assert isinstance(core, mdns.Resolver)
    core.resolve(MDNS_NAME.replace("1", "2"), now)
    core.resolve("not one to ask for", now)


def make_responder(rng: random.Random) -> tuple[AnyCore, AnyCore]:
    resolver, responder = make_resolver(rng)
    return responder, resolver


def start_responder(core: AnyCore, peer: AnyCore, now: float) -> None:
    start_resolver(peer, core, now)


def use_responder(core: AnyCore, now: float) -> None:
    assert isinstance(core, mdns.Responder)
    core.publish("other.local", ["192.0.2.7"], now)
    core.withdraw(MDNS_NAME, now)


# RTP: sender, receiver, both, and without keys.

RTP_SECTIONS = (
    rtp_pair.video_section(
        rtp_pair.VP8,
        rtp_pair.VP8_RTX,
        rtp_pair.RED_VIDEO,
        rtp_pair.RED_RTX,
        rtp_pair.ULPFEC,
    ),
    rtp_pair.audio_section(rtp_pair.OPUS, rtp_pair.RED_AUDIO),
)


def make_rtp(rng: random.Random) -> tuple[AnyCore, AnyCore]:
    options = rtp.RtpOptions(red_loss=0.0, fec_loss=0.0)
    return tuple(  # type: ignore[return-value]
        rtp.RtpSession(options, rng=rng, wall_clock=1_700_000_000.0, cname=name) for name in ("core", "peer")
    )


def start_rtp(core: AnyCore, peer: AnyCore, now: float, *, roles: str) -> None:
    assert isinstance(core, rtp.RtpSession)
    assert isinstance(peer, rtp.RtpSession)
    sends, receives = RTP_SECTIONS, [rtp_pair.received(section) for section in RTP_SECTIONS]
    srtp, peer_srtp = rtp_pair.srtp_pair()
    core.set_sections(sends if "s" in roles else (), receives if "r" in roles else (), now)
    peer.set_sections(sends if "r" in roles else (), receives if "s" in roles else (), now)
    peer.set_keys(peer_srtp, now)
    if "k" in roles:
        core.set_keys(srtp, now)
    for session in (core, peer):
        for mid in (rtp_pair.VIDEO, rtp_pair.AUDIO):
            session.set_demand(mid, frames=True, packets=True)
    use_rtp(core, now)
    use_rtp(peer, now)


def use_rtp(core: AnyCore, now: float) -> None:
    assert isinstance(core, rtp.RtpSession)
    if core.srtp is None and now > START:
        core.set_keys(rtp_pair.srtp_pair()[0], now)
    for number in range(3):
        core.send_frame(rtp_pair.VIDEO, rtp_pair.video_frame(number, now, 5000), now)
        core.send_frame(rtp_pair.AUDIO, rtp_pair.audio_frame(number, now), now)
    core.request_keyframe(rtp_pair.VIDEO, None, now)


def rtp_subject(name: str, roles: str) -> Subject:
    start = functools.partial(start_rtp, roles=roles)
    return Subject(name=name, make=make_rtp, start=start, use=use_rtp, seal=seal_rtp)


def dtls_subject(name: str, role: dtls.DtlsRole, options: dtls.DtlsOptions) -> Subject:
    make = functools.partial(make_dtls, role=role, options=options)
    return Subject(name=name, make=make, start=start_dtls, use=use_dtls, mtu=options.mtu, seal=seal_dtls)


def ice_subject(name: str, role: ice.IceRole) -> Subject:
    return Subject(
        name=name,
        make=functools.partial(make_ice, role=role),
        start=start_ice,
        use=restart_ice,
        packet=to_alice,
        payload=lambda datagram: bytes(datagram.data),
        as_received=reverse_path,
        seal=seal_ice,
    )


def sctp_subject(name: str, start: Callable[[AnyCore, AnyCore, float], None]) -> Subject:
    return Subject(name=name, make=make_sctp, start=start, use=use_sctp, mtu=1160, seal=seal_sctp)


SUBJECTS = [
    Subject(
        name="stun client",
        make=make_stun,
        start=start_stun,
        use=use_stun,
        packet=to_alice,
        payload=lambda datagram: bytes(datagram.data),
        as_received=reverse_path,
        seal=seal_stun,
        reports_closed=False,
    ),
    turn_subject("turn over udp", reliable=False),
    turn_subject("turn over tcp", reliable=True),
    ice_subject("ice controlling", ice.IceRole.CONTROLLING),
    ice_subject("ice controlled", ice.IceRole.CONTROLLED),
    dtls_subject("dtls client", dtls.DtlsRole.CLIENT, dtls.DtlsOptions()),
    dtls_subject("dtls server", dtls.DtlsRole.SERVER, dtls.DtlsOptions()),
    dtls_subject("dtls client, small mtu", dtls.DtlsRole.CLIENT, dtls.DtlsOptions(mtu=200)),
    dtls_subject(
        "dtls server with cookies", dtls.DtlsRole.SERVER, dtls.DtlsOptions(require_cookie=True, mtu=300)
    ),
    sctp_subject("sctp connecting", connect_sctp),
    sctp_subject("sctp listening", be_connected_sctp),
    Subject(
        name="data channels",
        make=make_channels,
        start=start_channels,
        use=use_channels,
        packet=control_message,
        payload=control_payload,
    ),
    rtp_subject("rtp both ways", "srk"),
    rtp_subject("rtp without keys", "r"),
    Subject(name="mdns resolver", make=make_resolver, start=start_resolver, use=use_resolver),
    Subject(name="mdns responder", make=make_responder, start=start_responder, use=use_responder),
]

every_subject = pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)
every_stage = pytest.mark.parametrize("stage", Stage)
stages = st.sampled_from(Stage)


@every_subject
@given(stage=stages, script=network_actions)
def test_hostile_packets(subject: Subject, stage: Stage, script: list[NetworkAction]) -> None:
    check_hostile_packets(subject, stage, script)


@every_subject
@given(stage=stages, script=network_actions)
def test_determinism(subject: Subject, stage: Stage, script: list[NetworkAction]) -> None:
    check_determinism(subject, stage, script)


@every_subject
@every_stage
def test_collecting_twice_is_empty(subject: Subject, stage: Stage) -> None:
    check_collecting_twice_is_empty(make_fixture(subject, stage))


@every_subject
@every_stage
def test_timer_does_not_spin(subject: Subject, stage: Stage) -> None:
    check_timer_does_not_spin(make_fixture(subject, stage))


@every_subject
@every_stage
def test_closing(subject: Subject, stage: Stage) -> None:
    check_closing(subject, stage)


@every_subject
@every_stage
def test_lower_closing(subject: Subject, stage: Stage) -> None:
    check_lower_closing(subject, stage)


@every_subject
@every_stage
def test_sizes(subject: Subject, stage: Stage) -> None:
    check_sizes(subject, stage)


@every_subject
@every_stage
def test_empty_batch(subject: Subject, stage: Stage) -> None:
    check_empty_batch(subject, stage)


@every_subject
def test_every_core_is_active(subject: Subject) -> None:
    """Otherwise the checks would check nothing."""
    fixture = make_fixture(subject, Stage.BUSY)
    assert fixture.sent
    assert fixture.corpus
    assert not fixture.core.closed
    assert not subject.reports_closed or not make_fixture(subject, Stage.UP).core.closed


def digest_of_all() -> str:
    """Return a hash of the packets and events of all subjects."""
    text = "".join(transcript(subject, Stage.BUSY) for subject in SUBJECTS)
    return hashlib.sha256(text.encode()).hexdigest()


def test_nothing_depends_on_the_order_of_sets(pytestconfig: pytest.Config) -> None:
    """Python randomizes the order of sets of strings in every process; replay must not depend on it."""
    program = "from tests.protocols.test_contract import digest_of_all; print(digest_of_all())"
    digests = {digest_of_all()} | {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(pytestconfig.rootpath)},
            cwd=pytestconfig.rootpath,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert len(digests) == 1
