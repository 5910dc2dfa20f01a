"""Guardrails as values: how they are spelt in settings, and what they compute."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.model import guardrails as bounds
from ibkr_adapter.model.guardrails import Guardrails
from ibkr_adapter.model.order import OrderType, Side, Ticket, Tif, TrailingUnit
from ibkr_adapter.model.sizing import Sizing
from ibkr_adapter.settings import Settings

ALL = {
    "readOnly": ("read_only", "yes", True),
    "dryRun": ("dry_run", True, True),
    "maxQuantity": ("max_quantity", "5.5", Decimal("5.5")),
    "maxNotional": ("max_notional", 10_000, Decimal(10_000)),
    "priceCollar": ("price_collar", 2.5, Decimal("2.5")),
    "ordersPerMinute": ("orders_per_minute", "30", 30),
    "dailyLoss": ("daily_loss", 500, Decimal(500)),
    "allowedAccounts": ("allowed_accounts", "du1234567, DU2", ("DU1234567", "DU2")),
    "allowedSymbols": ("allowed_symbols", ["AAPL", "@ES"], ("AAPL", "@ES")),
    "killSwitchFile": ("kill_switch_file", "/run/stop", "/run/stop"),
}
PRICES = st.decimals("0.01", "100000", places=2)
SIZES = st.decimals("0.01", "100000", places=2)


def ticket(side=Side.BUY, order_type=OrderType.MARKET, quantity="10", **about):
    for name in {"limit_price", "stop_price", "trailing"} & about.keys():
        about[name] = Decimal(about[name])
    return Ticket(
        account="DU1",
        conid=1,
        side=side,
        order_type=order_type,
        tif=Tif.DAY,
        quantity=Decimal(quantity),
        coid="ibka-1",
        **about,
    )


# How they are written -----------------------------------------------------------------------


@pytest.mark.parametrize("camel", ALL)
def test_a_guardrail_is_read_in_both_spellings(camel):
    """Hosts keep rows in camelCase."""
    name, written, value = ALL[camel]

    for spelling in (camel, name):
        found = Settings.of({"guardrails": {spelling: written}}).guardrails
        assert getattr(found, name) == value
        assert bool(found)


def test_what_is_unset_or_null_is_off():
    """A host's row has a column for each."""
    assert Settings.of({"guardrails": dict.fromkeys(ALL)}).guardrails == Guardrails()
    assert not Guardrails()
    assert Settings(guardrails=Guardrails(dry_run=True)).guardrails.dry_run


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (
            {"max_quantty": 5},
            "guardrails has max_quantty, which is no guardrail (did you mean max_quantity?).",
        ),
        ({"maxQuantty": 5}, "guardrails has maxQuantty, which is no guardrail (did you mean max_quantity?)."),
        ({"zzz": 5}, "guardrails has zzz, which is no guardrail."),
        ({5: 5}, "guardrails has 5, which is no guardrail."),
        ({"maxQuantity": 5, "max_quantity": 6}, "guardrails has max_quantity twice: give one of them."),
        ({"maxQuantity": 0}, "guardrails has maxQuantity, which must be a number above 0, not 0."),
        ({"max_notional": "NaN"}, "has max_notional, which must be a number above 0, not 'NaN'."),
        ({"price_collar": True}, "has price_collar, which must be a number, not True."),
        ({"orders_per_minute": 1.5}, "has orders_per_minute, which must be a whole number, not 1.5."),
        ({"daily_loss": -5}, "has daily_loss, which must be a number above 0, not -5."),
        ({"read_only": "perhaps"}, "has read_only, which must be true or false, not 'perhaps'."),
        ({"allowed_symbols": []}, "has allowed_symbols, which must name at least one, not []."),
        ({"allowed_accounts": " , "}, "has allowed_accounts, which must name at least one, not ' , '."),
        ({"allowed_accounts": 5}, "has allowed_accounts, which"),
        ({"kill_switch_file": ""}, "has kill_switch_file, which must be a path, not ''."),
        ({"kill_switch_file": 5}, "has kill_switch_file, which must be a text, not 5."),
    ],
)
def test_a_wrong_guardrail_is_refused_by_name(written, words):
    """One that is ignored would be believed in."""
    with pytest.raises(ConfigurationError) as refused:
        Settings.of({"guardrails": written})

    assert words in str(refused.value)


def test_the_kill_switch_of_the_environment_is_no_setting():
    """It is looked at whenever an order leaves, so it may come and go."""
    assert Settings.from_env({"IBKR_ADAPTER_KILL_SWITCH": "1"}) == Settings()


def test_a_path_does_not_depend_on_the_folder(tmp_path, monkeypatch):
    """A service that changes its folder would look for another file."""
    monkeypatch.chdir(tmp_path)

    assert Settings.of({"guardrails": {"kill_switch_file": "stop"}}).guardrails.kill_switch_file == str(
        tmp_path / "stop"
    )


def test_the_names_are_those_of_limits():
    """Modes and the switch are no limits that an order is held against."""
    assert Guardrails(read_only=True, dry_run=True, kill_switch_file="/x").names == ()
    assert Guardrails(max_quantity=Decimal(1), daily_loss=Decimal(2)).names == ("max_quantity", "daily_loss")


