"""Trade for one account under one set of policies; values in, values out.

This is what ``ibkr.orders`` offers to programs and notebooks, and what :mod:`ibkr_adapter.exchange`
puts into the host's words: entries and exits. On what terms an account trades is known by
:mod:`ibkr_adapter.terms`, what stands by :mod:`ibkr_adapter.standing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from ibkr_adapter import combos, order_builder
from ibkr_adapter.combos import Combos
from ibkr_adapter.connections import Connection
from ibkr_adapter.errors import InvalidOrder
from ibkr_adapter.exits import Closed, Mandate
from ibkr_adapter.model.combo import Combo, ComboLeg, Spread
from ibkr_adapter.model.order import OrderType, Placed, Side, Ticket, Tif, TrailingUnit
from ibkr_adapter.model.rules import Algo, Schedule
from ibkr_adapter.order_builder import Terms
from ibkr_adapter.orders import Submission
from ibkr_adapter.settings import Settings
from ibkr_adapter.standing import Standing


class Trading(Standing):
    """Places, changes and reads orders of one account."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        super().__init__(connection, settings)
        self._combos = Combos(self._terms, settings.spread_conids)

    # What is traded -----------------------------------------------------------------------

    def terms(self, symbol: str) -> Terms:
        """Find the contract, its rules and the account for an order."""
        return self._terms.terms(symbol)

    def sizing_price(self, symbol: str) -> Decimal:
        """The last price, if sizes and percentages may be computed from it.

        Raises:
            InvalidOrder: It is delayed, frozen, halted, the prior close or missing; it names
                IBKR's code and the setting that allows it.
        """
        return self._terms.sizing_price(symbol)

    def schedule(self, symbol: str) -> Schedule | None:
        """When a contract trades in the days around now; ``None`` where IBKR does not tell.

        Holidays are simply not in it. ``is_open`` and ``next_open`` of the answer take a moment.
        """
        return self._terms.schedule(symbol)

    def algos(self, symbol: str, names: Sequence[str] = ()) -> tuple[Algo, ...]:
        """The algorithms that a contract takes, with their parameters; ``names`` are IBKR's ids."""
        return self._connection.reference.algos(self.contract(symbol).conid, names)

    # Entries ------------------------------------------------------------------------------

    def place(
        self,
        symbol: str,
        *,
        side: Side,
        order_type: OrderType,
        quantity: Decimal,
        tif: Tif | str | None = None,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        trailing: Decimal | None = None,
        trailing_unit: TrailingUnit | None = None,
        exact: bool = True,
    ) -> Placed:
        """Place one entry.

        Args:
            symbol: What to trade.
            side: The order's own side.
            order_type: Any of the six.
            quantity: Shares or contracts.
            tif: How long it stands; ``entry_tif`` of the settings if unset. What the contract or
                the API does not have (``FOK``, ``GTD``) is refused with the list of what it does.
            limit_price: In the contract's currency.
            stop_price: In the contract's currency.
            trailing: The distance of a trailing stop.
            trailing_unit: Whether that is money or percent.
            exact: Refuse what would have to be rounded; otherwise round as the settings' page
                says.

        Raises:
            InvalidOrder: It breaks the contract's rules; nothing was sent.
            MarketClosed: A market entry outside trading hours; nothing was sent.
            OrderRejected: IBKR refused; nothing is working.
            OrderOutcomeUnknown: Nobody can tell; look it up, do not send it again.
        """
        terms = self.terms(symbol)
        self._terms.check_short(terms, side, quantity)
        ticket = order_builder.single(
            terms,
            side=side,
            order_type=order_type,
            quantity_asked=quantity,
            coid=self._connection.own.new_coid(),
            limit=limit_price,
            stop=stop_price,
            trailing=trailing,
            trailing_unit=trailing_unit,
            tif=order_builder.time_in_force(terms, tif),
        )
        if exact:
            _unchanged(ticket, quantity, limit_price, stop_price)
        self._terms.check_open(ticket, [(terms, side.sign * ticket.units)])
        return self._submit((ticket,))

    def bracket(
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
    ) -> Placed:
        """Place an entry with its exits in one submission; an exit can never open a position.

        Raises:
            InvalidOrder: A leg is on the wrong side or breaks a rule; nothing was sent.
            MarketClosed: A market entry outside trading hours; nothing was sent.
            OrderRejected: IBKR refused, or a leg was refused and the entry was cancelled.
            PartlyPlaced: The entry filled before its missing leg was noticed.
            OrderOutcomeUnknown: Nobody can tell; look it up, do not send it again.
        """
        terms = self.terms(symbol)
        self._terms.check_short(terms, side, quantity)
        entry = order_builder.single(
            terms,
            side=side,
            order_type=order_type,
            quantity_asked=quantity,
            coid=self._connection.own.new_coid(),
            limit=limit_price,
            stop=stop_price,
        )
        self._terms.check_open(entry, [(terms, side.sign * entry.units)])
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
        return self._submit(tuple(tickets))

    # Combinations -------------------------------------------------------------------------

    def combo(self, legs: Spread | Sequence[ComboLeg], *, exchange: str | None = None) -> Combo:
        """Find the legs of a combination and put it together; nothing is sent.

        Args:
            legs: At least two, by name or contract id; :mod:`ibkr_adapter.model.combo` has those that
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
        legs: Spread | Combo | Sequence[ComboLeg],
        *,
        side: Side,
        quantity: Decimal,
        limit_price: Decimal | None = None,
        tif: Tif | str | None = None,
        exchange: str | None = None,
        exact: bool = True,
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

        Raises:
            InvalidOrder: It is no combination, or breaks a rule of one of its legs; nothing was sent.
            MarketClosed: A leg does not trade now; nothing was sent.
            OrderRejected: IBKR refused; nothing is working.
            OrderOutcomeUnknown: Nobody can tell; look it up, do not send it again.
        """
        bundle = self._combos.bundle(legs, exchange)
        ticket = combos.ticket(
            bundle,
            side=side,
            quantity=quantity,
            limit=limit_price,
            tif=order_builder.time_in_force(bundle.terms[0], tif),
            coid=self._connection.own.new_coid(),
        )
        if exact:
            factor = bundle.combo.factor
            each = None if limit_price is None else limit_price / factor
            _unchanged(ticket, quantity * factor, each, None)
        changes = bundle.changes(side, ticket.units)
        for terms, change in changes:
            self._terms.check_short(terms, Side.SELL if change < 0 else Side.BUY, abs(change))
        self._terms.check_open(ticket, changes)
        return self._submit((ticket,))

    # Exits --------------------------------------------------------------------------------

    def stop_loss(
        self,
        symbol: str,
        *,
        side: Side,
        quantity: Decimal,
        stop_price: Decimal,
        limit_price: Decimal | None = None,
    ) -> Placed:
        """Protect a position, or our working entry, by a stop; ``side`` is the stop's own."""
        mandate = self._mandate(symbol)

        def build(size: Decimal, coid: str) -> Ticket:
            return order_builder.stop_exit(
                mandate.terms, side=side, size=size, stop=stop_price, limit=limit_price, coid=coid
            )

        return self._connection.exits.protect(mandate, side, self._size(mandate, quantity), build)

    def take_profit(self, symbol: str, *, side: Side, quantity: Decimal, price: Decimal) -> Placed:
        """Give a position, or our working entry, a target; ``side`` is the target's own."""
        mandate = self._mandate(symbol)

        def build(size: Decimal, coid: str) -> Ticket:
            return order_builder.target_exit(mandate.terms, side=side, size=size, target=price, coid=coid)

        return self._connection.exits.protect(mandate, side, self._size(mandate, quantity), build)

    def trailing_stop(self, symbol: str, *, side: Side, quantity: Decimal, percent: Decimal) -> Placed:
        """Protect a position, or our working entry, by a trailing stop; 1.5 is 1.5 percent."""
        mandate = self._mandate(symbol)

        def build(size: Decimal, coid: str) -> Ticket:
            return order_builder.trailing_exit(
                mandate.terms, side=side, size=size, percent=percent, coid=coid
            )

        return self._connection.exits.protect(mandate, side, self._size(mandate, quantity), build)

    def oco(
        self, symbol: str, *, side: Side, quantity: Decimal, take_profit: Decimal, stop_loss: Decimal
    ) -> Placed:
        """Protect a position by a target and a stop of which one cancels the other."""
        mandate = self._mandate(symbol)
        coids = self._connection.own.new_coid(), self._connection.own.new_coid()

        def build(size: Decimal) -> tuple[Ticket, Ticket]:
            target = order_builder.target_exit(
                mandate.terms, side=side, size=size, target=take_profit, coid=coids[0]
            )
            stop = order_builder.stop_exit(mandate.terms, side=side, size=size, stop=stop_loss, coid=coids[1])
            if (target.limit_price or 0) * side.opposite.sign <= (stop.stop_price or 0) * side.opposite.sign:
                raise InvalidOrder(
                    "the target and the stop are on the wrong sides of each other; nothing was sent."
                )
            return target, stop

        return self._connection.exits.pair(mandate, side, self._size(mandate, quantity), build)

    def close(self, symbol: str, quantity: Decimal | None = None) -> Closed:
        """Close a position, wholly or in part; its own direction decides the side."""
        mandate = self._mandate(symbol)
        size = None if quantity is None else self._size(mandate, quantity)
        return self._connection.exits.close(mandate, size)

    # Common -------------------------------------------------------------------------------

    def _submit(self, tickets: Sequence[Ticket]) -> Placed:
        return self._connection.desk.place(
            Submission(
                tickets=tuple(tickets),
                replies=self._replies,
                deadline=self._deadline(),
                wait_for_outcome=self._settings.unknown_deadline,
            )
        )

    def _mandate(self, symbol: str) -> Mandate:
        return Mandate(
            terms=self.terms(symbol),
            replies=self._replies,
            order_deadline=self._settings.order_deadline,
            unknown_deadline=self._settings.unknown_deadline,
        )

    def _size(self, mandate: Mandate, quantity: Decimal) -> Decimal:
        return order_builder.quantity(mandate.terms, quantity)


def _unchanged(ticket: Ticket, quantity: Decimal, limit: Decimal | None, stop: Decimal | None) -> None:
    for name, asked, got in (
        ("quantity", quantity, ticket.quantity),
        ("limit price", limit, ticket.limit_price),
        ("stop price", stop, ticket.stop_price),
    ):
        if asked is not None and got is not None and asked != got:
            raise InvalidOrder(
                f"the {name} {asked:f} is not one that the contract trades; the next is {got:f}. Nothing was sent."
            )
