"""The command ``ibkr-adapter``: what a person types, and what programs read from it.

Standard output holds what was asked for and nothing else; logs and errors go to standard error.
The exit code is 0 when the work is done, 1 when it failed and 2 when it could not be begun as
asked. The commands are in :mod:`.commands`; typer and rich, the extra ``cli``, are imported when
one is run.
"""

from __future__ import annotations

import sys

WRONG_USAGE = 2
# What a shell makes of an end by Ctrl-C, and the commands say, too.
INTERRUPTED = 130
_EXTRA = frozenset({"typer", "rich"})


def main() -> None:
    """Run the command line; the process ends with the command's exit code."""
    try:
        from ibkr_adapter.cli.commands import app  # noqa: PLC0415  (needs the extra ``cli``)
    except KeyboardInterrupt:
        # Loading takes most of a second, and nothing has been begun.
        raise SystemExit(INTERRUPTED) from None
    except ModuleNotFoundError as missing:
        library = (missing.name or "").partition(".")[0]
        if library not in _EXTRA:
            raise
        sys.stderr.write(
            f"ibkr-adapter: {library} is not installed, which the commands need.\n"
            "Install it with: pip install 'ibkr-adapter[cli,simulator]'\n"
        )
        raise SystemExit(WRONG_USAGE) from None
    app(prog_name="ibkr-adapter")
