"""Network namespaces with routers between them, and the network of one for a peer connection.

A namespace has no name: it exists as long as its descriptor is open, so that nothing remains.
"""

import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import trio

from tests.netns.private_network import CLONE_NEWNET, call_libc
from trio_rtc.protocols._contract import Address
from trio_rtc.transports.network import InterfaceAddress, StreamSocket
from trio_rtc.transports.udp import SystemDatagramSocket

NatKind = Literal["port-restricted", "symmetric", "full-cone"]

# Unsolicited packets are dropped before the router processes them, as in home routers. Otherwise conntrack would
# treat the peer's packet as a connection to the router, and assign another port to ours.
_NAT_RULES = """
table ip nat_box {{
  chain input {{ type filter hook input priority 0; iifname "wan" meta l4proto udp drop; }}
  chain prerouting {{ type nat hook prerouting priority -100; {inward} }}
  chain postrouting {{ type nat hook postrouting priority 100; oifname "wan" {outward}; }}
}}
"""
_INWARD = 'iifname "wan" meta l4proto udp dnat to {client};'
_NAT_KINDS: dict[NatKind, tuple[str, str]] = {
    "port-restricted": ("", "masquerade"),
    "symmetric": ("", "masquerade random,fully-random"),
    "full-cone": (_INWARD, "masquerade"),
}


def _open_current() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


@contextmanager
def _stay_here() -> Iterator[None]:
    """Return this thread to its current namespace at the end."""
    here = _open_current()
    try:
        yield
    finally:
        call_libc("setns", here, CLONE_NEWNET)
        os.close(here)


class Namespace:
    """A network namespace.

    Attributes:
        path: Path for other programs, such as ``ip link set ... netns``.
    """

    def __init__(self) -> None:
        with _stay_here():
            call_libc("unshare", CLONE_NEWNET)
            self._descriptor = _open_current()
        self.path = f"/proc/{os.getpid()}/fd/{self._descriptor}"
        self.run("ip link set lo up")

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Move this thread into the namespace. The block must contain no ``await``."""
        with _stay_here():
            call_libc("setns", self._descriptor, CLONE_NEWNET)
            yield

    def run(self, command: str, text: str | None = None) -> None:
        """Run a program in the namespace, with ``text`` on its standard input."""
        with self.entered():
            subprocess.run(command.split(), check=True, input=text, text=True)

    def close(self) -> None:
        """Close the descriptor, which removes its interfaces and sockets."""
        os.close(self._descriptor)

    def link(self, name: str, other: "Namespace", other_name: str) -> None:
        """Add a veth link to another namespace."""
        self.run(f"ip link add {name} type veth peer name {other_name} netns {other.path}")

    def set_up(self, interface: str, address: str) -> None:
        """Add an address (with prefix length) to an interface and set it up."""
        self.run(f"ip addr add {address} dev {interface}")
        self.run(f"ip link set {interface} up")

    def udp_socket(self, host: str, port: int) -> socket.socket:
        """Bind a UDP socket, which belongs to the namespace."""
        with self.entered():
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.bind((host, port))
        except OSError:
            sock.close()
            raise
        return sock


class NamespaceNetwork:
    """A host in a namespace, for ``Settings.network``."""

    def __init__(self, namespace: Namespace, host: str) -> None:
        self._namespace = namespace
        self._host = host

    def interface_addresses(self) -> Sequence[InterfaceAddress]:
        """Return the one address."""
        return [InterfaceAddress("lan", self._host)]

    async def bind_udp(self, interface: InterfaceAddress, port: int = 0) -> SystemDatagramSocket:
        """Bind a UDP socket."""
        await trio.lowlevel.checkpoint()
        sock = self._namespace.udp_socket(interface.host, port)
        return SystemDatagramSocket(sock, Address(interface.host, sock.getsockname()[1]))

    async def connect_tcp(self, interface: InterfaceAddress, remote: Address) -> StreamSocket:
        """Raise OSError: these tests have no TCP."""
        raise OSError("no TCP")

    async def open_multicast(self, interface: InterfaceAddress, group: Address) -> SystemDatagramSocket:
        """Raise OSError: these tests have no names."""
        raise OSError("no multicast")

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """Return a numeric address."""
        await trio.lowlevel.checkpoint()
        return [Address(host, port)]


class Internet:
    """One public network, and homes behind routers with NAT.

    Attributes:
        public: The namespace of the public servers.
        server_host: Address of the servers.
    """

    server_host = "198.51.100.1"

    def __init__(self) -> None:
        self._namespaces: list[Namespace] = []
        self._homes = 0
        self.public = self._new_namespace()
        self.public.run("ip link add public type bridge")
        self.public.set_up("public", f"{self.server_host}/24")

    def _new_namespace(self) -> Namespace:
        namespace = Namespace()
        self._namespaces.append(namespace)
        return namespace

    def add_home(self, kind: NatKind) -> NamespaceNetwork:
        """Add a router and a host behind it, and return the host."""
        self._homes += 1
        router_host, lan = f"198.51.100.{10 + self._homes}", f"192.168.{self._homes}"
        router, home = self._new_namespace(), self._new_namespace()
        router.link("wan", self.public, f"port{self._homes}")
        router.set_up("wan", f"{router_host}/24")
        self.public.run(f"ip link set port{self._homes} master public up")
        home.link("lan", router, "lan")
        router.set_up("lan", f"{lan}.1/24")
        home.set_up("lan", f"{lan}.2/24")
        home.run(f"ip route add default via {lan}.1")
        router.run("sysctl -qw net.ipv4.ip_forward=1")
        inward, outward = _NAT_KINDS[kind]
        rules = _NAT_RULES.format(inward=inward.format(client=f"{lan}.2"), outward=outward)
        router.run("nft -f -", rules)
        return NamespaceNetwork(home, f"{lan}.2")

    def close(self) -> None:
        """Close all namespaces."""
        for namespace in self._namespaces:
            namespace.close()
