"""Commands and options of the command line."""

import signal
import sys

import click
import trio
from rich.console import Console

import trio_rtc
from trio_rtc._error_filters import ungrouped_errors

from .demo.run import DemoFailed, DemoOptions, run_demo


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(trio_rtc.__version__, package_name="trio-rtc")
def cli() -> None:
    """WebRTC for trio."""


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to serve the page on.")
@click.option(
    "--port", default=0, type=click.IntRange(0, 65535), help="Port of the page; by default a free one."
)
@click.option(
    "--seconds",
    default=3.0,
    show_default=True,
    type=click.FloatRange(0.1, 60.0),
    help="How long to measure the throughput in each direction.",
)
@click.option("--once", is_flag=True, help="End after the figures, as without a terminal.")
@click.option("--open", "open_browser", is_flag=True, help="Open the page in a browser.")
def demo(host: str, port: int, seconds: float, once: bool, open_browser: bool) -> None:
    """Connect two processes, show the figures, then serve a page for a browser.

    First the command starts a second process, connects to it, and shows the time of each stage, the round-trip time,
    the throughput and a short call with a test pattern and a tone. Then it serves a page on which a browser connects to
    this process, with video in both directions, chat, graphs of bitrates and round-trip time, a throughput test and
    file checks.
    """
    console = Console(highlight=False)
    options = DemoOptions(
        host=host,
        port=port,
        seconds=seconds,
        once=once or not sys.stdout.isatty(),
        open_browser=open_browser,
    )
    try:
        trio.run(_run_until_interrupted, options, console)
    except DemoFailed as error:
        raise click.ClickException(str(error)) from error


async def _run_until_interrupted(options: DemoOptions, console: Console) -> None:
    """Run the demo; Ctrl+C cancels it, so that both sides close every connection."""
    with ungrouped_errors(), trio.open_signal_receiver(signal.SIGINT) as interrupts:
        async with trio.open_nursery() as nursery:

            async def wait_for_interrupt() -> None:
                async for _ in interrupts:
                    console.print("Interrupted, closing connections.")
                    nursery.cancel_scope.cancel()

            nursery.start_soon(wait_for_interrupt)
            await run_demo(options, console)
            nursery.cancel_scope.cancel()
