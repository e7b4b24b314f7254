"""A private network namespace: real sockets whose packets do not leave this process and its children."""

import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000
_CAP_NET_ADMIN = 12
_CAP_SYS_ADMIN = 21

IPV4_ADDRESS = "10.66.0.1"
IPV6_ADDRESS = "fd66::1"

_SETUP = (
    "link set lo up",
    "link add h0 type veth peer name h1",
    f"addr add {IPV4_ADDRESS}/24 dev h0",
    f"-6 addr add {IPV6_ADDRESS}/64 dev h0 nodad",
    "link set h0 up",
    "link set h1 up",
    # Firefox gathers no candidates without a default route; no host is behind this one.
    "route add default via 10.66.0.254",
)


def may_make_namespaces() -> bool:
    """Return whether this process has CAP_NET_ADMIN and CAP_SYS_ADMIN, which root in a plain container lacks."""
    with open("/proc/self/status") as status:
        capabilities = next(int(line.split()[1], 16) for line in status if line.startswith("CapEff:"))
    return all(capabilities >> capability & 1 for capability in (_CAP_NET_ADMIN, _CAP_SYS_ADMIN))


def call_libc(function: str, *arguments: int) -> None:
    """Call ``unshare`` or ``setns``, which are in the module ``os`` since Python 3.12.

    Raises:
        OSError: The kernel refused.
    """
    if getattr(ctypes.CDLL(None, use_errno=True), function)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{function}: {os.strerror(ctypes.get_errno())}")


def enter_private_network() -> bool:
    """Move this process into a fresh network namespace with loopback and one address of each family.

    The kernel moves just the calling thread, and with it the threads and processes that it starts from then on: to
    be called before there are others that use the network. The namespace ends with the last process in it, so there
    is nothing to clean up.

    Returns:
        Whether it was done: only root may, anyone else stays where they are.

    Raises:
        OSError: The kernel refused, although we have the capabilities.
    """
    if not may_make_namespaces():
        return False
    call_libc("unshare", CLONE_NEWNET)
    for arguments in _SETUP:
        subprocess.run(["ip", *arguments.split()], check=True)
    return True
