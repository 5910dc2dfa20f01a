"""Turn the library's errors into one message on standard error and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from ibkr_adapter.errors import ConfigurationError, IBKRError

from . import WRONG_USAGE
from .screen import plain

FAILED = 1


@contextmanager
def exit_codes() -> Iterator[None]:
    """End with 2 where settings are at fault and with 1 where the work failed."""
    try:
        yield
    except ConfigurationError as error:
        stop(error, WRONG_USAGE)
    except IBKRError as error:
        stop(error, FAILED)


def stop(reason: object, code: int) -> NoReturn:
    """Say why and end."""
    sys.stderr.write(f"ibkr-adapter: {plain(reason, lines=True)}\n")
    raise typer.Exit(code)
