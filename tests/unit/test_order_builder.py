"""Prices land on the tick on the careful side, sizes are floored, and no leg is on the wrong side."""

from __future__ import annotations

import decimal
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ibkr_adapter import measures, order_builder, permits
from ibkr_adapter.errors import InvalidOrder
from ibkr_adapter.measures import Terms
from ibkr_adapter.model.contract import Contract, SecType
from ibkr_adapter.model.order import OrderType, Side, Tif, TrailingUnit
from ibkr_adapter.model.rules import Rules, TifRule
from ibkr_adapter.model.ticks import TickStep

PENNIES = (TickStep(lower_edge=Decimal(0), increment=Decimal("0.01")),)
# As for many European shares: coarser as they get dearer.
STEPS = (
    TickStep(lower_edge=Decimal(0), increment=Decimal("0.001")),
    TickStep(lower_edge=Decimal(5), increment=Decimal("0.005")),
    TickStep(lower_edge=Decimal(50), increment=Decimal("0.05")),
)


def terms(*, ticks=PENNIES, rules=None, **changed):
    plain = {
        "account": "DU1",
        "contract": Contract(conid=265598, symbol="AAPL", sec_type=SecType.STOCK),
        "rules": Rules(**{"conid": 265598, "ticks": ticks} | (rules or {})),
        "entry_tif": Tif.DAY,
        "exit_tif": Tif.GTC,
    }
    return Terms(**plain | changed)


def entry(order_type=OrderType.LIMIT, side=Side.BUY, about=None, **prices):
    if order_type is OrderType.LIMIT:
        prices.setdefault("limit", Decimal(100))
    return order_builder.single(
        about or terms(), side=side, order_type=order_type, quantity_asked=Decimal(5), coid="ibka-1", **prices
    )


def bracket(opening=None, about=None, **legs):
    plain = {"reference": None, "take_profit": None, "stop_loss": None, "trailing_percent": None}
    return order_builder.bracket(
        about or terms(),
        opening or entry(),
        **plain | {name: value if value is None else Decimal(value) for name, value in legs.items()},
    )


# Quantities ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "digits", "fractional", "size"),
    [
        ("5", None, False, "5"),
        ("5.9", None, False, "5"),
        ("5.9", 4, False, "5"),
        ("5.98765", 4, True, "5.9876"),
        ("5.5000", 4, True, "5.5"),
        ("0.0001", 4, True, "0.0001"),
        ("5.9", None, True, "5"),
        ("5.9", 0, True, "5"),
        ("1E+2", None, False, "100"),
        ("100.0000", 4, True, "100"),
    ],
)
def test_a_quantity_is_floored_to_what_the_contract_trades(asked, digits, fractional, size):
    """Shares trade one by one although IBKR's form steps by a hundred; fractions only where both allow them."""
    about = terms(
        rules={"fraction_digits": digits, "size_increment": Decimal(100)}, allow_fractional=fractional
    )

    assert str(measures.quantity(about, Decimal(asked))) == size


@pytest.mark.parametrize(
    ("digits", "fractional", "remedy"),
    [(4, False, "allow_fractional"), (None, True, "Raise the size."), (None, False, "Raise the size.")],
)
def test_less_than_the_smallest_size_is_refused(digits, fractional, remedy):
    """Rounding up would buy more than was asked for; the setting is named only where it would help."""
    about = terms(rules={"fraction_digits": digits}, allow_fractional=fractional)

    with pytest.raises(
        InvalidOrder, match=r"0\.9 AAPL is less than the smallest size, 1; nothing was sent"
    ) as no:
        measures.quantity(about, Decimal("0.9"))

    assert remedy in no.value.remedy


def test_a_quantity_of_next_to_nothing_is_not_spelt_out():
    """All its digits are a gigabyte, and a host may pass on what a client has written."""
    with pytest.raises(InvalidOrder, match=r"^1\.000e-999999999 AAPL is less than the smallest size"):
        measures.quantity(terms(), Decimal("1e-999999999"))


