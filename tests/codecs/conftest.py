import pytest
import trio

from tests.strategies.threads_hold_time import ThreadsHoldTime


@pytest.fixture
async def virtual_time(autojump_clock):
    trio.lowlevel.add_instrument(ThreadsHoldTime())
    return autojump_clock
