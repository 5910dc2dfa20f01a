"""What the OAuth logins have in common: a token that one desk fetches and all threads share.

How the token is earned, and how a request bears it, is for :mod:`ibkr_adapter.auth.oauth1a` and
:mod:`ibkr_adapter.auth.oauth2`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from ibkr_adapter.auth.desk import TokenDesk
from ibkr_adapter.auth.renewal import Grant, Renewal
from ibkr_adapter.clock import Clock
from ibkr_adapter.lease import Lease
from ibkr_adapter.settings import Settings
from ibkr_adapter.transport import Transport
from ibkr_adapter.turns import Turns


class TokenLogin(ABC):
    """Keeps one token for all threads; the half of :class:`.base.Auth` that is about keeping it.

    With a ``lease`` no token is made or used while another process of this machine owns the login.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock,
        transport: Transport,
        turns: Turns,
        lease: Lease | None = None,
    ) -> None:
        self._settings = settings
        self._lease = lease
        self._desk = TokenDesk(clock=clock, transport=transport, turns=turns)
        self._renewal = Renewal(clock=clock, now=self._desk.now, turns=turns, login=self._login)

    @property
    def base_url(self) -> str:
        """IBKR's API root."""
        return self._settings.base_url

    @property
    def generation(self) -> int:
        """Counts the outer sessions; see :attr:`.base.Auth.generation`."""
        return self._renewal.generation

    def prepare(self, deadline: float) -> None:
        """See that a token is there; see :meth:`.base.Auth.prepare`."""
        self._own()
        self._renewal.prepare(deadline)

    def renew(self, deadline: float) -> None:
        """Make another token, once for all threads that were refused."""
        self._own()
        self._renewal.renew(deadline)

    def _own(self) -> None:
        # A forked child inherits the token, and is another process.
        if self._lease is not None:
            self._lease.take()

    @abstractmethod
    def _login(self, deadline: float) -> Grant:
        """Earn a token."""
