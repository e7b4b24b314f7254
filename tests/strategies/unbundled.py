"""A peer that does not bundle, made of one connection for each of its sections, as old gateways are."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import attrs

from tests.strategies.peers import description_of, settings_for
from trio_rtc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription, Settings
from trio_rtc.testing import Link, SimulatedHost, SimulatedNetwork

_MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
# What belongs to a bundle, or numbers sections that are the first of their own connection.
_LEFT_OUT = re.compile(rf"a=(group:BUNDLE.*|mid:.*|extmap:\d+(/\w+)? {_MID}|ice-options:.*)\r\n")


@attrs.define(eq=False)
class UnbundledPeer:
    """Has a connection for each section, and joins them in one description without BUNDLE and without mids.

    Attributes:
        parts: The connections.
    """

    parts: list[RTCPeerConnection]

    async def offer(self, kept: int | None = None) -> RTCSessionDescription:
        """Let each connection offer, and gather; return all that as one offer.

        Args:
            kept: Of how many sections; all others are offered with port 0. ``None`` for all.
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
        """Let each connection answer its section of an offer; return all that as one answer."""
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

    async def take_answer(self, answer: RTCSessionDescription) -> None:
        """Give each connection its section of an answer; one that is refused has its offer taken back."""
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
    """Ourselves and a peer that does not bundle."""

    pc: RTCPeerConnection
    peer: UnbundledPeer
    network: SimulatedNetwork
    host: SimulatedHost

    async def negotiate(self, kept: int | None = None) -> RTCSessionDescription:
        """Answer an offer of the peer's; return the answer."""
        await self.pc.set_remote_description(await self.peer.offer(kept))
        await self.pc.set_local_description()
        await self.pc.gathering_complete()
        answer = description_of(self.pc)
        await self.peer.take_answer(answer)
        return answer

    async def offer(self) -> RTCSessionDescription:
        """Offer to the peer, which answers; return the offer."""
        await self.pc.set_local_description(await self.pc.create_offer())
        await self.pc.gathering_complete()
        offer = description_of(self.pc)
        await self.pc.set_remote_description(await self.peer.answer(offer))
        return offer


@asynccontextmanager
async def unbundled_call(
    parts: int, *, configuration: RTCConfiguration | None = None, settings: Settings | None = None
) -> AsyncIterator[UnbundledCall]:
    """Open ourselves and a peer of so many connections on a simulated network; nobody has negotiated yet.

    Args:
        parts: How many sections the peer can have.
        configuration: Ours.
        settings: Of all.
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
