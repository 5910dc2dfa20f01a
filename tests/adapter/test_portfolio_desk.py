"""What ``ibkr.portfolio`` reads, of whom, and how often it asks."""

from __future__ import annotations

import functools
import itertools
from decimal import Decimal

import pytest
from answers import AAPL, SECOND, Desk, Page, Turns
from scripted import ACCOUNT

from crowd import at_once
from ibkr_adapter.errors import (
    ApiError,
    ConfigurationError,
    GuardrailRefused,
    InvalidRequest,
    OutcomeUnknown,
    Throttled,
    UnexpectedAnswer,
)
from ibkr_adapter.model.performance import Measure
from ibkr_adapter.portfolio_desk import MOST_PAGES

ONE = f"/iserver/account/{ACCOUNT}/summary"
ROW = {
    "acctId": ACCOUNT,
    "conid": AAPL,
    "contractDesc": "AAPL",
    "position": 3.0,
    "currency": "USD",
    "assetClass": "STK",
}


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    yield made
    made.close()


@pytest.fixture
def two(desk):
    """A login with two accounts."""
    desk.book.accounts = [ACCOUNT, SECOND]
    return desk


# Accounts --------------------------------------------------------------------------------


def test_accounts_show_themselves_as_a_table(desk):
    """And as a sequence of values."""
    found = desk.exchange().portfolio.accounts()

    assert [account.account_id for account in found] == [ACCOUNT]
    assert found.records()[0]["paper"] is True
    assert str(found).startswith("accounts\n")


def test_up_to_a_hundred_sub_accounts_are_one_call(desk):
    desk.book.book["GET /portfolio/subaccounts"] = [{"accountId": "U1", "type": "INDIVIDUAL"}]

    found = desk.exchange().portfolio.subaccounts()

    assert [account.account_id for account in found] == ["U1"]
    assert desk.book.count("GET /portfolio/subaccounts2") == 0


def test_more_sub_accounts_are_read_by_page_to_the_last(desk):
    """IBKR cuts the plain list at a hundred and says nothing."""
    names = [f"U{number:05d}" for number in range(130)]

    def page(place):
        part = names[place * 20 : place * 20 + 20]
        return {
            "metadata": {"total": 130, "pageNum": place},
            "subaccounts": [{"accountId": name} for name in part],
        }

    desk.book.book["GET /portfolio/subaccounts"] = [{"accountId": name} for name in names[:100]]
    desk.book.book["GET /portfolio/subaccounts2"] = Turns(*[page(place) for place in range(7)], [])

    found = desk.exchange().portfolio.subaccounts()

    assert [account.account_id for account in found] == names
    assert desk.book.last("GET /portfolio/subaccounts2") == "page=7"


def test_pages_that_repeat_themselves_come_to_an_end(desk):
    """A service that ignores the page would be asked for ever."""
    rows = [{"accountId": f"U{number}"} for number in range(100)]
    desk.book.book["GET /portfolio/subaccounts"] = rows
    desk.book.book["GET /portfolio/subaccounts2"] = {"subaccounts": rows}

    assert len(desk.exchange().portfolio.subaccounts()) == 100
    assert desk.book.count("GET /portfolio/subaccounts2") == 2


def test_a_plain_list_without_pages_is_all_of_them(desk):
    """So it was recorded."""
    rows = [{"accountId": f"U{number}"} for number in range(100)]
    desk.book.book["GET /portfolio/subaccounts"] = rows
    desk.book.book["GET /portfolio/subaccounts2"] = [*rows, {"accountId": "U100"}]

    assert len(desk.exchange().portfolio.subaccounts()) == 101
    assert desk.book.count("GET /portfolio/subaccounts2") == 1


def test_more_pages_than_anybody_has_are_an_end_as_well(desk):
    """Bounded, whatever the service answers."""
    numbers = itertools.count()
    desk.book.book["GET /portfolio/subaccounts"] = [{"accountId": f"U{next(numbers)}"} for _ in range(100)]
    desk.book.book["GET /portfolio/subaccounts2"] = lambda _: {
        "subaccounts": [{"accountId": f"U{next(numbers)}"}]
    }

    assert len(desk.exchange().portfolio.subaccounts()) == MOST_PAGES


