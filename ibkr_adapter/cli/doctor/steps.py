"""The stages of the examination with their exit codes, and what one step found."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum
from typing import Any

import attrs


class Stage(IntEnum):
    """What is looked at, in this order; the number is the exit code if it is the first to fail."""

    PACKAGE = 10
    SETTINGS = 11
    KEYS = 12
    STATE_FOLDER = 13
    PACING = 14
    NAME = 15
    REACH = 16
    TLS = 17
    CLOCK = 18
    LOGIN = 19
    OUTER_SESSION = 20
    BROKERAGE_SESSION = 21
    COMPETING_LOGIN = 22
    ACCOUNT = 23
    MARKET_DATA = 24

    @property
    def title(self) -> str:
        """The stage in words."""
        return _TITLES[self]


_TITLES = {
    Stage.PACKAGE: "Python and package",
    Stage.SETTINGS: "settings",
    Stage.KEYS: "key files",
    Stage.STATE_FOLDER: "state folder",
    Stage.PACING: "pacing",
    Stage.NAME: "host name",
    Stage.REACH: "connection",
    Stage.TLS: "certificate",
    Stage.CLOCK: "clock",
    Stage.LOGIN: "gateway or token",
    Stage.OUTER_SESSION: "outer session",
    Stage.BROKERAGE_SESSION: "brokerage session",
    Stage.COMPETING_LOGIN: "competing login",
    Stage.ACCOUNT: "account",
    Stage.MARKET_DATA: "market data",
}


class Verdict(StrEnum):
    """How a step ended."""

    OK = "ok"
    # Nothing is broken, and somebody should know.
    NOTE = "note"
    FAILED = "failed"
    SKIPPED = "skipped"


@attrs.frozen(kw_only=True)
class Step:
    """What one stage showed; ``facts`` are for programs and hold no secret."""

    stage: Stage
    verdict: Verdict
    told: str
    remedy: str = ""
    facts: Mapping[str, Any] = attrs.field(factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The step for programs."""
        return {
            "stage": self.stage.name.lower(),
            "code": int(self.stage),
            "verdict": self.verdict.value,
            "told": self.told,
            "remedy": self.remedy,
            "facts": dict(self.facts),
        }


def ok(stage: Stage, told: str, **facts: Any) -> Step:
    """All is well."""
    return Step(stage=stage, verdict=Verdict.OK, told=told, facts=facts)


def note(stage: Stage, told: str, remedy: str = "", **facts: Any) -> Step:
    """Something that is worth knowing."""
    return Step(stage=stage, verdict=Verdict.NOTE, told=told, remedy=remedy, facts=facts)


def failed(stage: Stage, told: str, remedy: str, **facts: Any) -> Step:
    """Something to be done."""
    return Step(stage=stage, verdict=Verdict.FAILED, told=told, remedy=remedy, facts=facts)


def skipped(stage: Stage, why: str) -> Step:
    """Not looked at."""
    return Step(stage=stage, verdict=Verdict.SKIPPED, told=why)
