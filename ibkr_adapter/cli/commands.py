"""The commands, their options and their exit codes.

The simulator's server is imported when it is run, because it needs an extra of its own.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Annotated

import typer

from ibkr_adapter.clock import SystemClock
from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.setting_readers import AuthMethod

from . import WRONG_USAGE, bridge, oauth1a, ordering, reading
from . import demo as demonstration
from .check.command import check
from .codes import FAILED, exit_codes, stop
from .doctor.command import doctor
from .gateway.command import gateway as run_gateway
from .history import history
from .payloads import example_webhooks
from .screen import Screen
from .watch import watch

app = typer.Typer(
    name="ibkr-adapter",
    help="Interactive Brokers' Web API as an exchange adapter for trading bots.",
    no_args_is_help=True,
    # A traceback with local variables would show what is secret.
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.command()
def demo(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Carry out four webhooks on a simulated broker, on this machine only."""
    with exit_codes():
        payloads = example_webhooks()
        # The examples carry this secret; it is checked as in earnest.
        exchange = IBKRExchange.simulated(webhook_secret=payloads[0].fields()["secret"])
        try:
            report = demonstration.run(exchange, payloads, demonstration.Audience() if as_json else Screen())
        finally:
            exchange.close()
        if as_json:
            typer.echo(json.dumps(report.as_json(), indent=2, allow_nan=False))


@app.command()
def simulator(
    *,
    host: Annotated[str, typer.Option(help="The address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 0,
    tls: Annotated[bool, typer.Option("--tls", help="Serve https too, with a fresh certificate.")] = False,
    auth: Annotated[AuthMethod, typer.Option(help="How clients log in.")] = AuthMethod.GATEWAY,
    seed: Annotated[int, typer.Option(help="Decides prices and ids; the same seed is the same market.")] = 7,
    tick: Annotated[
        float, typer.Option(min=0.01, help="Seconds between two frames of quotes on a stream.")
    ] = 0.5,
) -> None:
    """Run a simulated broker until SIGTERM or Ctrl-C.

    One line of JSON goes to standard output when it accepts connections: its address, its account,
    its process id, and test credentials where clients log in by OAuth. The log goes to standard
    error.
    """
    try:
        from ibkr_adapter.simulator.credentials import as_files  # noqa: PLC0415  (when the command is run)
        from ibkr_adapter.simulator.gateway import Gateway  # noqa: PLC0415  (when the command is run)
        from ibkr_adapter.simulator.server import run  # noqa: PLC0415  (needs the extra ``simulator``)
    except ModuleNotFoundError as missing:
        stop(
            f"{missing.name} is not installed, which the simulator needs."
            " Install it with: pip install 'ibkr-adapter[simulator]'",
            WRONG_USAGE,
        )
    gateway = Gateway(SystemClock(), seed=seed, auth=auth.value, options={"quote_interval": tick})
    try:
        with ExitStack() as undo:
            extra = None
            if gateway.credentials:
                extra = {"credentials": undo.enter_context(as_files(gateway.credentials))}
            run(gateway, host=host, port=port, tls=tls, direct=auth is not AuthMethod.GATEWAY, extra=extra)
    except OSError as refused:
        # The sentence without the number, which only machines know by heart.
        stop(refused.strerror or refused, FAILED)


app.command()(doctor)
app.command("gateway")(run_gateway)
app.command()(check)
reading.add_to(app)
app.command()(history)
app.command()(watch)
ordering.add_to(app)
app.add_typer(oauth1a.app)
app.command()(bridge.bridge)