def test_one_accounts_attributes_are_read_now(desk):
    parent = {"mmc": ["U8"], "accountId": "F9", "isMParent": False}
    desk.book.book[f"GET /portfolio/{ACCOUNT}/meta"] = {
        "accountId": ACCOUNT,
        "type": "DEMO",
        "faClient": True,
        "accountStatus": 1769922000000,
        "parent": parent,
        "clearingStatus": "O",
    }

    found = desk.exchange().portfolio.meta()

    assert (found.is_adviser, found.parent_id, found.clients, found.clearing) == (True, "F9", ("U8",), "O")
    assert found.opened.year == 2026


def test_owners_and_found_accounts_are_read(desk):
    desk.book.book[f"GET /acesws/{ACCOUNT}/signatures-and-owners"] = {
        "accountId": ACCOUNT,
        "users": [{"roleId": "OWNER"}],
    }
    desk.book.book["GET /iserver/account/search/U1"] = {"matchedAccounts": [{"accountId": "U1"}]}
    portfolio = desk.exchange().portfolio

    assert portfolio.owners().users[0].role == "OWNER"
    assert [one.account_id for one in portfolio.find_accounts(" U1 ")] == ["U1"]
    with pytest.raises(InvalidRequest, match="nothing was sent"):
        portfolio.find_accounts(" ")


# Which account ---------------------------------------------------------------------------


def test_an_object_reads_its_own_account(two):
    """Two objects of one login share a connection and nothing else."""
    for name in (ACCOUNT, SECOND):
        two.book.book[f"GET /portfolio/{name}/ledger"] = {"USD": {"cashbalance": 1 if name == ACCOUNT else 2}}

    first, second = two.exchange(account_id=ACCOUNT).portfolio, two.exchange(account_id=SECOND).portfolio

    assert [desk.ledger()[0].cash for desk in (first, second, first)] == [1, 2, 1]
    assert first.ledger(SECOND)[0].cash == 2
    assert first.ledger()[0].cash == 1


def test_objects_of_two_accounts_do_not_mix_under_threads(two):
    """Each thread sees the figures of its own account, however they are interleaved."""
    for name in (ACCOUNT, SECOND):
        two.book.book[f"GET /portfolio/{name}/ledger"] = {"USD": {"cashbalance": 1 if name == ACCOUNT else 2}}
    seen: dict[str, set[object]] = {ACCOUNT: set(), SECOND: set()}

    def work(exchange):
        for _ in range(5):
            seen[exchange.settings.account_id].add(exchange.portfolio.ledger()[0].cash)

    at_once(
        two,
        *(
            functools.partial(work, two.exchange(account_id=name))
            for name in (ACCOUNT, SECOND, ACCOUNT, SECOND)
        ),
    )

    assert seen == {ACCOUNT: {1}, SECOND: {2}}


@pytest.mark.parametrize("account", ["U999", None])
def test_an_account_that_is_not_this_logins_is_refused(two, account):
    """IBKR answers it with 401, as if the session were lost."""
    with pytest.raises(ConfigurationError, match="account_id"):
        two.exchange().portfolio.ledger(account)

    assert two.book.count("GET /portfolio/U999/ledger") == 0


def test_switching_is_seen_in_the_list_of_accounts(two):
    """An answer is believed when the account shows."""
    portfolio = two.exchange(account_id=SECOND).portfolio

    assert portfolio.selected() == ACCOUNT
    assert portfolio.switch() == SECOND
    assert portfolio.selected() == SECOND
    assert portfolio.switch(SECOND) == SECOND
    assert two.book.count("POST /iserver/account") == 1


def test_nothing_else_is_under_way_while_the_account_is_switched(two):
    """An order in dialogue would be answered, and looked up, for another account."""
    ibkr = two.exchange(account_id=SECOND)
    ibkr.open()
    dialogue = ibkr._connection.selection._dialogue
    held = []

    def switched(content):
        held.append(dialogue.is_mine)
        two.book.selected = content["acctId"]
        return {"set": True, "acctId": content["acctId"]}

    two.book.book["POST /iserver/account"] = switched
    ibkr.portfolio.switch()

    assert (held, dialogue.is_mine) == ([True], False)


