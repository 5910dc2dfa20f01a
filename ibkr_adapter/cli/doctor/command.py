"""The command ``ibkr-adapter doctor``: each step as it is done, and the exit code of the first that failed."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from ibkr_adapter.cli.printing import paper
from ibkr_adapter.cli.reach import AsJson, Reach, Simulated
from ibkr_adapter.cli.screen import plain

from .examination import examine
from .network import Network
from .steps import Step, Verdict

_STYLES = {Verdict.OK: "green", Verdict.NOTE: "yellow", Verdict.FAILED: "bold red", Verdict.SKIPPED: "dim"}


def doctor(
    context: typer.Context,
    *,
    login: Annotated[
        bool, typer.Option("--login", help="Log in and open the sessions, as a program would.")
    ] = False,
    as_json: AsJson = False,
    simulated: Simulated = False,
) -> None:
    """Look at everything between here and an order, and say what to do; it changes nothing.

    The exit code is that of the first stage that failed, 10 to 24, or 0.
    """
    reach = Reach.of(context)
    steps = []
    for step in examine(reach, wires=reach.wires or Network(), simulated=simulated, may_log_in=login):
        steps.append(step)
        if not as_json:
            _show(step)
    first = next((step for step in steps if step.verdict is Verdict.FAILED), None)
    code = 0 if first is None else int(first.stage)
    if as_json:
        told = {"ok": first is None, "code": code, "steps": [step.as_json() for step in steps]}
        typer.echo(json.dumps(told, indent=2, allow_nan=False))
    raise typer.Exit(code)


def _show(step: Step) -> None:
    console = paper()
    line = f"{step.verdict.upper():8}{step.stage.title}: {step.told}"
    console.print(plain(line), style=_STYLES[step.verdict], soft_wrap=True)
    if step.remedy:
        console.print(plain(f"        -> {step.remedy}"), soft_wrap=True)
