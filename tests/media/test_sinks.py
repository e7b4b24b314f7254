"""A sink for frames that are not needed."""

import trio
import trio.testing

from trio_rtc import media


async def test_blackhole_consumes_all_channels(autojump_clock):
    blackhole = media.Blackhole()
    send, receive = trio.open_memory_channel(0)
    blackhole.add(receive)
    async with trio.open_nursery() as nursery:
        await nursery.start(blackhole.run)
        for item in range(5):
            await send.send(item)
        blackhole.add(media.tone())
        await trio.sleep(0.99)
        assert blackhole.consumed == 5 + 50
        nursery.cancel_scope.cancel()


async def test_blackhole_ignores_the_end_of_a_channel():
    blackhole = media.Blackhole()
    send, receive = trio.open_memory_channel(1)
    send.send_nowait("item")
    send.close()
    await blackhole.consume(receive)
    closed = media.tone()
    await closed.aclose()
    await blackhole.consume(closed)
    assert blackhole.consumed == 1