def test_a_switch_that_does_not_show_is_an_error(two):
    """The orders of another account would be read for this one's."""
    two.book.book["POST /iserver/account"] = {"success": "Account already set"}

    with pytest.raises(ApiError, match=f"shows {ACCOUNT}"):
        two.exchange(account_id=SECOND).portfolio.switch()


def test_a_switch_that_cannot_be_seen_is_unknown(two):
    ibkr = two.exchange(account_id=SECOND)
    ibkr.open()
    two.book.book["GET /iserver/accounts"] = Page(500, {"error": "busy"})

    with pytest.raises(OutcomeUnknown, match="cannot be read") as lost:
        ibkr.portfolio.switch()

    assert "selected" in lost.value.remedy


def test_a_refused_switch_leaves_the_old_account(two):
    two.book.book["POST /iserver/account"] = Page(500, {"error": "Invalid account ID"})
    portfolio = two.exchange(account_id=SECOND).portfolio

    with pytest.raises(ApiError, match="could not be selected"):
        portfolio.switch()

    assert portfolio.selected() == ACCOUNT
    assert two.book.count("POST /iserver/account") == 1


def test_a_lost_switch_is_unknown_and_not_repeated(two):
    two.book.book["POST /iserver/account"] = OutcomeUnknown("cut")

    with pytest.raises(OutcomeUnknown):
        two.exchange(account_id=SECOND).portfolio.switch()

    assert two.book.count("POST /iserver/account") == 1


def test_who_may_only_read_switches_nothing(two):
    """Other objects at the session would read another account."""
    with pytest.raises(GuardrailRefused, match="read_only"):
        two.exchange(account_id=SECOND, guardrails={"read_only": True}).portfolio.switch()

    assert two.book.count("POST /iserver/account") == 0


def test_a_dynamic_account_is_set_where_the_answer_names_it(desk):
    desk.book.book["POST /iserver/dynaccount"] = Turns(
        {"set": True, "acctId": "U2"}, {"set": False}, Page(503, {"error": "x"})
    )
    portfolio = desk.exchange().portfolio

    assert portfolio.set_dynamic_account(" U2 ") == "U2"
    with pytest.raises(UnexpectedAnswer, match="without a confirmation"):
        portfolio.set_dynamic_account("U2")
    with pytest.raises(OutcomeUnknown):
        portfolio.set_dynamic_account("U2")
    with pytest.raises(InvalidRequest):
        portfolio.set_dynamic_account(" ")
    assert desk.book.count("POST /iserver/dynaccount") == 3


# Balances --------------------------------------------------------------------------------


def test_every_table_of_balances_is_read_at_its_own_address(desk):
    tables = {"available_funds": "available_funds", "balances": "balances", "margins": "margins"}
    for address in tables:
        desk.book.book[f"GET {ONE}/{address}"] = {"total": {address: "5 USD"}}
    desk.book.book[f"GET {ONE}/market_value"] = {"EUR": {"stock": "194"}}
    portfolio = desk.exchange().portfolio

    for address, method in tables.items():
        (figure,) = getattr(portfolio, method)()
        assert (figure.name, figure.amount) == (address, Decimal(5))
    assert portfolio.market_values()[0].currency == "EUR"


def test_the_two_summaries_are_two_calls(desk):
    """One to the cent without a brokerage session, one rounded with it."""
    desk.book.book[f"GET /portfolio/{ACCOUNT}/summary"] = {
        "netliquidation": {"amount": 5.25, "currency": "USD", "isNull": False, "value": None}
    }
    desk.book.book[f"GET {ONE}"] = {"netLiquidationValue": 5.0}
    portfolio = desk.exchange().portfolio

    assert portfolio.summary().net_liquidation == Decimal("5.25")
    assert portfolio.brokerage_summary().net_liquidation == Decimal(5)
    assert portfolio.brokerage_summary().account_id == ACCOUNT


def test_the_ledger_keeps_every_figure(desk):
    """Futures, funds and bonds have no field of their own."""
    desk.book.book[f"GET /portfolio/{ACCOUNT}/ledger"] = {
        "USD": {"cashbalance": 5, "tbillsmarketvalue": 7.5, "sessionid": 1, "key": "LedgerList"}
    }

    (row,) = desk.exchange().portfolio.ledger()

    assert row.values == {"cashbalance": Decimal(5), "tbillsmarketvalue": Decimal("7.5")}