@pytest.mark.parametrize("asked", ["0", "-1", "NaN", "sNaN", "Infinity", "1E+31", "1E+999999"])
def test_what_is_no_quantity_is_refused(asked):
    """A slip of the finger must not become an order."""
    with pytest.raises(InvalidOrder, match="nothing was sent"):
        measures.quantity(terms(), Decimal(asked))


@given(
    asked=st.decimals(min_value=0, max_value=10**12, allow_nan=False, allow_infinity=False),
    digits=st.none() | st.integers(0, 8),
    precision=st.sampled_from([6, 28]),
)
@example(asked=Decimal("0.9999999999999999999999999999999999"), digits=None, precision=28)
@example(asked=Decimal("1234567.999"), digits=None, precision=6)
def test_no_more_is_ordered_than_was_asked_for(asked, digits, precision):
    """Whatever the caller's decimal context would round to."""
    about = terms(rules={"fraction_digits": digits}, allow_fractional=True)

    try:
        with decimal.localcontext(prec=precision):
            size = measures.quantity(about, asked)
    except InvalidOrder:
        assert asked < 1
        return

    step = Decimal(1).scaleb(-(digits or 0))
    assert 0 <= asked - size < step
    assert size % step == 0


# Prices ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "side", "asked", "snapped"),
    [
        ("limit_price", Side.BUY, "100.009", "100.00"),
        ("limit_price", Side.SELL, "100.001", "100.01"),
        ("stop_price", Side.SELL, "98.009", "98.00"),
        ("stop_price", Side.BUY, "102.001", "102.01"),
        ("target_price", Side.SELL, "105.009", "105.00"),
        ("target_price", Side.BUY, "95.001", "95.01"),
        ("limit_price", Side.BUY, "100.01", "100.01"),
        ("stop_price", Side.SELL, "98.01", "98.01"),
    ],
)
def test_each_price_snaps_to_its_careful_side(rule, side, asked, snapped):
    """Entries to the passive side, stops away from the market, targets toward it."""
    assert getattr(measures, rule)(terms(), side, Decimal(asked)) == Decimal(snapped)


@pytest.mark.parametrize(
    ("side", "asked", "snapped"),
    [
        (Side.BUY, "4.9996", "4.999"),
        (Side.SELL, "4.9996", "5"),
        (Side.BUY, "49.999", "49.995"),
        (Side.SELL, "49.999", "50"),
        (Side.BUY, "50.04", "50"),
    ],
)
def test_the_tick_depends_on_the_price(side, asked, snapped):
    """Across an edge as well."""
    assert measures.limit_price(terms(ticks=STEPS), side, Decimal(asked)) == Decimal(snapped)


def test_the_contracts_ticks_stand_in_for_the_rules():
    """Rules without a table are a contract's without one only if it has none itself."""
    contract = Contract(conid=1, symbol="AAPL", sec_type=SecType.STOCK, ticks=PENNIES)

    about = terms(ticks=(), contract=contract)

    assert measures.limit_price(about, Side.BUY, Decimal("1.239")) == Decimal("1.23")


def test_without_a_tick_table_there_is_no_price():
    """A guess at the tick is refused by IBKR, or worse, taken."""
    with pytest.raises(InvalidOrder, match="no price increments for AAPL; nothing was sent") as refused:
        measures.limit_price(terms(ticks=()), Side.BUY, Decimal(100))

    assert "market order" in refused.value.remedy


@pytest.mark.parametrize("asked", ["0", "-1", "NaN", "sNaN", "Infinity"])
def test_what_is_no_price_is_refused(asked):
    """The error names which of the prices it is."""
    with pytest.raises(InvalidOrder, match=r"the stop price .* is not above 0; nothing was sent"):
        measures.stop_price(terms(), Side.SELL, Decimal(asked))


