"""Say on what terms an account may trade: which account, which contract, its rules, its hours.

Everything that a ticket must keep is found here before it is built; the arithmetic is for
:mod:`ibkr_adapter.order_builder`, sending for :mod:`ibkr_adapter.trading`. Hours are read for
market entries only: what reduces risk is never asked when it comes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from ibkr_adapter import measures
from ibkr_adapter.connection import Connection
from ibkr_adapter.errors import (
    ApiError,
    ConfigurationError,
    ContractError,
    InvalidOrder,
    MarketClosed,
    OutcomeUnknown,
    quoted,
)
from ibkr_adapter.measures import Terms
from ibkr_adapter.model.combo import Combo, Spread
from ibkr_adapter.model.contract import Contract, SecType
from ibkr_adapter.model.order import OrderType, Origin, Side, Ticket, Tif
from ibkr_adapter.model.query import ContractQuery
from ibkr_adapter.model.rules import Schedule
from ibkr_adapter.model.sizing import Sizing
from ibkr_adapter.setting_readers import Environment
from ibkr_adapter.settings import Settings
from ibkr_adapter.wire.forex import Pair
from ibkr_adapter.wire.portfolio import AccountProperties

# Account ids of paper accounts begin so; IBKR's own flag goes first where it is there.
PAPER_PREFIXES = ("DU", "DF", "DI")
# These wait for an opening of their own, or are for the hours after the close.
_NOT_OF_THE_DAY = frozenset({Tif.OPG, Tif.OVT, Tif.OND})
_MONTH, _DAY = 6, 8
_TOLD = frozenset({SecType.FUTURE, SecType.FUTURE_OPTION, SecType.COMBO})
DOLLAR = "USD"


class AccountTerms:
    """The terms of one account under one set of policies."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self._connection = connection
        self._settings = settings

    # The account --------------------------------------------------------------------------

    def account(self) -> str:
        """The account that is read and traded.

        Raises:
            ConfigurationError: It is not among this login's, or several are and none is named.
        """
        found = self._connection.session.accounts()
        named = self._settings.account_id
        listed = ", ".join(found.accounts)
        if named is None and len(found.accounts) != 1:
            raise ConfigurationError(
                f"this login has several accounts and account_id names none of them: {listed}; nothing was sent.",
                remedy="Set account_id to the one that is meant.",
            )
        account = named or found.accounts[0]
        if account not in found.accounts:
            raise ConfigurationError(
                f"account_id {account} cannot be traded by this login: {listed}; nothing was sent.",
                remedy="Set account_id to one of these, or log in as its user.",
            )
        return account

    def permit(self, account: str) -> None:
        """Let nothing reach a live account unless a person has written that it may."""
        if not self._is_paper(account) and self._settings.environment is not Environment.PRODUCTION:
            raise ConfigurationError(
                f"{account} is a LIVE account and environment does not say so; nothing was sent.",
                remedy='Set environment to "production" to trade real money, or log in with a paper user.',
            )

    def _is_paper(self, account: str) -> bool:
        flagged = self._connection.session.accounts().is_paper
        return account.startswith(PAPER_PREFIXES) if flagged is None else flagged

    # What is traded -----------------------------------------------------------------------

    def contract(self, symbol: str | ContractQuery) -> Contract:
        """Find the one contract that a symbol means."""
        if isinstance(symbol, (Spread, Combo, list, tuple)):
            raise InvalidOrder(
                "a combination has no bracket, exits or close of its own, because its legs become positions"
                " of their own; nothing was sent.",
                remedy="Order it with place_combo_order, and protect or close its legs, or order its opposite.",
            )
        return self._connection.conids.resolve(symbol)

    def terms(self, symbol: str | ContractQuery) -> Terms:
        """Find the contract, its rules and the account for an order.

        Raises:
            ContractError: It is not the contract that was meant, has expired, or cannot be
                ordered at all; nothing was sent.
        """
        account = self.account()
        self.permit(account)
        contract = self.contract(symbol)
        detailed, rules = self._connection.conids.rules(contract.conid)
        if detailed.symbol != contract.symbol:
            raise ContractError(
                f"{symbol} was found as {contract.symbol}, but contract {contract.conid} is {detailed.symbol};"
                " nothing was sent."
            )
        if detailed.sec_type is SecType.INDEX:
            raise ContractError(
                f"{symbol} is an index, which nobody can order; nothing was sent.",
                remedy="Order a future, an option or a fund on it.",
            )
        self._check_expiry(symbol, detailed)
        may = self._connection.session.accounts().properties.get(account) or AccountProperties()
        return Terms(
            account=account,
            contract=attrs.evolve(detailed, route=contract.route),
            rules=rules,
            entry_tif=Tif(self._settings.entry_tif),
            exit_tif=Tif(self._settings.exit_tif),
            outside_rth=self._settings.outside_rth,
            allow_fractional=self._settings.allow_fractional and may.supports_fractions is True,
            allow_cash=may.supports_cash_qty is True,
            origin=self.origin(detailed.sec_type, account),
        )

    def origin(self, sec_type: SecType, account: str) -> Origin | None:
        """Who gives an order, for the classes that demand to be told; ``None`` for all others.

        US futures are refused without it. Which contract is American no answer tells for sure, so
        every future and every option on one carries it. Combinations do where a leg demands it; of one
        that nobody here has placed the legs are not looked up, and it carries it as well.
        """
        if sec_type not in _TOLD:
            return None
        settings = self._settings
        return Origin(
            manual=settings.manual_indicator,
            # The name of the login, where settings have it; IBKR tells it only now and then.
            operator=settings.ext_operator or settings.credential or account,
        )

    def _check_expiry(self, symbol: str | ContractQuery, contract: Contract) -> None:
        today = self._connection.reference.market_time().astimezone(UTC).strftime("%Y%m%d")
        digits = contract.expiry or contract.contract_month or ""
        # Some answers tell the month only.
        if digits.isdecimal() and len(digits) in {_MONTH, _DAY} and digits < today[: len(digits)]:
            raise ContractError(
                f"{symbol} (contract {contract.conid}) expired on {digits}; nothing was sent.",
                remedy="Name a contract that still trades.",
            )

    def check_short(self, terms: Terms, side: Side, quantity: Decimal | None) -> None:
        """Refuse a sale of more than is held, unless settings allow short positions."""
        if side is Side.BUY or self._settings.allow_short:
            return
        if quantity is None:
            raise InvalidOrder(
                f"how many {terms.contract.symbol} are sold for a sum of money is not known, so it could open a"
                " short position; nothing was sent.",
                remedy="Give a quantity, or set allow_short.",
            )
        held = self._connection.holdings.quantity(terms.account, terms.contract.conid)
        if quantity > held:
            raise InvalidOrder(
                f"selling {quantity:f} {terms.contract.symbol} with {held:f} held would open a short position;"
                " nothing was sent.",
                remedy="Set allow_short to allow that.",
            )

    def sizing_price(self, symbol: str) -> Decimal:
        """The last price, if sizes and percentages may be computed from it.

        Raises:
            InvalidOrder: It is delayed, frozen, halted, the prior close or missing; it names
                IBKR's code and the setting that allows it.
        """
        contract = self.contract(symbol)
        quote = self._connection.market_data.quote(contract.conid)
        why = quote.why_not_tradable()
        if why is None and quote.last is not None:
            return quote.last
        shown = quote.display_price()
        if self._settings.allow_delayed_prices and shown is not None:
            return shown.price
        raise InvalidOrder(
            f"the price of {symbol} cannot be used for sizes or percentages: {why}; nothing was sent.",
            remedy="Subscribe to its market data, or set allow_delayed_prices."
            if shown is not None
            else "Subscribe to its market data, or give quantity and prices.",
        )

    def sizing(self, symbol: str) -> Sizing:
        """What turns US dollars into a quantity of a contract.

        Raises:
            InvalidOrder: IBKR does not say in which currency its price is; nothing was sent.
            ApiError: It gives no exchange rate; nothing was sent.
        """
        contract, rules = self._connection.conids.rules(self.contract(symbol).conid)
        if contract.currency is None:
            raise InvalidOrder(
                f"IBKR does not say in which currency {symbol} trades, so US dollars buy nobody knows how many;"
                " nothing was sent.",
                remedy="Give a quantity.",
            )
        return Sizing(
            multiplier=contract.multiplier,
            magnifier=rules.price_magnifier or Decimal(1),
            rate=self._connection.reference.rate(contract.currency, DOLLAR),
            smallest=self.smallest_size(symbol),
        )

    def smallest_size(self, symbol: str) -> Decimal:
        """The smallest quantity that trades, which is also the step of all others."""
        contract, rules = self._connection.conids.rules(self.contract(symbol).conid)
        plain = Terms(
            account="",
            contract=contract,
            rules=rules,
            entry_tif=Tif.DAY,
            exit_tif=Tif.DAY,
            allow_fractional=self._settings.allow_fractional,
        )
        return measures.smallest(plain)

    def pair(self, source: str, target: str) -> tuple[Terms, Pair]:
        """Find the pair in which two currencies trade, and on what terms.

        Raises:
            InvalidOrder: They are no two currencies; nothing was sent.
            ContractError: IBKR lists no such pair, or another contract under it; nothing was sent.
        """
        names = _code(source), _code(target)
        if names[0] == names[1] or not all(re.fullmatch("[A-Z]{3}", name) for name in names):
            raise InvalidOrder(
                f"{quoted(source, 10)} and {quoted(target, 10)} are no two currencies; nothing was sent.",
                remedy="Write codes such as USD and EUR.",
            )
        found = self._connection.reference.pair(*names)
        terms = self.terms(ContractQuery(conid=found.conid))
        if terms.contract.sec_type is not SecType.FOREX or terms.contract.currency != found.quote:
            raise ContractError(
                f"{found.symbol} was listed as contract {found.conid}, which is {terms.contract.symbol}"
                f" in {terms.contract.currency}; nothing was sent."
            )
        return terms, found

    # Hours --------------------------------------------------------------------------------

    def schedule(self, symbol: str) -> Schedule | None:
        """When a contract trades in the days around now; ``None`` where IBKR does not tell."""
        return self._connection.reference.schedule(self.contract(symbol).conid)

    def check_open(self, ticket: Ticket, changes: Sequence[tuple[Terms, Decimal | None]]) -> None:
        """Refuse a market entry outside trading hours, unless settings let it queue.

        Where IBKR gives no hours for a contract, or hours of days that are not ours, it decides
        itself. Where they cannot be read nobody knows, and a market order that waits for another
        day's price is worse than one that was refused.

        Args:
            ticket: The entry.
            changes: The contracts that it trades in, and by how much it changes the position in
                each, where that is known.

        Raises:
            MarketClosed: It is closed; ``next_open`` says until when.
            InvalidOrder: Its hours could not be read.
        """
        if (
            self._settings.when_closed == "queue"
            or ticket.order_type is not OrderType.MARKET
            or ticket.tif in _NOT_OF_THE_DAY
        ):
            return
        closed = next((found for terms, _ in changes if (found := self._closed(terms, ticket))), None)
        # What only reduces is a close, although it was not called one.
        if closed is not None and not self._only_reduces(changes):
            raise closed

    def _closed(self, terms: Terms, ticket: Ticket) -> MarketClosed | None:
        symbol = terms.contract.symbol
        try:
            schedule = self._connection.reference.schedule(terms.contract.conid)
        except (ApiError, OutcomeUnknown) as failure:
            # Nothing but a question was sent, which the failure of a read would not say.
            raise InvalidOrder(
                f"whether {symbol} trades now cannot be read ({failure.message}); no market entry was sent.",
                text=failure.text,
                repeatable=True,
                remedy="Try again, send a limit order, or set when_closed to queue and let IBKR decide.",
            ) from failure
        now = self._connection.reference.market_time()
        if schedule is None or schedule.is_open(now, outside_rth=ticket.outside_rth):
            return None
        opens = schedule.next_open(now, outside_rth=ticket.outside_rth)
        when = (
            f"it opens {_shown(opens, schedule.zone)}" if opens is not None else "when it opens is not listed"
        )
        may_wait = OrderType.MARKET.value in terms.rules.order_types_outside and not ticket.outside_rth
        return MarketClosed(
            f"{symbol} does not trade now: {when}; nothing was sent.",
            next_open=opens,
            remedy="Send it then, send a limit order, or set when_closed to queue and let IBKR keep it."
            + (" With outside_rth it may trade outside regular hours." if may_wait else ""),
        )

    def _only_reduces(self, changes: Sequence[tuple[Terms, Decimal | None]]) -> bool:
        for terms, change in changes:
            if change is None:
                return False
            held = self._connection.holdings.quantity(terms.account, terms.contract.conid)
            if not (held * change < 0 and abs(change) <= abs(held)):
                return False
        return True


def _shown(moment: datetime, zone: str) -> str:
    """Write a moment for people, in UTC and in the exchange's own time where that is known here."""
    written = f"{moment.astimezone(UTC):%A %d %B %Y %H:%M} UTC"
    try:
        there = moment.astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return written
    return f"{written} ({there:%H:%M} {zone})"


def _code(word: object) -> str:
    return word.strip().upper() if isinstance(word, str) else ""