# Positions -------------------------------------------------------------------------------


def test_positions_are_asked_for_by_name_or_by_contract_id(desk):
    near = {
        "conid": str(AAPL),
        "position": 3.0,
        "assetClass": "STK",
        "description": "AAPL",
        "currency": "USD",
    }
    desk.book.book[f"GET /portfolio2/{ACCOUNT}/positions"] = [near]
    desk.book.listings["AAPL"] = AAPL
    portfolio = desk.exchange().portfolio

    assert portfolio.positions().records()[0]["quantity"] == Decimal(3)
    assert portfolio.position(AAPL) == portfolio.position("AAPL")
    assert portfolio.position(1) is None


@pytest.mark.parametrize("wrong", [0, -1, True, 1.5, None])
def test_what_is_no_contract_is_refused(desk, wrong):
    with pytest.raises(InvalidRequest, match="nothing was sent"):
        desk.exchange().portfolio.position(wrong)


def test_pages_are_read_to_the_last(desk):
    rows = [{**ROW, "conid": number} for number in range(1, 131)]
    desk.book.book[f"GET /portfolio/{ACCOUNT}/positions/0"] = rows[:100]
    desk.book.book[f"GET /portfolio/{ACCOUNT}/positions/1"] = rows[100:]

    assert len(desk.exchange().portfolio.paged()) == 130


def test_details_of_a_position_are_asked_for_twice(desk):
    """The first answer of a session has half of them."""
    address = f"GET /portfolio/{ACCOUNT}/position/{AAPL}"
    desk.book.book[address] = Turns([ROW], [{**ROW, "ticker": "AAPL", "undConid": 5}])
    portfolio = desk.exchange().portfolio

    assert portfolio.position_details(AAPL).underlying_conid == 5
    desk.book.book[address] = []
    assert portfolio.position_details(AAPL) is None


def test_one_contract_is_read_over_all_accounts_without_twins(desk):
    """A twin repeats the positions of its account."""
    desk.book.book[f"GET /portfolio/positions/{AAPL}"] = {ACCOUNT: [ROW], f"{ACCOUNT}C": [ROW]}

    assert [held.account_id for held in desk.exchange().portfolio.everywhere(AAPL)] == [ACCOUNT]


def test_combinations_are_read_past_the_cache(desk):
    address = f"GET /portfolio/{ACCOUNT}/combo/positions"
    desk.book.book[address] = [{"name": "CP.1", "legs": [{"conid": "5", "ratio": -1}], "positions": []}]

    found = desk.exchange().portfolio.combos()

    assert found.records()[0]["legs"] == "-1*5"
    assert desk.book.last(address) == "nocache=true"


def test_the_cache_is_dropped_on_demand(desk):
    address = f"POST /portfolio/{ACCOUNT}/positions/invalidate"
    desk.book.book[address] = {"message": "success"}

    desk.exchange().portfolio.invalidate()

    assert desk.book.last(address) == {}


# Allocation and profit -------------------------------------------------------------------


def test_one_accounts_allocation_is_read_and_several_are_posted(two):
    body = {"assetClass": {"long": {"STK": 5}}}
    two.book.book[f"GET /portfolio/{SECOND}/allocation"] = body
    two.book.book["POST /portfolio/allocation"] = body
    portfolio = two.exchange(account_id=SECOND).portfolio

    assert portfolio.allocation()[0].value == portfolio.allocation(SECOND)[0].value == 5
    assert two.book.count("POST /portfolio/allocation") == 0
    portfolio.allocation(ACCOUNT, SECOND)
    assert two.book.last("POST /portfolio/allocation") == {"acctIds": [ACCOUNT, SECOND]}


def test_profit_is_that_of_the_account_that_was_asked_for(two):
    """IBKR answers for the selected one, so it is selected first."""
    two.book.book["GET /iserver/account/pnl/partitioned"] = lambda _: {
        "upnl": {f"{two.book.selected}.Core": {"dpl": 5}}
    }

    (row,) = two.exchange(account_id=SECOND).portfolio.profit()

    assert (row.account_id, row.daily) == (SECOND, Decimal(5))


