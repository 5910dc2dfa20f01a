"""How a command comes by an exchange and by a person: the doors that a test replaces.

Settings come from the ``IBKR_ADAPTER_`` variables, the certificate of a gateway of this machine from
the pin that ``ibkr-adapter gateway`` left. With ``--simulated`` there is a broker inside the process,
and nothing of the environment counts.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import attrs
import typer

from ibkr_adapter.doors import DEFAULT_DOORS, Doors
from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.setting_readers import AuthMethod
from ibkr_adapter.settings import Settings
from ibkr_adapter.state import state_directory
from ibkr_adapter.terms import PAPER_PREFIXES

from .pins import Pins

PAPER, LIVE = "PAPER", "LIVE"
# What is typed to agree, where it is not an account's number.
AGREED = "yes"

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]
Simulated = Annotated[bool, typer.Option("--simulated", help="Use a simulated broker inside the command.")]


class Terminal:
    """The person before the screen, where there is one."""

    def is_there(self) -> bool:
        """Tell whether a question would be read by a person."""
        return sys.stdin.isatty() and sys.stderr.isatty()

    def ask(self, question: str) -> str:
        """Ask, and return what was typed; empty where nothing more comes."""
        sys.stderr.write(question)
        sys.stderr.flush()
        return sys.stdin.readline().strip()


@attrs.frozen(kw_only=True)
class Reach:
    """The doors of the commands.

    ``environ`` are the variables, the process's own if unset; ``wires`` the sockets of ``doctor`` and
    ``machine`` what ``gateway`` finds and starts, the machine's own if unset.
    """

    doors: Doors = DEFAULT_DOORS
    environ: Mapping[str, str] | None = None
    terminal: Terminal = attrs.field(factory=Terminal)
    wires: Any = None
    machine: Any = None

    @classmethod
    def of(cls, context: typer.Context) -> Reach:
        """The one that a test gave, or the machine's own."""
        return context.obj if isinstance(context.obj, cls) else cls()

    def settings(self) -> Settings:
        """Read them, with the pin of a gateway whose certificate they say nothing about.

        Raises:
            ConfigurationError: They are wrong; nothing was opened.
        """
        settings = Settings.from_env(self.environ)
        unsaid = settings.tls_fingerprint is None and settings.ca_file is None and settings.verify_tls
        if settings.auth_method is AuthMethod.GATEWAY and unsaid and settings.base_url.startswith("https"):
            pin = self.pins(settings).of(settings.base_url)
            settings = attrs.evolve(settings, tls_fingerprint=pin)
        return settings

    def pins(self, settings: Settings) -> Pins:
        """The certificates that were pinned in the settings' state folder."""
        return Pins(state_directory(settings.state_dir, self.variables))

    @property
    def variables(self) -> Mapping[str, str]:
        """The environment."""
        return os.environ if self.environ is None else self.environ

    @contextmanager
    def exchange(self, *, simulated: bool) -> Iterator[IBKRExchange]:
        """Lend an exchange; the user stays logged in when it is given back."""
        made = (
            IBKRExchange.simulated(doors=self.doors)
            if simulated
            else IBKRExchange(self.settings(), doors=self.doors)
        )
        try:
            yield made
        finally:
            made.close()


def kind_of(ibkr: IBKRExchange, account: str) -> str:
    """Tell a paper account from a live one; what nobody says to be paper is live."""
    flagged = ibkr.session.accounts().is_paper
    is_paper = account.startswith(PAPER_PREFIXES) if flagged is None else flagged
    return PAPER if is_paper else LIVE
