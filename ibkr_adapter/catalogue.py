"""Reads that belong to no single contract or account, and what is done to a login as a whole.

Source: Web API reference, "Contracts", "Session"; docs/endpoints.md.
"""

from __future__ import annotations

from decimal import Decimal

from ibkr_adapter.account_desk import AccountDesk
from ibkr_adapter.errors import InvalidRequest, quoted
from ibkr_adapter.model.catalogue import (
    FILTER_COLUMNS,
    SHARE_LIST_COLUMNS,
    VENUE_COLUMNS,
    BondFilter,
    ListedShare,
    LoginState,
    VenueHours,
)
from ibkr_adapter.model.kinds import is_text
from ibkr_adapter.model.order import Side
from ibkr_adapter.model.rules import Rules
from ibkr_adapter.model.table import Table
from ibkr_adapter.wire import catalogue, endpoints
from ibkr_adapter.wire.forex import Pair
from ibkr_adapter.wire.rules import read_rules

_CLASSES = ("STK", "OPT", "FUT", "CFD", "WAR", "SWP", "FND", "BND", "ICS")
# No exchange, issuer, symbol or currency has as many letters.
_LONGEST_WORD = 100


class Catalogue(AccountDesk):
    """Lists, calendars, rates and rules."""

    def shares(self, exchange: str) -> Table[ListedShare]:
        """All shares of an exchange, by IBKR's name of it (``NMS`` is NASDAQ)."""
        wanted = _word(exchange, "exchange")
        content = self._session.read(endpoints.TRSRV_ALL_CONIDS, query={"exchange": wanted}, empty=[])
        return Table(catalogue.read_listed_shares(content), SHARE_LIST_COLUMNS, title=f"shares of {wanted}")

    def bond_filters(self, issuer: str) -> Table[BondFilter]:
        """By what the bonds of an issuer can be told apart; ``issuer`` is an id such as ``e1400715``."""
        query = {"symbol": "BOND", "issuerId": _word(issuer, "issuer")}
        content = self._session.read(endpoints.BOND_FILTERS, query=query)
        return Table(catalogue.read_bond_filters(content), FILTER_COLUMNS, title=f"filters of {issuer}")

    def venues(self, symbol: str, asset_class: str = "STK", exchange: str | None = None) -> Table[VenueHours]:
        """The calendars of all venues of a symbol; ``ibkr.orders.schedule`` tells when a contract trades now."""
        kind = asset_class.strip().upper() if is_text(asset_class) else ""
        if kind not in _CLASSES:
            raise InvalidRequest(
                f"{quoted(asset_class, 20)} has no calendar by symbol; nothing was sent.",
                remedy=f"Write one of {', '.join(_CLASSES)}.",
            )
        query = {"assetClass": kind, "symbol": _word(symbol, "symbol")}
        if exchange is not None:
            query["exchange"] = _word(exchange, "exchange")
        content = self._session.read(endpoints.TRSRV_SCHEDULE, query=query, empty=[])
        return Table(catalogue.read_venues(content), VENUE_COLUMNS, title=f"venues of {symbol}")

    def order_rules(self, contract: str | int, side: Side = Side.BUY) -> Rules:
        """The rules for orders on a contract and one side, read now."""
        conid = self._conid(contract)
        body = {"conid": conid, "isBuy": side is Side.BUY}
        return read_rules(self._session.read(endpoints.CONTRACT_RULES, body=body), conid)

    def rate(self, source: str, target: str) -> Decimal:
        """How many units of ``target`` one unit of ``source`` is, at most a minute old."""
        first, second = _word(source, "currency").upper(), _word(target, "currency").upper()
        return self._connection.reference.rate(first, second)

    def pair(self, first: str, second: str) -> Pair:
        """The one pair in which two currencies trade, whichever it names first."""
        return self._connection.reference.pair(
            _word(first, "currency").upper(), _word(second, "currency").upper()
        )

    # The login ----------------------------------------------------------------------------

    def validate(self) -> LoginState:
        """What IBKR says of this login; once a minute, and for gateways and OAuth 2.0 only."""
        return catalogue.read_login(self._session.read(endpoints.SSO_VALIDATE))

    def reset_suppressed(self) -> None:
        """Have IBKR ask all its questions again, until the session is opened anew.

        The policy of the settings answers them.
        """
        self._guard.check_request(endpoints.SUPPRESS_RESET)
        self._session.read(endpoints.SUPPRESS_RESET, body={})

    def logout(self) -> None:
        """Log the user out, here and in every object and process at this login.

        The connection is of no use afterwards: close every object of it before you make a new one.

        Raises:
            OutcomeUnknown: The answer was lost; the connection is closed all the same.
        """
        # Before the connection is at stake: who is refused stays logged in and goes on.
        self._guard.check_request(endpoints.LOGOUT)
        try:
            self._change(endpoints.LOGOUT, what="logging out", look="ibkr.catalogue.validate()", silent=True)
        finally:
            self._session.close()


def _word(text: object, what: str) -> str:
    if not is_text(text) or len(text) > _LONGEST_WORD:
        raise InvalidRequest(f"{quoted(text)} is no {what}; nothing was sent.")
    return text.strip()
