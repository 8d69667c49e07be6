"""``corsproxy demo``: an API without CORS, a page on another origin, and the proxy between them."""

from __future__ import annotations

import asyncio
import sys
import webbrowser

import click

from corsproxy.cli.exchange_lines import ExchangePrinter
from corsproxy.cli.inspecting import Inspection, new_token
from corsproxy.cli.style import wants_colour
from corsproxy.demo.site import Setup
from corsproxy.demo.stage import stage
from corsproxy.server.run import run_loop, stop_signals
from corsproxy.tools.written_config import WrittenConfig


@click.command()
@click.option(
    "--port",
    envvar="CORSPROXY_DEMO_PORT",
    show_envvar=True,
    type=click.IntRange(0, 65535),
    default=0,
    help="The page's port; 0, the default, takes a free one.",
)
@click.option(
    "--open/--no-open",
    "opens",
    envvar="CORSPROXY_DEMO_OPEN",
    show_envvar=True,
    default=False,
    help="Open the page in a browser; off by default.",
)
def demo(port: int, opens: bool) -> None:  # click passes a flag so
    """Show what the proxy is for, in a browser.

    Starts a small API that has never heard of CORS, a web page on another origin, and the proxy between them, all on
    loopback.  The page makes every request twice: directly, where the browser blocks it, and through the proxy, where
    it works.  Every exchange through the proxy is printed here with its verdict.  SIGINT (Ctrl+C) or SIGTERM ends it.

    \b
        corsproxy demo
        corsproxy demo --port 8000 --open
    """  # noqa: D301  # click's own escape, which keeps the example's lines apart
    try:
        run_loop(_show(port, opens=opens))
    except OSError as error:
        click.echo(f"cannot listen: {error}; choose another --port, or leave it out for a free one", err=True)
        raise SystemExit(1) from None


async def _show(port: int, *, opens: bool) -> None:
    asked = stop_signals()
    inspection = Inspection(new_token(), credentials=True)
    observe = inspection.beside(ExchangePrinter(sys.stdout, colour=wants_colour(sys.stdout)))
    async with stage(observe, port, inspection.mount) as setup:
        inspection.config = lambda: WrittenConfig.read(setup.config, "demo.yaml", {})
        click.echo(_invitation(setup, inspection.url))
        if opens:
            await asyncio.to_thread(webbrowser.open, setup.page)
        await asked.get()


def _invitation(setup: Setup, inspector: str) -> str:
    return (
        f"API    {setup.api}  (no CORS header, OPTIONS gives 405)\n"
        f"proxy  {setup.proxy}\n"
        f"page   {setup.page}\n"
        f"inspector   {inspector}\n"
        f"\nopen {setup.page}\n"
    )
