"""A peer that does not bundle, made of one connection for each media section, like old gateways."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import attrs

from tests.strategies.peers import description_of, settings_for
from trio_rtc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription, Settings
from trio_rtc.testing import Link, SimulatedHost, SimulatedNetwork

_MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
# Attributes of bundles, and of sections' positions in their own connection.
_LEFT_OUT = re.compile(rf"a=(group:BUNDLE.*|mid:.*|extmap:\d+(/\w+)? {_MID}|ice-options:.*)\r\n")


@attrs.define(eq=False)
class UnbundledPeer:
    """Joins one connection for each section in a description without BUNDLE and mids.

    Attributes:
        parts: The connections.
    """

    parts: list[RTCPeerConnection]

    async def offer(self, kept: int | None = None) -> RTCSessionDescription:
        """Create an offer with each connection, gather, and return the joined offer.

        Args:
            kept: Number of sections; all others are offered with port 0. ``None`` for all.
        """
        head, sections = "", []
        for index, part in enumerate(self.parts):
            await part.set_local_description(await part.create_offer())
            await part.gathering_complete()
            text = _LEFT_OUT.sub("", description_of(part).sdp)
            begin = text.index("m=")
            head = head or text[:begin]
            section = text[begin:]
            if kept is not None and index >= kept:
                section = re.sub(r"^m=(\w+) \d+", r"m=\1 0", section)
            sections.append(section)
        return RTCSessionDescription("offer", head + "".join(sections))

    async def answer(self, offer: RTCSessionDescription) -> RTCSessionDescription:
        """Answer each section of an offer with its connection, and return the joined answer."""
        head, *sections = re.split(r"(?=^m=)", offer.sdp, flags=re.MULTILINE)
        answers = []
        for part, section in zip(self.parts, sections, strict=True):
            alone = re.sub(rf"a=(group:.*|extmap:\d+ {_MID})\r\n", "", head + section)
            await part.set_remote_description(RTCSessionDescription("offer", alone))
            await part.set_local_description()
            if "a=bundle-only" not in section:
                await part.gathering_complete()
            answers.append(_LEFT_OUT.sub("", description_of(part).sdp))
        head = answers[0][: answers[0].index("m=")]
        return RTCSessionDescription("answer", head + "".join(text[text.index("m=") :] for text in answers))

    async def apply_answer(self, answer: RTCSessionDescription) -> None:
        """Apply each section of an answer to its connection; that of a rejected one is rolled back."""
        head, *sections = re.split(r"(?=^m=)", answer.sdp, flags=re.MULTILINE)
        head = re.sub(r"a=group:.*\r\n", "", head)
        for part, section in zip(self.parts, sections, strict=True):
            if re.match(r"m=\w+ 0 ", section):
                await part.set_local_description({"type": "rollback"})
                continue
            own = description_of(part).sdp
            (mid,) = re.findall(r"^a=mid:(.*)\r\n", own, flags=re.MULTILINE)
            text = f"{head}{section}a=mid:{mid}\r\n"
            await part.set_remote_description(RTCSessionDescription("answer", text))


@attrs.define(eq=False)
class UnbundledCall:
    """A connection and its peer that does not bundle."""

    pc: RTCPeerConnection
    peer: UnbundledPeer
    network: SimulatedNetwork
    host: SimulatedHost

    async def negotiate(self, kept: int | None = None) -> RTCSessionDescription:
        """Answer the peer's offer, and return the answer."""
        await self.pc.set_remote_description(await self.peer.offer(kept))
        await self.pc.set_local_description()
        await self.pc.gathering_complete()
        answer = description_of(self.pc)
        await self.peer.apply_answer(answer)
        return answer

    async def offer(self) -> RTCSessionDescription:
        """Send an offer that the peer answers, and return the offer."""
        await self.pc.set_local_description(await self.pc.create_offer())
        await self.pc.gathering_complete()
        offer = description_of(self.pc)
        await self.pc.set_remote_description(await self.peer.answer(offer))
        return offer


@asynccontextmanager
async def unbundled_call(
    parts: int, *, configuration: RTCConfiguration | None = None, settings: Settings | None = None
) -> AsyncIterator[UnbundledCall]:
    """Open a connection and a peer of several connections on a simulated network, without negotiating.

    Args:
        parts: Maximum number of media sections.
        configuration: Configuration of our connection.
        settings: Settings of all connections.
    """
    chosen = settings or Settings(decode=False)
    async with SimulatedNetwork(link=Link(delay=0.01)) as network, AsyncExitStack() as stack:
        ours, theirs = network.add_host("we", ["10.0.0.1"]), network.add_host("gateway", ["10.0.0.2"])
        pc = await stack.enter_async_context(
            RTCPeerConnection(configuration, settings=settings_for(ours, 1, chosen))
        )
        connections = [
            await stack.enter_async_context(
                RTCPeerConnection(settings=settings_for(theirs, 2 + index, chosen))
            )
            for index in range(parts)
        ]
        yield UnbundledCall(pc, UnbundledPeer(connections), network, ours)
    assert ours.open_sockets == ()