@pytest.mark.parametrize(
    ("ticks", "side", "asked"),
    [
        pytest.param(PENNIES, Side.BUY, "0.004", id="to zero"),
        pytest.param(
            (
                TickStep(lower_edge=Decimal(0), increment=Decimal(5)),
                TickStep(lower_edge=Decimal("7.1"), increment=Decimal("0.5")),
            ),
            Side.BUY,
            "7.2",
            id="past an edge",
        ),
    ],
)
def test_a_price_that_would_move_by_more_than_a_tick_is_refused(ticks, side, asked):
    """That is another price, not a rounded one."""
    with pytest.raises(InvalidOrder, match="cannot be brought onto the tick; nothing was sent"):
        measures.limit_price(terms(ticks=ticks), side, Decimal(asked))


prices = st.decimals(min_value="0.01", max_value=10_000, places=6)


@given(
    asked=prices,
    side=st.sampled_from(Side),
    rule=st.sampled_from(["limit_price", "stop_price", "target_price"]),
    ticks=st.sampled_from([PENNIES, STEPS]),
)
def test_a_snapped_price_is_on_the_tick_and_less_than_one_away(asked, side, rule, ticks):
    """In the direction of its rule, whatever the price."""
    up = (side is Side.SELL) is (rule == "limit_price")
    try:
        snapped = getattr(measures, rule)(terms(ticks=ticks), side, asked)
    except InvalidOrder:
        assert asked < max(row.increment for row in ticks)
        return

    step = next(row.increment for row in reversed(ticks) if row.lower_edge <= snapped)
    largest = next(row.increment for row in reversed(ticks) if row.lower_edge <= max(asked, snapped))
    assert snapped % step == 0
    assert 0 <= (snapped - asked if up else asked - snapped) < largest
    assert getattr(measures, rule)(terms(ticks=ticks), side, snapped) == snapped


# Single orders ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order_type", "asked", "limit", "stop"),
    [
        (OrderType.MARKET, {}, None, None),
        (OrderType.LIMIT, {"limit": Decimal("100.009")}, "100.00", None),
        (OrderType.STOP, {"stop": Decimal("100.001")}, None, "100.01"),
        (
            OrderType.STOP_LIMIT,
            {"limit": Decimal("100.509"), "stop": Decimal("100.001")},
            "100.50",
            "100.01",
        ),
    ],
)
def test_an_entry_is_built_as_asked(order_type, asked, limit, stop):
    """With the entry's time in force, its cOID and snapped prices."""
    ticket = entry(order_type, **asked)

    assert (ticket.account, ticket.conid, ticket.side, ticket.quantity) == ("DU1", 265598, Side.BUY, 5)
    assert (ticket.tif, ticket.coid, ticket.parent_coid) == (Tif.DAY, "ibka-1", None)
    assert (ticket.limit_price, ticket.stop_price) == (limit and Decimal(limit), stop and Decimal(stop))


def test_an_entry_may_name_its_time_in_force():
    """The typed desk does."""
    assert entry(tif=Tif.IOC).tif is Tif.IOC


@pytest.mark.parametrize(
    ("limit", "order_type", "snapped"),
    [(None, OrderType.STOP, None), (Decimal("97.509"), OrderType.STOP_LIMIT, Decimal("97.50"))],
)
def test_a_protective_stop_is_built(limit, order_type, snapped):
    """Its limit moves away from the market, too, or it would not fill."""
    ticket = order_builder.stop_exit(
        terms(), side=Side.SELL, size=Decimal(5), stop=Decimal("98.009"), limit=limit, coid="c", parent="p"
    )

    assert (ticket.order_type, ticket.stop_price, ticket.limit_price) == (
        order_type,
        Decimal("98.00"),
        snapped,
    )
    assert (ticket.tif, ticket.coid, ticket.parent_coid) == (Tif.GTC, "c", "p")