def test_another_accounts_profit_is_nobodys(two):
    """Where another thread has selected its own in between it is asked again, and then nothing is told."""
    two.book.book["GET /iserver/account/pnl/partitioned"] = {"upnl": {f"{ACCOUNT}.Core": {"dpl": 5}}}

    assert len(two.exchange(account_id=SECOND).portfolio.profit()) == 0
    assert two.book.count("GET /iserver/account/pnl/partitioned") == 2


def test_a_single_account_is_not_selected(desk):
    desk.book.book["GET /iserver/account/pnl/partitioned"] = {"upnl": {f"{ACCOUNT}.Core": {"dpl": 5}}}

    assert len(desk.exchange().portfolio.profit()) == 1
    assert desk.book.count("POST /iserver/account") == 0


# The analyst -----------------------------------------------------------------------------


def test_a_period_is_asked_for_in_ibkrs_words(desk):
    desk.book.book["POST /pa/performance"] = {
        "included": [ACCOUNT],
        "cps": {"dates": ["20260810"], "data": [{"id": ACCOUNT, "returns": [0.5]}]},
    }

    found = desk.exchange().portfolio.performance("mtd")

    assert desk.book.last("POST /pa/performance") == {"acctIds": [ACCOUNT], "period": "MTD"}
    assert found.of(Measure.CUMULATIVE).points[0].value == Decimal("0.5")


def test_a_second_question_in_a_quarter_of_an_hour_is_refused_here(desk):
    """Nobody waits fifteen minutes inside a call."""
    desk.book.book["POST /pa/performance"] = {}
    portfolio = desk.exchange().portfolio
    portfolio.performance("1M")

    with pytest.raises(Throttled) as early:
        portfolio.performance("1Y")

    assert 800 < early.value.retry_at <= 1000
    assert desk.book.count("POST /pa/performance") == 1


def test_a_period_that_ibkr_does_not_know_is_refused_with_the_list(desk):
    """It would cost a quarter of an hour."""
    with pytest.raises(InvalidRequest, match="3M") as wrong:
        desk.exchange().portfolio.performance("3M")

    assert "YTD" in wrong.value.remedy
    assert desk.book.count("POST /pa/performance") == 0


def test_all_periods_and_weights_are_asked_for_by_account(two):
    two.book.book["POST /pa/allperiods"] = {
        "included": [SECOND],
        SECOND: {"1D": {"dates": ["20260908"], "nav": [5]}},
    }
    two.book.book["POST /pa/allocation"] = {
        "allocations": {"SECTOR": {"long": {"items": [{"id": "T", "weight": 1}]}}}
    }
    portfolio = two.exchange(account_id=SECOND).portfolio

    assert portfolio.all_periods().of("1D").of(Measure.VALUE).points[0].value == 5
    assert portfolio.weights(ACCOUNT, SECOND)[0].weight == 1
    assert two.book.last("POST /pa/allperiods") == {"acctIds": [SECOND]}
    assert two.book.last("POST /pa/allocation") == {"acctIds": [ACCOUNT, SECOND]}


def test_transactions_are_asked_for_in_the_contracts_currency(desk):
    """Without one IBKR refuses, and the wrong one finds nothing."""
    desk.book.book["POST /pa/transactions"] = {"transactions": []}
    desk.book.listings["MSFT"] = 272093

    desk.exchange().portfolio.transactions("MSFT", days=30)

    assert desk.book.last("POST /pa/transactions") == {
        "acctIds": [ACCOUNT],
        "conids": [272093],
        "currency": "EUR",
        "days": 30,
    }


def test_a_currency_is_taken_as_given(desk):
    desk.book.book["POST /pa/transactions"] = {}

    desk.exchange().portfolio.transactions(5, currency="usd")

    assert desk.book.last("POST /pa/transactions")["currency"] == "USD"


def test_transactions_without_a_currency_or_days_are_refused(desk):
    desk.book.contracts[AAPL]["currency"] = None
    portfolio = desk.exchange().portfolio

    for days in (0, True, 20_000):
        with pytest.raises(InvalidRequest, match="days"):
            portfolio.transactions(AAPL, days=days)
    with pytest.raises(InvalidRequest, match="currency"):
        portfolio.transactions(AAPL)
