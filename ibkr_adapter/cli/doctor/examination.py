"""All stages in a row: what rests on a stage that failed is not looked at, and everything else is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import attrs

from ibkr_adapter.cli.reach import Reach
from ibkr_adapter.doors import Doors
from ibkr_adapter.embedded import EmbeddedSimulator
from ibkr_adapter.errors import ConfigurationError, IBKRError
from ibkr_adapter.setting_readers import AuthMethod
from ibkr_adapter.settings import Settings

from . import local, network
from .logins import Visit
from .network import Network
from .steps import Stage, Step, Verdict, failed, skipped

Look = tuple[Stage, Callable[[], Step]]


def examine(
    reach: Reach, *, wires: Network | None = None, simulated: bool = False, may_log_in: bool = False
) -> Iterator[Step]:
    """Look at every stage and tell each as it is done.

    Args:
        reach: The doors.
        wires: The machine's sockets, if they are others.
        simulated: Look at a simulated broker inside the process.
        may_log_in: Open the sessions as a program would; else nothing is changed anywhere.
    """
    wires = wires or Network()
    yield local.package()
    with ExitStack() as undo:
        try:
            found, doors = _settings(reach, undo, simulated=simulated)
        except ConfigurationError as wrong:
            yield failed(
                Stage.SETTINGS, wrong.message, wrong.remedy or "Correct it; docs/settings.md has them all."
            )
            yield from _rest_of(Stage.SETTINGS)
            return
        pinned = (
            Settings.from_env(reach.environ).tls_fingerprint is None and found.tls_fingerprint is not None
        )
        yield local.settings(found, reach.variables, pinned=pinned, simulated=simulated)
        keys = local.keys(found)
        yield keys
        yield local.state_folder(found)
        yield local.pacing(found, doors)
        way: list[Look] = [
            (Stage.NAME, lambda: network.name(found, wires)),
            (Stage.REACH, lambda: network.reach(found, wires)),
            (Stage.TLS, lambda: network.tls(found, wires, doors.clock.now())),
        ]
        blocked: Stage | None = None
        for step in _in_a_row(way, blocked):
            yield step
            blocked = step.stage if step.verdict is Verdict.FAILED else blocked
        if blocked is not None:
            yield from _rest_of(Stage.TLS, because=blocked)
            return
        visit = Visit(found, doors)
        undo.callback(visit.close)
        yield from _visited(visit, keys, may_log_in=may_log_in)


def _visited(visit: Visit, keys: Step, *, may_log_in: bool) -> Iterator[Step]:
    yield visit.clock()
    if keys.verdict is Verdict.FAILED:
        yield from _rest_of(Stage.CLOCK, because=Stage.KEYS)
        return
    looks: list[Look] = [
        (Stage.LOGIN, lambda: visit.login(may_log_in=may_log_in)),
        (Stage.OUTER_SESSION, visit.outer_session),
        (Stage.BROKERAGE_SESSION, lambda: visit.brokerage_session(may_log_in=may_log_in)),
        (Stage.COMPETING_LOGIN, visit.competing_login),
        (Stage.ACCOUNT, visit.account),
        (Stage.MARKET_DATA, lambda: visit.market_data(may_log_in=may_log_in)),
    ]
    # The account is asked for over the outer session, whatever became of the other one.
    yield from _in_a_row(
        looks, None, harmless={Stage.BROKERAGE_SESSION, Stage.COMPETING_LOGIN, Stage.ACCOUNT}
    )


def _in_a_row(
    looks: list[Look], blocked: Stage | None, harmless: frozenset[Stage] | set[Stage] = frozenset()
) -> Iterator[Step]:
    for stage, look in looks:
        if blocked is not None:
            yield skipped(stage, f"not looked at, because of the {blocked.title}")
            continue
        try:
            step = look()
        except IBKRError as failure:
            step = failed(stage, failure.message, failure.remedy or "Try again in a minute.")
        yield step
        if step.verdict is Verdict.FAILED and stage not in harmless:
            blocked = stage


def _rest_of(after: Stage, because: Stage | None = None) -> Iterator[Step]:
    for stage in Stage:
        if stage > after:
            yield skipped(stage, f"not looked at, because of the {(because or after).title}")


def _settings(reach: Reach, undo: ExitStack, *, simulated: bool) -> tuple[Settings, Doors]:
    if not simulated:
        return reach.settings(), reach.doors
    broker = EmbeddedSimulator(reach.doors.clock, tls=True, auth=AuthMethod.GATEWAY.value)
    undo.callback(broker.stop)
    found = broker.start({})
    return found, attrs.evolve(reach.doors, market_time=broker.market_time, across_processes=False)