@pytest.mark.parametrize("percent", ["0.01", "1.5", "99"])
def test_a_trailing_stop_is_built_in_percent(percent):
    """Nothing is snapped: the distance is no price."""
    ticket = order_builder.trailing_exit(terms(), side=Side.SELL, size=Decimal(5), percent=Decimal(percent))

    assert (ticket.order_type, ticket.trailing) == (OrderType.TRAIL, Decimal(percent))
    assert (ticket.trailing_unit, ticket.tif) == (TrailingUnit.PERCENT, Tif.GTC)


@pytest.mark.parametrize("percent", ["0", "0.009", "-1", "99.1", "100", "NaN", "sNaN", "Infinity"])
def test_a_trailing_distance_that_fires_at_once_or_never_is_refused(percent):
    """Neither is a stop."""
    with pytest.raises(InvalidOrder, match=r"trailing distance .* nothing was sent"):
        order_builder.trailing_exit(terms(), side=Side.SELL, size=Decimal(5), percent=Decimal(percent))


# Brackets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "target", "stop"), [(Side.BUY, "105.009", "98.009"), (Side.SELL, "95.001", "102.001")]
)
def test_a_bracket_hangs_its_exits_on_the_entry(side, target, stop):
    """Same size, other side, the parent's cOID and none of their own."""
    opening = entry(side=side)

    legs = bracket(opening, take_profit=target, stop_loss=stop)

    assert legs[0] is opening
    assert [leg.order_type for leg in legs[1:]] == [OrderType.LIMIT, OrderType.STOP]
    for leg in legs[1:]:
        assert (leg.side, leg.quantity, leg.tif) == (side.opposite, 5, Tif.GTC)
        assert (leg.coid, leg.parent_coid) == (None, "ibka-1")
    down = side is Side.BUY
    assert legs[1].limit_price == Decimal("105.00" if down else "95.01")
    assert legs[2].stop_price == Decimal("98.00" if down else "102.01")


@pytest.mark.parametrize(
    ("legs", "types"),
    [
        ({"take_profit": 105}, [OrderType.LIMIT]),
        ({"stop_loss": 98}, [OrderType.STOP]),
        ({"trailing_percent": 2}, [OrderType.TRAIL]),
        ({"take_profit": 105, "trailing_percent": 2}, [OrderType.LIMIT, OrderType.TRAIL]),
    ],
)
def test_a_bracket_may_have_one_exit_or_trail(legs, types):
    """Whatever was asked for, and nothing else."""
    assert [leg.order_type for leg in bracket(**legs)[1:]] == types


@pytest.mark.parametrize(
    ("legs", "words"),
    [
        ({}, "needs a take-profit, a stop or a trailing distance"),
        ({"stop_loss": 98, "trailing_percent": 2}, "a fixed stop or a trailing one, not both"),
    ],
)
def test_a_bracket_has_one_stop_and_some_exit(legs, words):
    """Two stops would sell twice, none is no bracket."""
    with pytest.raises(InvalidOrder, match=words) as refused:
        bracket(**legs)

    assert "nothing was sent" in str(refused.value)


WRONG = [
    pytest.param(Side.BUY, {"stop_loss": "100.00"}, "must be below 100.00", id="a stop on the entry"),
    pytest.param(Side.BUY, {"stop_loss": "100.50"}, "must be below 100.00", id="a stop above a long entry"),
    pytest.param(Side.BUY, {"take_profit": "100.00"}, "must be above 100.00", id="a target on the entry"),
    pytest.param(
        Side.BUY, {"take_profit": "100.009"}, "must be above 100.00", id="a target that snaps onto it"
    ),
    pytest.param(Side.BUY, {"take_profit": "99"}, "must be above 100.00", id="a target below a long entry"),
    pytest.param(Side.SELL, {"stop_loss": "100.00"}, "must be above 100.00", id="a stop on a short entry"),
    pytest.param(Side.SELL, {"stop_loss": "99"}, "must be above 100.00", id="a stop below a short entry"),
    pytest.param(
        Side.SELL, {"take_profit": "99.991"}, "must be below 100.00", id="a short target that snaps on it"
    ),
    pytest.param(
        Side.SELL, {"take_profit": "101"}, "must be below 100.00", id="a target above a short entry"
    ),
]