# What they compute --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("order", "last", "dearest"),
    [
        (ticket(order_type=OrderType.LIMIT, limit_price=150), None, 150),
        (ticket(order_type=OrderType.LIMIT, limit_price=150), 160, 150),
        (ticket(order_type=OrderType.STOP_LIMIT, limit_price=150, stop_price=149), None, 150),
        (ticket(), 160, 160),
        (ticket(order_type=OrderType.STOP, stop_price=170), 160, 170),
        (ticket(order_type=OrderType.STOP, stop_price=150), 160, 160),
        (ticket(Side.SELL, OrderType.LIMIT, limit_price=150), 160, 160),
        (ticket(Side.SELL, OrderType.LIMIT, limit_price=170), 160, 170),
        (ticket(Side.SELL, OrderType.STOP, stop_price=150), 160, 160),
        (ticket(order_type=OrderType.LIMIT, limit_price="-3"), None, 3),
        (ticket(order_type=OrderType.TRAIL, trailing=5, trailing_unit=TrailingUnit.AMOUNT), 160, 165),
        (ticket(order_type=OrderType.TRAIL, trailing=5, trailing_unit=TrailingUnit.PERCENT), 160, 168),
        (ticket(Side.SELL, OrderType.TRAIL, trailing=5, trailing_unit=TrailingUnit.AMOUNT), 160, 160),
    ],
)
def test_the_dearest_price_bounds_what_an_order_trades_at(order, last, dearest):
    """A buyer's limit by itself; what the market decides by the market."""
    assert bounds.dearest(order, None if last is None else Decimal(last)) == dearest
    assert bounds.needs_market(order) is (last is not None and (last, dearest) != (160, 150))


@given(SIZES, SIZES, PRICES, st.sampled_from([1, 50, 100, 1000]), st.decimals("0.0001", "10", places=4))
def test_more_of_it_is_never_worth_less(size, more, price, multiplier, rate):
    """And a multiplier counts in full."""
    sizing = Sizing(multiplier=Decimal(multiplier), rate=rate)

    assert bounds.value(sizing, size + more, price) > bounds.value(sizing, size, price)
    assert bounds.value(sizing, size, price) == size * price * multiplier * rate
    assert bounds.value(sizing, -size, -price) == bounds.value(sizing, size, price)


def test_pence_are_not_pounds():
    """A quote of 150 pence at 1.25 dollars a pound."""
    sizing = Sizing(magnifier=Decimal(100), rate=Decimal("1.25"))

    assert bounds.value(sizing, Decimal(10), Decimal(150)) == Decimal("18.75")


@given(PRICES, st.decimals("0", "50", places=2))
def test_a_collar_is_the_same_above_and_below(last, percent):
    """Both ways from the last price."""
    away = last * percent / 100

    assert bounds.distance(last + away, last) == bounds.distance(last - away, last) == percent


def test_from_nothing_every_price_is_far():
    """A combination can net to zero, of which there is no percentage."""
    assert bounds.distance(Decimal(1), Decimal(0)) is None
    assert bounds.distance(Decimal(0), Decimal(0)) == 0
    assert bounds.distance(Decimal(-3), Decimal(-2)) == 50


@given(SIZES, SIZES)
def test_a_change_is_harmless_only_where_it_lowers_the_size_and_nothing_else(before, after):
    """Another price is another order."""
    old = ticket(order_type=OrderType.LIMIT, quantity=before, limit_price=150)
    new = ticket(order_type=OrderType.LIMIT, quantity=after, limit_price=150)
    dearer = ticket(order_type=OrderType.LIMIT, quantity=after, limit_price=151)

    assert bounds.is_lowered(old, new) is (after <= before)
    assert not bounds.is_lowered(old, dearer)
    assert not bounds.is_exit(old, new)


@given(SIZES, SIZES)
def test_an_exit_that_hangs_on_an_entry_may_move_but_not_grow(before, after):
    """Its price is its own affair."""
    old = ticket(Side.SELL, OrderType.STOP, quantity=before, stop_price=150, parent_coid="ibka-0")
    new = ticket(Side.SELL, OrderType.STOP, quantity=after, stop_price=155, parent_coid="ibka-0")

    assert bounds.is_exit(old, new) is (after <= before)


def test_a_size_in_money_is_unchanged_or_another_order():
    """How many units it is nobody knows."""
    money = Ticket(
        account="DU1",
        conid=1,
        side=Side.BUY,
        order_type=OrderType.MARKET,
        tif=Tif.DAY,
        cash_quantity=Decimal(5),
    )

    assert bounds.is_lowered(money, money)
    assert not bounds.is_lowered(money, ticket())


@pytest.mark.parametrize(
    "given",
    [
        {"max_quantity": float("nan")},
        {"max_quantity": Decimal("NaN")},
        {"max_notional": Decimal(0)},
        {"daily_loss": Decimal(-5)},
        {"price_collar": 10**5000},
        {"orders_per_minute": 0},
        {"allowed_symbols": ()},
        {"allowed_accounts": [1]},
        {"dry_run": "perhaps"},
        {"kill_switch_file": "stop\0"},
    ],
)
def test_guardrails_of_a_program_are_read_as_those_of_a_host(given):
    """Not a number and zero bounded nothing, and nobody was told."""
    with pytest.raises(ConfigurationError, match=f"guardrails has {next(iter(given))}, which must"):
        Settings.of({"guardrails": Guardrails(**given)})


def test_an_account_that_a_program_allows_is_one_account_and_not_a_part_of_one():
    settings = Settings(guardrails=Guardrails(allowed_accounts="DU1234567"))

    assert settings.guardrails.allowed_accounts == ("DU1234567",)
