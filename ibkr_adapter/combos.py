"""Make a combination that can be ordered out of legs that somebody named.

Each leg is found and checked like an order of its own: one contract, not expired, permitted, of an
order type and time in force that it takes. The text that names the combination is for
:mod:`ibkr_adapter.wire.combos`.

The tick of a combination is published nowhere. A sum of prices on ticks is a multiple of what the
legs' increments have in common, so prices snap to that; where an exchange wants a coarser step,
IBKR says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Context, Decimal

import attrs

from ibkr_adapter import measures, permits
from ibkr_adapter.errors import InvalidOrder, quoted
from ibkr_adapter.measures import Terms
from ibkr_adapter.model.combo import Combo, ComboLeg, ComboPart, Spread, misfit, reduced
from ibkr_adapter.model.contract import Contract, SecType
from ibkr_adapter.model.kinds import is_listed
from ibkr_adapter.model.order import OrderType, Side, Ticket, Tif
from ibkr_adapter.model.query import ContractQuery
from ibkr_adapter.model.ticks import Rounding, common_ticks, snap
from ibkr_adapter.terms import AccountTerms
from ibkr_adapter.wire.combos import DOLLAR, spread_conid, write_conidex

FEWEST_LEGS = 2
# A leg may be written short: what, and how many of it.
Leg = ComboLeg | tuple[str | int, int]
_SMART = "SMART"
_EXACT = Context(prec=200)


@attrs.frozen(kw_only=True)
class Bundle:
    """A combination with the terms of each of its legs, in their order."""

    combo: Combo
    terms: tuple[Terms, ...]

    def changes(self, side: Side, quantity: Decimal) -> list[tuple[Terms, Decimal]]:
        """By how much an order for ``quantity`` of it changes the position in each leg."""
        return [
            (terms, side.sign * part.ratio * quantity)
            for terms, part in zip(self.terms, self.combo.parts, strict=True)
        ]


class Combos:
    """Finds the legs of combinations for one account."""

    def __init__(self, terms: AccountTerms, spread_conids: Mapping[str, int]) -> None:
        self._terms = terms
        self._spread_conids = spread_conids

    def bundle(self, asked: Spread | Combo | Sequence[Leg], exchange: str | None = None) -> Bundle:
        """Find and check every leg.

        Args:
            asked: The legs, with or without a shape, or a combination that was made before.
            exchange: Where it is routed, in other currencies than the US dollar; without it the
                one that all legs have in common.

        Raises:
            InvalidOrder: It is no combination: fewer than two legs, one of them twice, several
                currencies, no spread contract, or not of the shape that it was named after;
                nothing was sent.
            ContractError: A leg fits no contract, or several; nothing was sent.
        """
        spread = _spread(asked)
        if len(spread.legs) < FEWEST_LEGS:
            raise InvalidOrder(
                f"a combination has at least two legs, not {len(spread.legs)}; nothing was sent."
            )
        terms = tuple(self._terms.terms(_name(leg.contract)) for leg in spread.legs)
        contracts = [one.contract for one in terms]
        for index, contract in enumerate(contracts):
            if contract.conid in {other.conid for other in contracts[:index]}:
                raise InvalidOrder(
                    f"{contract.symbol} (contract {contract.conid}) is a leg twice; nothing was sent.",
                    remedy="Name each contract once, with the ratio that it comes to.",
                )
            if contract.sec_type is SecType.COMBO:
                raise InvalidOrder(f"{contract.symbol} is a combination itself; nothing was sent.")
        why = misfit(spread.shape, contracts) if spread.shape is not None else None
        if why is not None:
            raise InvalidOrder(
                f"this is no {spread.shape}: {why}; nothing was sent.",
                remedy="Name the legs in the order that the shape wants, or give them as plain legs.",
            )
        currency = _currency(contracts)
        ratios, factor = reduced([leg.ratio for leg in spread.legs])
        spread_id = spread_conid(currency, self._spread_conids)
        route = None if currency == DOLLAR else _exchange(contracts, exchange)
        combo = Combo(
            parts=tuple(
                ComboPart(contract=contract, ratio=ratio)
                for contract, ratio in zip(contracts, ratios, strict=True)
            ),
            currency=currency,
            spread_conid=spread_id,
            conidex=write_conidex(
                spread_id,
                route,
                [(contract.conid, ratio) for contract, ratio in zip(contracts, ratios, strict=True)],
            ),
            factor=factor,
            shape=spread.shape,
        )
        return Bundle(combo=combo, terms=terms)


def ticket(
    bundle: Bundle, *, side: Side, quantity: Decimal, limit: Decimal | None, tif: Tif | None, coid: str
) -> Ticket:
    """Build an order for a combination, in the numbers of what was asked for.

    Where ratios had a common divisor there are as many more combinations, each at as much less.
    """
    combo, first = bundle.combo, bundle.terms[0]
    order_type = OrderType.MARKET if limit is None else OrderType.LIMIT
    in_force = tif or first.entry_tif
    for terms in bundle.terms:
        permits.check_allowed(terms, order_type, in_force)
    return Ticket(
        account=first.account,
        conid=combo.spread_conid,
        conidex=combo.conidex,
        side=side,
        order_type=order_type,
        quantity=measures.quantity(attrs.evolve(first, allow_fractional=False), quantity * combo.factor),
        tif=in_force,
        limit_price=None if limit is None else net_price(bundle, side, limit),
        coid=coid,
        origin=next((terms.origin for terms in bundle.terms if terms.origin is not None), None),
        outside_rth=all(permits.outside(terms, order_type) for terms in bundle.terms),
    )


def net_price(bundle: Bundle, side: Side, asked: Decimal) -> Decimal:
    """Bring a price for one of what was asked for onto the tick of one combination.

    A buyer pays no more, and receives no less, than was asked; zero and less are prices.
    """
    if not asked.is_finite():
        raise InvalidOrder(f"{asked} is no price of a combination; nothing was sent.")
    each = _EXACT.divide(asked, Decimal(bundle.combo.factor))
    ticks = common_ticks(terms.ticks for terms in bundle.terms)
    return snap(each, ticks, Rounding.DOWN if side is Side.BUY else Rounding.UP)


def _spread(asked: Spread | Combo | Sequence[Leg]) -> Spread:
    if isinstance(asked, Combo):
        legs = tuple(ComboLeg(contract=part.contract.conid, ratio=part.ratio) for part in asked.parts)
        return Spread(legs=legs, shape=asked.shape)
    if isinstance(asked, Spread):
        return asked
    if isinstance(asked, Mapping) or not is_listed(asked):
        raise InvalidOrder(
            f"{quoted(asked)} are no legs of a combination; nothing was sent.",
            remedy='Write a list of pairs, such as [("SPY", 1), ("QQQ", -1)].',
        )
    return Spread(legs=tuple(_leg(leg) for leg in asked))


def _leg(asked: object) -> ComboLeg:
    if isinstance(asked, ComboLeg):
        return asked
    if isinstance(asked, (tuple, list)) and len(asked) == 2:  # noqa: PLR2004  (a pair)
        contract, ratio = asked
        if isinstance(contract, (str, int)) and not isinstance(contract, bool):
            return ComboLeg(contract=contract, ratio=ratio)
    raise InvalidOrder(
        f"{quoted(asked, 60)} is no leg of a combination; nothing was sent.",
        remedy='Write a pair of what and how many, such as ("SPY", 1) and ("QQQ", -1).',
    )


def _name(contract: str | int) -> str | ContractQuery:
    # An id is no spelling of anybody's that should come back in positions.
    return contract if isinstance(contract, str) else ContractQuery(conid=contract)


def _currency(contracts: Sequence[Contract]) -> str:
    found = {contract.currency or "unknown" for contract in contracts}
    if len(found) > 1 or found == {"unknown"}:
        listed = ", ".join(f"{contract.symbol} in {contract.currency or '?'}" for contract in contracts)
        raise InvalidOrder(
            f"the legs of a combination are in one currency, and these are not ({listed}); nothing was sent."
        )
    return found.pop()


def _exchange(contracts: Sequence[Contract], asked: str | None) -> str:
    """Find where all legs trade; it is named with every other currency than the US dollar."""
    if asked is not None:
        return asked.strip().upper()
    shared = set(contracts[0].valid_exchanges).intersection(
        *(contract.valid_exchanges for contract in contracts[1:])
    )
    if _SMART in shared:
        return _SMART
    if len(shared) == 1:
        return shared.pop()
    raise InvalidOrder(
        "a combination in another currency than the US dollar is sent to one exchange, and its legs share"
        f" {', '.join(sorted(shared)) or 'none'}; nothing was sent.",
        remedy="Name the exchange.",
    )