@pytest.mark.parametrize(("side", "legs", "words"), WRONG)
def test_a_leg_on_the_wrong_side_is_refused(side, legs, words):
    """It would fill at once; after snapping it may land on the entry itself."""
    with pytest.raises(InvalidOrder, match=words) as refused:
        bracket(entry(side=side, limit=Decimal("100.00")), **legs)

    assert "nothing was sent" in str(refused.value)


@pytest.mark.parametrize(
    ("opening", "reference"),
    [
        ({"order_type": OrderType.MARKET}, "100"),
        ({"order_type": OrderType.STOP, "stop": Decimal(100)}, None),
        ({"order_type": OrderType.STOP_LIMIT, "stop": Decimal(90), "limit": Decimal(100)}, None),
        ({"order_type": OrderType.LIMIT, "limit": Decimal(100)}, "150"),
    ],
)
def test_legs_are_measured_from_where_the_entry_will_trade(opening, reference):
    """Its own limit or stop goes before the market's price."""
    built = entry(**opening)

    legs = bracket(built, reference=reference, stop_loss="99", take_profit="101")

    assert len(legs) == 3
    with pytest.raises(InvalidOrder, match="must be below 100"):
        bracket(built, reference=reference, stop_loss="100")


def test_without_any_price_the_legs_are_still_measured_against_each_other():
    """A market entry of which nobody knows the price."""
    opening = entry(OrderType.MARKET)

    assert len(bracket(opening, stop_loss="99", take_profit="101")) == 3
    with pytest.raises(InvalidOrder, match="must be above 101"):
        bracket(opening, stop_loss="101", take_profit="99")


@given(
    side=st.sampled_from(Side),
    three=st.lists(prices, min_size=3, max_size=3).map(sorted)
    | st.lists(prices, min_size=3, max_size=3).map(lambda drawn: sorted(drawn, reverse=True))
    | st.lists(prices.map(lambda price: price % 1), min_size=3, max_size=3),
    order_type=st.sampled_from([OrderType.LIMIT, OrderType.STOP, OrderType.MARKET]),
)
def test_a_bracket_stands_in_order_or_not_at_all(side, three, order_type):
    """Stop, entry and target never share a price and never change places."""
    stop, at, target = three
    asked = {OrderType.LIMIT: {"limit": at}, OrderType.STOP: {"stop": at}, OrderType.MARKET: {}}[order_type]
    reference = at if order_type is OrderType.MARKET else None
    try:
        opening = entry(order_type, side, **asked)
        legs = bracket(opening, take_profit=target, stop_loss=stop, reference=reference)
    except InvalidOrder:
        # Asked for in order and three ticks apart, it would have been built.
        rising = three if side is Side.BUY else three[::-1]
        assert not (rising[0] >= 1 and all(high - low > Decimal("0.03") for low, high in pairwise(rising)))
        return

    middle = opening.limit_price or opening.stop_price or at
    places = [legs[2].stop_price, middle, legs[1].limit_price]
    assert places == sorted(set(places), reverse=side is Side.SELL)


# What the contract takes -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (
            {"order_types": frozenset({"LMT", "STP"})},
            r"does not take orders of type MKT.*It takes LMT, STP\.",
        ),
        ({"tifs": {"GTC": TifRule(), "IOC": TifRule()}}, r"does not take the time in force DAY.*GTC, IOC\."),
        ({"can_trade_accounts": frozenset({"DU2"})}, "account DU1 has no permission to trade AAPL"),
        ({"can_trade_accounts": frozenset()}, "account DU1 has no permission to trade AAPL"),
    ],
)
def test_what_the_contract_does_not_take_is_refused_here(rules, words):
    """IBKR would refuse it in worse words, a bracket perhaps in part."""
    with pytest.raises(InvalidOrder, match=words) as refused:
        entry(OrderType.MARKET, about=terms(rules=rules))

    assert "nothing was sent" in str(refused.value)


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"order_types": frozenset({"MKT"}), "tifs": {"DAY": TifRule()}},
        {"can_trade_accounts": frozenset({"DU1", "DU2"})},
        {"can_trade_accounts": None},
    ],
)
def test_what_ibkr_does_not_say_is_allowed(rules):
    """Rules without a list leave the decision to IBKR."""
    assert entry(OrderType.MARKET, about=terms(rules=rules)).order_type is OrderType.MARKET


