"""Session descriptions as a whole peer connection handles them, transceivers and RTP included."""

from collections.abc import Callable
from functools import partial

from benchmarks.hostile.measure import Case, Cost, Source
from trio_rtc import RTCPeerConnection, Settings
from trio_rtc.protocols.sdp import SdpOptions
from trio_rtc.testing import SimulatedNetwork, run

from .description import head, section
from .sizes import doubling

_SECTIONS = SdpOptions().maximum_sections
_STEPS = ("set_remote_description", "create_answer", "set_local_description")
_AGAIN = tuple(f"{step}, again" for step in _STEPS)


async def _answer_twice(offer: str, measured: str) -> Cost:
    """Answer an offer, and the same once more; return the cost of one of the calls."""
    async with SimulatedNetwork() as network:
        host = network.add_host("victim", ["10.0.0.1"])
        async with RTCPeerConnection(settings=Settings(network=host)) as victim:
            answer = None
            for step in (*_STEPS, *_AGAIN):
                before = Cost.until_now()
                if step.startswith("set_remote_description"):
                    await victim.set_remote_description({"type": "offer", "sdp": offer})
                elif step.startswith("create_answer"):
                    answer = await victim.create_answer()
                else:
                    await victim.set_local_description(answer)
                if step == measured:
                    return Cost.until_now() - before
    raise AssertionError(f"no step is called {measured!r}")


def _prepare(streams: int, step: str, sections: int) -> Callable[[], object]:
    texts = []
    for mid in range(sections):
        lines = "".join(f"a=msid:s{mid}x{number} track\r\n" for number in range(streams))
        texts.append(section(mid, lines))
    return partial(run, partial(_answer_twice, head(sections) + "".join(texts), step))


CASES = tuple(
    Case(
        f"connection {step}: {name}",
        Source.DESCRIPTION,
        doubling(_SECTIONS, 2),
        partial(_prepare, streams, step),
        "sections",
    )
    for name, streams in (("sections", 0), ("sections, msid", 65))
    for step in (*_STEPS, _AGAIN[0], _AGAIN[2])
)
