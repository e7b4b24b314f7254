"""Stories that are cancelled at a step of any task: nothing may be left of them."""

from collections.abc import Awaitable, Callable, Iterable

import attrs
import trio

from trio_rtc.testing import SimulatedHost


@attrs.define(eq=False)
class CancelAtStep(trio.abc.Instrument):
    """Cancels a scope when any task is about to run for the n-th time."""

    step: int
    scope: trio.CancelScope = attrs.Factory(trio.CancelScope)
    steps: int = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count, and cancel when it is time."""
        self.steps += 1
        if self.steps == self.step:
            self.scope.cancel()


async def cancelled_at(
    step: int, story: Callable[[trio.CancelScope], Awaitable[None]], hosts: Iterable[SimulatedHost]
) -> int:
    """Run a story on these hosts, and cancel its scope at a step, 0 for never; return how many steps it had."""
    living = trio.lowlevel.current_statistics().tasks_living
    instrument = CancelAtStep(step)
    trio.lowlevel.add_instrument(instrument)
    try:
        await story(instrument.scope)
    finally:
        trio.lowlevel.remove_instrument(instrument)
    assert trio.lowlevel.current_statistics().tasks_living == living, f"a task was left at {step}"
    assert not [host for host in hosts if host.open_sockets], f"a socket was left at {step}"
    return instrument.steps
