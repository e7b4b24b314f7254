"""A simulated network for tests: hosts, links with loss and delay, and NATs, in virtual time and from a seed.

Pass a host of the network to each peer connection instead of the system's network, and run the test with ``run``. Then
an hour of a bad connection takes a moment, and every run is the same::

    async def test() -> None:
        network = SimulatedNetwork(link=Link(delay=0.05, loss=0.3))
        alice = network.add_host("alice", ["10.0.0.1"])
        bob = network.add_host("bob", ["10.0.0.2", "fd00::2"])
        async with network:
            ...  # Settings(network=alice), Settings(network=bob)
            network.partition("alice", "bob")

    trio_rtc.testing.run(test, seed=7)
"""

from trio_rtc._strict_names.checks import check_public_arguments as _check_public_arguments

from .host import Service, SimulatedHost, SimulatedSocket
from .link import Link
from .nat import Nat, NatKind
from .network import SimulatedNetwork
from .packet import (
    Copies,
    Delay,
    Drop,
    DropReason,
    Packet,
    PacketFilter,
    Pass,
    Replace,
    Trace,
    TraceEntry,
    TraceKind,
    Verdict,
)
from .running import run
from .stun_server import answer_binding_request
from .turn_server import TurnServer, TurnServerOptions

__all__ = [
    "Copies",
    "Delay",
    "Drop",
    "DropReason",
    "Link",
    "Nat",
    "NatKind",
    "Packet",
    "PacketFilter",
    "Pass",
    "Replace",
    "Service",
    "SimulatedHost",
    "SimulatedNetwork",
    "SimulatedSocket",
    "Trace",
    "TraceEntry",
    "TraceKind",
    "TurnServer",
    "TurnServerOptions",
    "Verdict",
    "answer_binding_request",
    "run",
]

_check_public_arguments(globals())
