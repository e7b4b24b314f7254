"""Cancellation of a scenario at any step of any task; no task and no socket may be left."""

from collections.abc import Awaitable, Callable, Iterable

import attrs
import trio

from trio_rtc.testing import SimulatedHost


@attrs.define(eq=False)
class CancelAtStep(trio.abc.Instrument):
    """Cancels a scope before the n-th step of any task."""

    step: int
    scope: trio.CancelScope = attrs.Factory(trio.CancelScope)
    steps: int = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.steps += 1
        if self.steps == self.step:
            self.scope.cancel()


async def cancelled_at(
    step: int, scenario: Callable[[trio.CancelScope], Awaitable[None]], hosts: Iterable[SimulatedHost]
) -> int:
    """Run a scenario on these hosts, cancel its scope at a step (0 for never), and return the number of its steps."""
    living = trio.lowlevel.current_statistics().tasks_living
    instrument = CancelAtStep(step)
    trio.lowlevel.add_instrument(instrument)
    try:
        await scenario(instrument.scope)
    finally:
        trio.lowlevel.remove_instrument(instrument)
    assert trio.lowlevel.current_statistics().tasks_living == living, f"a task was left at {step}"
    assert not [host for host in hosts if host.open_sockets], f"a socket was left at {step}"
    return instrument.steps
