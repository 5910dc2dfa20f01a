"""Turn the library's errors into one message on standard error and an exit code.

The codes are promises, and docs/commands.md lists them; those of ``doctor`` are in
:mod:`.doctor.steps`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from ibkr_adapter.errors import (
    ConfigurationError,
    IBKRError,
    OrderOutcomeUnknown,
    OutcomeUnknown,
    PartlyPlaced,
)

from . import WRONG_USAGE
from .screen import plain

FAILED = 1
# Something was sent and nobody knows what became of it.
UNKNOWN = 3
# Some of what was asked for stands or is over, and some is not.
PARTLY = 4
# Nobody agreed, so nothing was sent.
UNCONFIRMED = 5


@contextmanager
def exit_codes() -> Iterator[None]:
    """End with the code that tells what the error means for the work."""
    try:
        yield
    except IBKRError as error:
        stop(error, code_of(error))


def code_of(error: IBKRError) -> int:
    """Tell the exit code of an error."""
    if isinstance(error, ConfigurationError):
        return WRONG_USAGE
    if isinstance(error, (OrderOutcomeUnknown, OutcomeUnknown)):
        return UNKNOWN
    return PARTLY if isinstance(error, PartlyPlaced) else FAILED


def stop(reason: object, code: int) -> NoReturn:
    """Say why and end."""
    say(reason)
    raise typer.Exit(code)


def say(reason: object) -> None:
    """Tell a person something that is not what was asked for: standard output stays clean."""
    sys.stderr.write(f"ibkr-adapter: {plain(reason, lines=True)}\n")
