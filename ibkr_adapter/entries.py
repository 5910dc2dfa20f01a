"""Enter: single orders, brackets, combinations and conversions, for one account.

Each is built whole, held against the rules of its contract, and only then sent; a market entry also
against trading hours. What closes and protects is for :mod:`ibkr_adapter.trading`, which is built on
this, what stands for :mod:`ibkr_adapter.standing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs

from ibkr_adapter import combos, order_builder, permits, typed
from ibkr_adapter.combos import Combos
from ibkr_adapter.connection import Connection
from ibkr_adapter.errors import InvalidOrder, quoted
from ibkr_adapter.measures import Terms
from ibkr_adapter.model.algos import choose
from ibkr_adapter.model.combo import Combo, Spread
from ibkr_adapter.model.order import OrderType, Placed, Side, Ticket, Tif, TrailingUnit
from ibkr_adapter.model.query import ContractQuery
from ibkr_adapter.model.rules import Algo, Schedule
from ibkr_adapter.model.sizing import Sizing
from ibkr_adapter.own_orders import checked_coid
from ibkr_adapter.price_rules import Effect
from ibkr_adapter.reference import algo_names
from ibkr_adapter.settings import Settings
from ibkr_adapter.standing import Standing
from ibkr_adapter.submissions import Submission

# Longer than a lost answer is ever worth waiting for in a call.
LONGEST_WAIT = 3600.0


@attrs.frozen(kw_only=True)
class Wish:
    """Under which cOID an entry goes, whether the caller chose it, and how long to look for its outcome."""

    coid: str
    named: bool
    wait: float


class Entries(Standing):
    """What opens or adds to a position, or changes money."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        super().__init__(connection, settings)
        self._combos = Combos(self._terms, settings.spread_conids)

    # What is traded -----------------------------------------------------------------------

    def terms(self, symbol: str | ContractQuery) -> Terms:
        """Find the contract, its rules and the account for an order."""
        return self._terms.terms(symbol)

    def sizing_price(self, symbol: str) -> Decimal:
        """The last price, if sizes and percentages may be computed from it.

        Raises:
            InvalidOrder: They may not; it names IBKR's code and the setting that allows it.
        """
        return self._terms.sizing_price(symbol)

    def sizing(self, symbol: str) -> Sizing:
        """What turns US dollars into a quantity: multiplier, currency, and what trades.

        Raises:
            InvalidOrder: IBKR does not say in which currency its price is; nothing was sent.
            ApiError: It gives no exchange rate; nothing was sent.
        """
        return self._terms.sizing(symbol)

    def smallest_size(self, symbol: str) -> Decimal:
        """The smallest quantity that trades, which is also the step of all others."""
        return self._terms.smallest_size(symbol)

    def schedule(self, symbol: str) -> Schedule | None:
        """When a contract trades in the days around now; ``None`` where IBKR does not tell.

        Holidays are simply not in it. ``is_open`` and ``next_open`` of the answer take a moment.
        """
        return self._terms.schedule(symbol)

    def algos(self, symbol: str, names: Sequence[str] = ()) -> tuple[Algo, ...]:
        """The algorithms that a contract takes, with their parameters; ``names`` are IBKR's ids."""
        wanted = algo_names(names)
        return self._connection.reference.algos(self.contract(symbol).conid, wanted)

    # Entries ------------------------------------------------------------------------------

    def place(  # noqa: PLR0913  (an order has so many parts)
        self,
        symbol: str,
        *,
        side: Side,
        order_type: OrderType,
        quantity: Decimal | None = None,
        cash_quantity: Decimal | None = None,
        tif: Tif | str | None = None,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        trailing: Decimal | None = None,
        trailing_unit: TrailingUnit | None = None,
        algo: str | None = None,
        algo_parameters: Mapping[str, Any] | None = None,
        exact: bool = True,
        coid: str | None = None,
        wait_for_outcome: float | None = None,
    ) -> Placed:
        """Place one entry.

        Args:
            symbol: What to trade.
            side: The order's own side.
            order_type: Any of the six.
            quantity: Shares, contracts, coins, or units of the base currency.
            cash_quantity: A sum in the contract's currency instead, where its rules and the account
                take one; crypto is bought at the market that way only.
            tif: How long it stands; ``entry_tif`` of the settings if unset, in crypto ``IOC`` at the
                market and ``PAX`` at a limit. ``FOK`` and ``GTD`` are refused with what there is.
            limit_price: In the contract's currency.
            stop_price: In the contract's currency.
            trailing: The distance of a trailing stop.
            trailing_unit: Whether that is money or percent.
            algo: The algorithm that is to work it, by IBKR's id as :meth:`algos` lists it (``Adaptive``).
            algo_parameters: Its parameters by their ids: texts, whole numbers, decimals, true or false.
                What is needed and not given is IBKR's default, where it has one.
            exact: Refuse what would have to be rounded; otherwise round as docs/orders says.
            coid: Your own client order id. The same order under the same one is found, or proven absent
                before it is sent again; one is made up if unset.
            wait_for_outcome: Seconds for looking up a lost answer; ``unknown_deadline`` if unset.

        Raises:
            InvalidOrder: It breaks the contract's rules; nothing was sent.
            GuardrailRefused: A guardrail of the settings; nothing was sent. So for all entries.
            MarketClosed: A market entry outside trading hours; nothing was sent.
            OrderRejected: IBKR refused; nothing is working.
            OrderOutcomeUnknown: Nobody can tell; look it up, do not send it again.
        """
        self._guard.check_writable("an order")
        typed.side(side)
        typed.order_type(order_type)
        typed.trailing_unit(trailing_unit)
        typed.optional_amounts(
            quantity=quantity,
            cash_quantity=cash_quantity,
            limit_price=limit_price,
            stop_price=stop_price,
            trailing=trailing,
        )
        wish = self._wish(coid, wait_for_outcome)
        terms = self.terms(symbol)
        self._terms.check_short(terms, side, quantity)
        if not exact and quantity is not None and _is_bought_with_money(terms, side, order_type):
            cash_quantity, quantity = quantity * self.sizing_price(symbol), None
        ticket = order_builder.single(
            terms,
            side=side,
            order_type=order_type,
            quantity_asked=quantity,
            cash_asked=cash_quantity,
            coid=wish.coid,
            limit=limit_price,
            stop=stop_price,
            trailing=trailing,
            trailing_unit=trailing_unit,
            tif=permits.time_in_force(terms, tif),
        )
        ticket = self._by_algo(terms, ticket, algo, algo_parameters)
        if exact:
            _unchanged(ticket, quantity, limit_price, stop_price, cash_quantity)
        change = None if ticket.quantity is None else side.sign * ticket.quantity
        return self._enter((ticket,), [(terms, change)], wish)

    def bracket(  # noqa: PLR0913  (an order has so many parts)
        self,
        symbol: str,
        *,
        side: Side,
        order_type: OrderType,
        quantity: Decimal,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        take_profit: Decimal | None = None,
        stop_loss: Decimal | None = None,
        trailing_percent: Decimal | None = None,
        coid: str | None = None,
        wait_for_outcome: float | None = None,
    ) -> Placed:
        """Place an entry with its exits in one submission; an exit can never open a position.

        ``coid`` and ``wait_for_outcome`` are those of :meth:`place`.

        Raises:
            InvalidOrder: A leg is on the wrong side or breaks a rule; nothing was sent.
            MarketClosed: A market entry outside trading hours; nothing was sent.
            OrderRejected: IBKR refused, or a leg was refused and the entry was cancelled.
            PartlyPlaced: The entry filled before its missing leg was noticed.
            OrderOutcomeUnknown: Nobody can tell; look it up, do not send it again.
        """
        self._guard.check_writable("an order")
        typed.side(side)
        typed.order_type(order_type)
        typed.amounts(quantity=quantity)
        typed.optional_amounts(
            limit_price=limit_price,
            stop_price=stop_price,
            take_profit=take_profit,
            stop_loss=stop_loss,
            trailing_percent=trailing_percent,
        )
        wish = self._wish(coid, wait_for_outcome)
        terms = self.terms(symbol)
        self._terms.check_short(terms, side, quantity)
        if _is_bought_with_money(terms, side, order_type):
            raise InvalidOrder(
                f"{symbol} is bought at the market for a sum of money, so its exits would have no size;"
                " nothing was sent.",
                remedy="Enter with a limit, or protect the position once it is there.",
            )
        entry = order_builder.single(
            terms,
            side=side,
            order_type=order_type,
            quantity_asked=quantity,
            coid=wish.coid,
            limit=limit_price,
            stop=stop_price,
        )
        effect: Effect = [(terms, side.sign * entry.units)]
        self._terms.check_open(entry, effect)
        reference = None
        if order_type is OrderType.MARKET:
            shown = self._connection.market_data.quote(terms.contract.conid).display_price()
            reference = shown.price if shown is not None else None
        tickets = order_builder.bracket(
            terms,
            entry,
            reference=reference,
            take_profit=take_profit,
            stop_loss=stop_loss,
            trailing_percent=trailing_percent,
        )
        # Its exits could open a position once the entry has closed one.
        return self._submit(tickets, effect, wish, opens=True)

    # Combinations -------------------------------------------------------------------------

    def combo(self, legs: Spread | Sequence[combos.Leg], *, exchange: str | None = None) -> Combo:
        """Find the legs of a combination and put it together; nothing is sent.

        Args:
            legs: At least two, by name or contract id, as :class:`ComboLeg` or as a pair such as
                ``("QQQ", -1)``; :mod:`ibkr_adapter.model.combo` has those that
                have a name (``vertical``, ``iron_condor``).
            exchange: Where it is routed, in other currencies than the US dollar.

        Returns:
            The combination, its ratios divided by what they have in common, and IBKR's text of it.

        Raises:
            InvalidOrder: It is no combination that can be ordered, and it says why; nothing was sent.
            ContractError: A leg fits no contract, or several; nothing was sent.
        """
        return self._combos.bundle(legs, exchange).combo

    def place_combo(
        self,
        legs: Spread | Combo | Sequence[combos.Leg],
        *,
        side: Side,
        quantity: Decimal,
        limit_price: Decimal | None = None,
        tif: Tif | str | None = None,
        exchange: str | None = None,
        exact: bool = True,
        coid: str | None = None,
        wait_for_outcome: float | None = None,
    ) -> Placed:
        """Order a combination as one: all legs or none.

        Its legs are positions of their own once it has filled, and it has no exits: those are
        orders on the legs, or the opposite order for the combination.

        Args:
            legs: As for :meth:`combo`, or what that returned.
            side: BUY trades the legs as they are written, SELL turns each of them round.
            quantity: How many, whole ones.
            limit_price: What a buyer pays for one, net of all legs, and negative where the buyer is
                paid; at the market if unset.
            tif: How long it stands; ``entry_tif`` of the settings if unset.
            exchange: Where it is routed, in other currencies than the US dollar.
            exact: Refuse what would have to be rounded.
            coid: As for :meth:`place`.
            wait_for_outcome: As for :meth:`place`.

        Raises:
            InvalidOrder: It is no combination, or breaks a rule of one of its legs; nothing was sent.
            MarketClosed: A leg does not trade now; nothing was sent.
            OrderRejected: IBKR refused; nothing is working.
            OrderOutcomeUnknown: Nobody can tell; look it up, do not send it again.
        """
        self._guard.check_writable("an order")
        typed.side(side)
        typed.amounts(quantity=quantity)
        typed.optional_amounts(limit_price=limit_price)
        wish = self._wish(coid, wait_for_outcome)
        bundle = self._combos.bundle(legs, exchange)
        ticket = combos.ticket(
            bundle,
            side=side,
            quantity=quantity,
            limit=limit_price,
            tif=permits.time_in_force(bundle.terms[0], tif),
            coid=wish.coid,
        )
        if exact:
            factor = bundle.combo.factor
            each = None if limit_price is None else limit_price / factor
            _unchanged(ticket, quantity * factor, each, None)
        changes = bundle.changes(side, ticket.units)
        for terms, change in changes:
            self._terms.check_short(terms, Side.SELL if change < 0 else Side.BUY, abs(change))
        return self._enter((ticket,), changes, wish)

    # Currencies ---------------------------------------------------------------------------

    def convert(
        self,
        amount: Decimal,
        source: str,
        target: str,
        *,
        limit_price: Decimal | None = None,
        tif: Tif | str | None = None,
        coid: str | None = None,
        wait_for_outcome: float | None = None,
    ) -> Placed:
        """Change an amount of one currency into another; it makes no position.

        IBKR counts a conversion in the currency that the pair's price is in. Where that is the
        target, the amount is turned round at ``limit_price``, so that never more than ``amount`` goes;
        without a limit nobody could know how much would, and it is refused.

        Args:
            amount: How much of ``source``, to the cent.
            source: The currency that is paid.
            target: The currency that is received.
            limit_price: The pair's price, the worst one that is taken; at the market if unset.
            tif: How long it stands; ``entry_tif`` of the settings if unset.
            coid: As for :meth:`place`.
            wait_for_outcome: As for :meth:`place`.

        Raises:
            InvalidOrder: It cannot be sized, or breaks a rule; nothing was sent.
            MarketClosed: The pair does not trade now; nothing was sent.
            ContractNotFound: IBKR lists no such pair; nothing was sent.
            OrderRejected: IBKR refused; nothing is working.
            OrderOutcomeUnknown: Nobody can tell; look it up, do not send it again.
        """
        self._guard.check_writable("a conversion")
        typed.amounts(amount=amount)
        typed.optional_amounts(limit_price=limit_price)
        wish = self._wish(coid, wait_for_outcome)
        terms, pair = self._terms.pair(source, target)
        ticket = order_builder.conversion(
            terms,
            pair=pair.symbol,
            amount=amount,
            buying=pair.quote == source.strip().upper(),
            limit=limit_price,
            tif=permits.time_in_force(terms, tif),
            coid=wish.coid,
        )
        _unchanged(ticket, None, limit_price, None)
        return self._enter((ticket,), [(terms, None)], wish)

    def _wish(self, coid: str | None, wait_for_outcome: float | None) -> Wish:
        wait: Any = self._settings.unknown_deadline if wait_for_outcome is None else wait_for_outcome
        if not (isinstance(wait, (int, float)) and 0 <= wait <= LONGEST_WAIT):
            raise InvalidOrder(
                f"wait_for_outcome={quoted(wait_for_outcome)} is not from 0 to {LONGEST_WAIT:.0f} seconds; nothing was sent."
            )
        if coid is None:
            return Wish(coid=self._connection.own.new_coid(), named=False, wait=float(wait))
        return Wish(coid=checked_coid(coid), named=True, wait=float(wait))

    def _by_algo(
        self, terms: Terms, ticket: Ticket, algo: str | None, parameters: Mapping[str, Any] | None
    ) -> Ticket:
        """Have an algorithm work an order, held against the contract's own list."""
        if parameters is not None and not isinstance(parameters, Mapping):
            raise InvalidOrder(f"algo_parameters={quoted(parameters)} is no mapping; nothing was sent.")
        if algo is None:
            if parameters:
                raise InvalidOrder("parameters of an algorithm need the algorithm; nothing was sent.")
            return ticket
        permits.check_algo(terms, ticket.order_type, ticket.tif)
        offered = self._connection.reference.algos(terms.contract.conid)
        chosen = choose(terms.contract.symbol, offered, algo, parameters or {})
        return attrs.evolve(ticket, algo=chosen)

    def _enter(self, tickets: Sequence[Ticket], effect: Effect, wish: Wish) -> Placed:
        self._terms.check_open(tickets[0], effect)
        return self._submit(tickets, effect, wish)

    def _submit(
        self, tickets: Sequence[Ticket], effect: Effect, wish: Wish, *, opens: bool = False
    ) -> Placed:
        if self._guard.check_entry(tickets[0], effect, opens=opens):
            return self._send(tickets, wish)

        def again() -> Placed:
            self._guard.check_entry(tickets[0], effect, opens=opens)
            return self._send(tickets, wish)

        # Two that are held against one position at the same moment would open another together.
        conids = [terms.contract.conid for terms, _change in effect]
        return self._connection.exits.reduce(tickets[0].account, conids, self._deadline(), again)

    def _send(self, tickets: Sequence[Ticket], wish: Wish) -> Placed:
        return self._ways().desk.place(
            Submission(
                tickets=tuple(tickets),
                replies=self._replies,
                deadline=self._deadline(),
                wait_for_outcome=wish.wait,
                named=wish.named,
            )
        )


def _is_bought_with_money(terms: Terms, side: Side, order_type: OrderType) -> bool:
    return terms.is_crypto and side is Side.BUY and order_type is OrderType.MARKET


def _unchanged(
    ticket: Ticket,
    quantity: Decimal | None,
    limit: Decimal | None,
    stop: Decimal | None,
    cash: Decimal | None = None,
) -> None:
    for name, asked, got in (
        ("quantity", quantity, ticket.quantity),
        ("sum of money", cash, ticket.cash_quantity),
        ("limit price", limit, ticket.limit_price),
        ("stop price", stop, ticket.stop_price),
    ):
        if asked is not None and got is not None and asked != got:
            raise InvalidOrder(
                f"the {name} {asked:f} is not one that the contract trades; the next is {got:f}. Nothing was sent."
            )
