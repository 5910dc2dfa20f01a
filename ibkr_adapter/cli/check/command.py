"""The command ``ibkr-adapter check``: the battery on a paper account, and what it says of each fact."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import attrs
import typer

from ibkr_adapter.cli import codes
from ibkr_adapter.cli.codes import exit_codes
from ibkr_adapter.cli.printing import print_json, print_rows
from ibkr_adapter.cli.reach import AGREED, AsJson, Reach, Simulated
from ibkr_adapter.cli.screen import Column
from ibkr_adapter.doors import Doors, transport_of
from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.setting_readers import Environment
from ibkr_adapter.settings import Settings

from .battery import Battery, Done, demand_paper
from .facts import facts
from .judges import Finding, Judged, judge
from .recording import Exchanged, Recorder, redacted, save

_STEPS: tuple[Column, ...] = (("step", "step", "word"), ("outcome", "outcome", "word"))
_FACTS: tuple[Column, ...] = (
    ("finding", "finding", "word"),
    ("section", "section", "word"),
    ("fact", "text", "word"),
)


def check(
    context: typer.Context,
    *,
    paper: Annotated[bool, typer.Option("--paper", help="Say that this is a paper account; needed.")] = False,
    symbol: Annotated[str, typer.Option(help="The share; nothing of it may be held or ordered.")] = "AAPL",
    output: Annotated[
        Path | None, typer.Option("--save", help="Write the redacted recording to this new file, 0600.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Begin without asking.")] = False,
    as_json: AsJson = False,
    simulated: Simulated = False,
) -> None:
    """Hold what we believe about IBKR against a PAPER account, with orders of one share.

    A live account is refused. It takes a minute or two; what it placed is ended again.
    """
    reach = Reach.of(context)
    with exit_codes():
        if not paper:
            raise ConfigurationError(
                "this places orders of one share; nothing was sent.",
                remedy="Say --paper if the login is a paper user's.",
            )
        if output is not None and output.exists():
            raise ConfigurationError(f"{output} is there already; nothing was sent.")
        exchanged: list[Exchanged] = []
        with _recorded(reach, exchanged).exchange(simulated=simulated) as ibkr:
            _only_paper(ibkr)
            account = demand_paper(ibkr.open())
            _agree(reach, account, symbol, yes=yes)
            done = list(Battery(ibkr, symbol).run())
        judged = judge(facts(), exchanged)
        if output is not None:
            save(
                output, {"steps": as_rows(done), "findings": found(judged), "recording": redacted(exchanged)}
            )
        _print(done, judged, as_json=as_json)
        failed = [one for one in done if one.failure]
        contradicted = [one for one in judged if one.finding is Finding.CONTRADICTED]
        if failed or contradicted:
            codes.stop(
                f"{len(contradicted)} facts are contradicted, {len(failed)} steps failed.", codes.FAILED
            )


def _recorded(reach: Reach, into: list[Exchanged]) -> Reach:
    inner = reach.doors.transport or transport_of

    def transport(settings: Settings, clock: Any) -> Recorder:
        return Recorder(inner(settings, clock), clock, into)

    doors: Doors = attrs.evolve(reach.doors, transport=transport)
    return attrs.evolve(reach, doors=doors)


def _only_paper(ibkr: IBKRExchange) -> None:
    """Refuse settings that would let orders through to a live account."""
    if ibkr.settings.environment is Environment.PRODUCTION:
        raise ConfigurationError(
            "environment says production, which this never trades; nothing was sent.",
            remedy="Unset IBKR_ADAPTER_ENVIRONMENT and log in with a paper user name.",
        )


def _agree(reach: Reach, account: str, symbol: str, *, yes: bool) -> None:
    if yes:
        return
    asked = f"Orders of one share of {symbol} on the PAPER account {account}. Type {AGREED} to begin: "
    if not reach.terminal.is_there() or reach.terminal.ask(asked) != AGREED:
        codes.stop("that was not agreed to; nothing was placed. Or give --yes.", codes.UNCONFIRMED)


def as_rows(done: list[Done]) -> list[dict[str, str]]:
    """The steps for people and programs."""
    return [
        {
            "step": one.step,
            "outcome": one.failure or (f"left out: {one.left_out}" if one.left_out else "done"),
        }
        for one in done
    ]


def found(judged: list[Judged]) -> list[dict[str, str]]:
    """Every fact with its finding."""
    return [
        {
            "key": one.fact.key,
            "section": one.fact.section,
            "text": one.fact.text,
            "finding": one.finding.value,
        }
        for one in judged
    ]


def _print(done: list[Done], judged: list[Judged], *, as_json: bool) -> None:
    if as_json:
        print_json({"steps": as_rows(done), "findings": found(judged)})
        return
    print_rows("Steps", _STEPS, as_rows(done))
    told = [row for row in found(judged) if row["finding"] != Finding.NOT_TRIED.value]
    print_rows("Facts", _FACTS, told)
    counts = Counter(one.finding for one in judged)
    typer.echo(", ".join(f"{counts[kind]} {kind}" for kind in Finding))
