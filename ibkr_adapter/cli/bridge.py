"""The command ``bridge``: the exchange for programs in other languages.

No credentials are taken as arguments, where every user of the machine could read them: they come
in the frames, or from the environment.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Annotated

import typer

import ibkr_adapter

from .codes import FAILED, exit_codes, stop


def bridge(
    *,
    stdio: Annotated[
        bool, typer.Option("--stdio", help="Speak over standard input and output, for one program.")
    ] = False,
    http: Annotated[
        bool, typer.Option("--http", help="Listen on loopback, for several; needs IBKR_BRIDGE_TOKEN.")
    ] = False,
    host: Annotated[str, typer.Option(help="The loopback address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = 0,
    idle_after: Annotated[
        float, typer.Option(min=1, help="Seconds after which a session that nobody uses is closed.")
    ] = 1800.0,
) -> None:
    """Answer calls of programs in other languages: JSON-RPC, one frame a line or a request.

    The log goes to standard error. Standard output has frames, and with --http one line of JSON that
    says where it listens.
    """
    if stdio is http:
        raise typer.BadParameter("Say either --stdio or --http.")
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    with exit_codes():
        from ibkr_adapter.host.bridge import over_http, over_stdio  # noqa: PLC0415  (when the command is run)
        from ibkr_adapter.host.bridge.dispatcher import Bridge  # noqa: PLC0415  (when the command is run)

        answering = Bridge(version=ibkr_adapter.__version__, idle_after=idle_after)
        if stdio:
            over_stdio.run(answering)
            return
        try:
            over_http.run(answering, token=os.environ.get(over_http.TOKEN), host=host, port=port)
        except OSError as refused:
            stop(refused.strerror or refused, FAILED)