@pytest.mark.parametrize("tif", [Tif.OVT, Tif.OND])
@pytest.mark.parametrize("overnight", [True, None])
def test_overnight_is_never_listed(tif, overnight):
    """The rules name the day's times in force only."""
    about = terms(rules={"tifs": {"DAY": TifRule()}, "overnight": overnight})

    assert entry(OrderType.MARKET, about=about, tif=tif).tif is tif


@pytest.mark.parametrize("tif", [Tif.OVT, Tif.OND])
def test_overnight_is_refused_where_the_contract_does_not_trade_at_night(tif):
    about = terms(rules={"tifs": {"DAY": TifRule()}, "overnight": False})

    with pytest.raises(InvalidOrder, match=rf"does not take the time in force {tif}; nothing was sent"):
        entry(about=about, tif=tif)


def test_a_time_in_force_is_refused_for_a_type_that_it_does_not_go_with():
    """IBKR lists immediate orders for some types only; a stop is not among them."""
    rules = {"tifs": {"IOC": TifRule(order_types=frozenset({"MKT", "LMT"})), "GTC": TifRule()}}

    with pytest.raises(InvalidOrder, match="does not take IOC for orders of type STP") as refused:
        entry(OrderType.STOP, about=terms(rules=rules), tif=Tif.IOC, stop=Decimal(100))

    assert refused.value.remedy == "It takes IOC for LMT, MKT, and for this type GTC."
    assert entry(about=terms(rules=rules), tif=Tif.IOC).tif is Tif.IOC


@pytest.mark.parametrize(
    ("written", "words", "remedy"),
    [
        ("FOK", "AAPL does not take the time in force FOK; nothing was sent", "It takes DAY, IOC."),
        (" gtd ", "list GTD, but the Web API has no field for its date", "It takes DAY, IOC."),
        ("auction" * 9, "the time in force AUCTIONAUCTIONAUCTIO;", "It takes DAY, IOC."),
    ],
)
def test_what_the_api_does_not_have_is_refused_with_what_it_does(written, words, remedy):
    """Rules list more than a ticket can say."""
    about = terms(rules={"tifs": {"DAY": TifRule(), "GTD": TifRule(), "IOC": TifRule()}})

    with pytest.raises(InvalidOrder, match=words) as refused:
        permits.time_in_force(about, written)

    assert refused.value.remedy == remedy


def test_a_time_in_force_is_read_in_any_case():
    assert permits.time_in_force(terms(), " ioc ") is Tif.IOC
    assert permits.time_in_force(terms(), Tif.GTC) is Tif.GTC
    assert permits.time_in_force(terms(), None) is None
    with pytest.raises(InvalidOrder) as refused:
        permits.time_in_force(terms(), "FOK")
    assert refused.value.remedy == "It takes DAY, GTC, IOC, OPG."


@pytest.mark.parametrize(
    ("asked", "allowed", "sent"),
    [(True, {"LMT"}, True), (True, {"STP"}, False), (True, set(), False), (False, {"LMT"}, False)],
)
def test_trading_outside_hours_is_asked_for_only_where_it_is_allowed(asked, allowed, sent):
    """Wrong use is refused."""
    about = terms(rules={"order_types_outside": frozenset(allowed)}, outside_rth=asked)

    assert entry(about=about).outside_rth is sent
