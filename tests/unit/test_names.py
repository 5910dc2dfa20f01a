"""Names: every spelling that people write, and none that means something else than it says."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, localcontext

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ibkr_adapter.errors import ContractNotFound
from ibkr_adapter.model import labels, names, products
from ibkr_adapter.model.contract import Contract, SecType
from ibkr_adapter.model.identifiers import as_number, as_right, is_cusip, is_isin
from ibkr_adapter.model.months import Month, read_date, read_month
from ibkr_adapter.model.query import ContractQuery, ends, month_of

TODAY = date(2026, 11, 24)
DEC, JAN_15 = Month(2026, 12), date(2027, 1, 15)
STK, OPT, FUT, FOP = SecType.STOCK, SecType.OPTION, SecType.FUTURE, SecType.FUTURE_OPTION
CALL_220 = {"sec_type": OPT, "symbol": "AAPL", "expiry": JAN_15, "strike": Decimal(220), "right": "C"}
ES_DEC = {"sec_type": FUT, "symbol": "ES", "month": DEC}
ES_FRONT = {"sec_type": FUT, "symbol": "ES", "front": True}
EUR_USD = {"sec_type": SecType.FOREX, "symbol": "EUR", "currency": "USD"}
BTC_USD = {"sec_type": SecType.CRYPTO, "symbol": "BTC", "currency": "USD"}
ES_CALL = {"symbol": "ES", "expiry": date(2026, 12, 18), "strike": Decimal(5000), "right": "C"}

SPELLINGS = {
    # Stocks.
    "AAPL": {"symbol": "AAPL"},
    "  aapl ": {"symbol": "AAPL"},
    "NASDAQ:AAPL": {"symbol": "AAPL", "exchange": "NASDAQ"},
    "AAPL@MEXI": {"symbol": "AAPL", "exchange": "MEXI"},
    "US:AAPL": {"symbol": "AAPL"},
    "STK:ES": {"sec_type": STK, "symbol": "ES"},
    "ETF:SPY": {"sec_type": STK, "symbol": "SPY"},
    "STK:NYSE:ES": {"sec_type": STK, "symbol": "ES", "exchange": "NYSE"},
    "BRK.B": {"symbol": "BRK.B"},
    "BRK  B": {"symbol": "BRK B"},
    "SEHK:700": {"symbol": "700", "exchange": "SEHK"},
    "STK:700": {"sec_type": STK, "symbol": "700"},
    "SAPd": {"symbol": "SAPd"},
    "Aapl": {"symbol": "AAPL"},
    "EXV6": {"symbol": "EXV6"},
    # Options.
    "AAPL 2027-01-15 220 C": CALL_220,
    "aapl 20270115 220.0 call": CALL_220,
    "AAPL 15JAN27 220C": CALL_220,
    "AAPL 15JAN2027 C220": CALL_220,
    "AAPL JAN15'27 C 220": CALL_220,
    "OPT:AAPL 2027-01-15 220 C": CALL_220,
    "AAPL 2027-01-15 220 C AAPL": CALL_220 | {"trading_class": "AAPL"},
    "AAPL270115C00220000": CALL_220 | {"trading_class": "AAPL"},
    "AAPL  270115C00220000": CALL_220 | {"trading_class": "AAPL"},
    "AAPL1270115C00220000": CALL_220 | {"trading_class": "AAPL1"},
    "OPT:AAPL270115C00220500": CALL_220 | {"trading_class": "AAPL", "strike": Decimal("220.5")},
    "SPXW270115P05000000": CALL_220
    | {"symbol": "SPX", "trading_class": "SPXW", "strike": Decimal(5000), "right": "P"},
    "BRK B 2027-01-15 220 C": CALL_220 | {"symbol": "BRK B"},
    "AAPL JAN27 220 C": {
        "sec_type": OPT,
        "symbol": "AAPL",
        "month": Month(2027, 1),
        "strike": Decimal(220),
        "right": "C",
    },
    "WAR:SAP 2027-01-15 220 C": CALL_220 | {"sec_type": SecType.WARRANT, "symbol": "SAP"},
    # An option on a share or on the future of that name.
    "ES 2026-12-18 5000 C": ES_CALL,
    "OPT:ES 2026-12-18 5000 C": ES_CALL | {"sec_type": OPT},
    "FOP:ES 2026-12-18 5000 C": ES_CALL | {"sec_type": FOP},
    "FOP:6E 2026-12-18 5000 C": ES_CALL | {"sec_type": FOP, "symbol": "EUR"},
    "ESZ6 C5000": {"sec_type": FOP, "symbol": "ES", "month": DEC, "strike": Decimal(5000), "right": "C"},
    # Futures.
    "ESZ6": ES_DEC,
    "ESZ26": ES_DEC,
    "ESZ2026": ES_DEC,
    "ES 2026-12": ES_DEC,
    "ES 202612": ES_DEC,
    "ES DEC26": ES_DEC,
    "ES Z6": ES_DEC,
    "FUT:ES 2026-12": ES_DEC,
    "CME:ESZ6": ES_DEC | {"exchange": "CME"},
    "ES 2026-12-18": {"sec_type": FUT, "symbol": "ES", "expiry": date(2026, 12, 18)},
    "6EZ6": ES_DEC | {"symbol": "EUR"},
    "FUT:XYZZ6": ES_DEC | {"symbol": "XYZ"},
    "@ES": ES_FRONT,
    "@ es": ES_FRONT,
    "ES1!": ES_FRONT,
    "CME_MINI:ES1!": ES_FRONT | {"exchange": "CME"},
    "FUT:ES": ES_FRONT,
    "FUT:@ES": ES_FRONT,
    "@BTC": ES_FRONT | {"symbol": "BRR"},
    # Pairs.
    "EUR.USD": EUR_USD,
    "EUR_USD": EUR_USD,
    "EURUSD": EUR_USD,
    "EUR/USD": EUR_USD,
    "FX:EURUSD": EUR_USD,
    "CASH:XXX.YYY": EUR_USD | {"symbol": "XXX", "currency": "YYY"},
    "CRYPTO:BTC": BTC_USD,
    "BTC.USD": BTC_USD,
    "BTCUSD": BTC_USD,
    "BTC.USD@PAXOS": BTC_USD | {"exchange": "PAXOS"},
    "PAXOS:BTCUSD": BTC_USD | {"exchange": "PAXOS"},
    "CRYPTO:NEWCOIN": BTC_USD | {"symbol": "NEWCOIN"},
    "CRYPTO:WIF.EUR": BTC_USD | {"symbol": "WIF", "currency": "EUR"},
    "USD.USD": {"symbol": "USD.USD"},
    # Others.
    "IND:SPX": {"sec_type": SecType.INDEX, "symbol": "SPX"},
    "FUND:VTSAX": {"sec_type": SecType.FUND, "symbol": "VTSAX"},
    "CFD:AAPL": {"sec_type": SecType.CFD, "symbol": "AAPL"},
    "BOND:IBM": {"sec_type": SecType.BOND, "symbol": "IBM"},
    "BOND:IBM 2028-12 3.5%": {
        "sec_type": SecType.BOND,
        "symbol": "IBM",
        "month": Month(2028, 12),
        "coupon": Decimal("3.5"),
    },
    "BOND:IBM 2028-12-15": {"sec_type": SecType.BOND, "symbol": "IBM", "expiry": date(2028, 12, 15)},
    # Identifiers.
    "US0378331005": {"isin": "US0378331005"},
    "isin:us0378331005": {"isin": "US0378331005"},
    "17275R102": {"cusip": "17275R102"},
    "CUSIP:037833100": {"cusip": "037833100"},
    "BOND:037833100": {"sec_type": SecType.BOND, "cusip": "037833100"},
    "FUND:US0378331005": {"sec_type": SecType.FUND, "isin": "US0378331005"},
    "conid:265598": {"conid": 265598},
    "265598@SMART": {"conid": 265598},
    "265598@arca": {"conid": 265598, "exchange": "ARCA"},
    "OPT:conid:265598": {"conid": 265598, "sec_type": OPT},
    "FUT:265598@CME": {"conid": 265598, "sec_type": FUT, "exchange": "CME"},
}


@pytest.mark.parametrize(("written", "meant"), SPELLINGS.items(), ids=list(SPELLINGS))
def test_a_name_means_what_it_says(written, meant):
    """And it is kept as it was written, because hosts compare it letter by letter."""
    query = names.read(written, TODAY)

    assert query == ContractQuery(**meant)
    assert query.text == written.strip()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "no symbol"),
        ("  ", "no symbol"),
        (None, "no symbol"),
        (265598, "no symbol"),
        ("A" * 300, "at most 60"),
        ("AA\nPL", "printable"),
        ("AA\x00PL", "printable"),
        ("DROP;TABLE", "no symbol"),
        ("@", "no symbol"),
        ("STK:@ES", "no symbol"),
        (":", "no symbol"),
        ("265598", "ticker or a contract id"),
        ("conid:0", "no contract id"),
        ("conid:abc", "no contract id"),
        ("2147483647@SMART", "no contract id"),
        ("AAPL 2027-13 220 C", "no month"),
        ("ES 2026-13", "no month"),
        ("AAPL 2027-02-30 220 C", "no day"),
        ("AAPL 2027-02-00 220 C", "no day"),
        ("AAPL270230C00220000", "no day"),
        ("AAPL 2027-01-15 0 C", "no strike"),
        ("AAPL 2027-01-15 99999999 C", "no strike"),
        ("AAPL 2027-01-15 220", "cannot be read as an option"),
        ("AAPL 2027-01-15 220 X", "cannot be read as an option"),
        ("STK:AAPL 2027-01-15 220 C", "cannot be read as an option"),
        ("FUT:ES 2026-12 5000 C", "cannot be read as a future"),
        ("FOP:ES 2026-12 much", "cannot be read as an option on a future"),
        ("OPT:AAPL", "lacks the day"),
        ("WAR:SAP", "lacks the day"),
        ("FX:EUR", "no currency pair"),
        ("BOND:IBM 2028-12 high", "no symbol"),
        ("ISIN:US0378331006", "no ISIN"),
        ("CUSIP:037833101", "no CUSIP"),
    ],
)
def test_what_is_no_name_is_refused_before_anything_is_sent(written, said):
    """Each says what is wrong with it."""
    with pytest.raises(ContractNotFound, match=said) as refused:
        names.read(written, TODAY)

    assert "nothing was sent" in str(refused.value)


def test_a_refusal_says_what_would_have_worked():
    with pytest.raises(ContractNotFound) as refused:
        names.read("OPT:AAPL", TODAY)

    assert "AAPL 2027-01-15 220 C" in refused.value.remedy


@given(st.text(max_size=80))
@example("ES Z6 C")
@example("A:B:C:D@E@F")
@example("\uff11\uff12@SMART")
@example("conid:\u0663")
def test_no_text_makes_the_reader_fall_over(text):
    """Webhooks carry anything."""
    try:
        query = names.read(text, TODAY)
    except ContractNotFound:
        return
    assert query.text == text.strip()


# Months and days -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("digit", "year"), [(4, 2024), (5, 2025), (6, 2026), (7, 2027), (9, 2029), (0, 2030), (3, 2033)]
)
def test_one_digit_of_a_year_looks_two_years_back(digit, year):
    """What has just expired must not be taken for the same month ten years later."""
    assert read_month(f"Z{digit}", TODAY) == Month(year, 12)


def test_months_count_and_print():
    month = Month(2026, 12)

    assert (month.code, month.letter, str(month)) == ("DEC26", "Z6", "2026-12")
    assert (month.plus(1), month.plus(-12), month.plus(13)) == (
        Month(2027, 1),
        Month(2025, 12),
        Month(2028, 1),
    )
    assert month.distance(Month(2027, 3)) == 3
    assert Month.of(date(2027, 2, 3)).last_day == date(2027, 2, 28)
    assert Month(2026, 11) < month


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)))
def test_every_day_is_read_in_every_spelling(day):
    month = Month.of(day)
    spelt = [
        day.isoformat(),
        f"{day:%Y%m%d}",
        f"{day.day}{month.code}",
        f"{day.day:02d}{month.code[:3]}{day.year}",
        f"{month.code[:3]}{day.day}'{day.year % 100:02d}",
    ]

    assert {read_date(word) for word in spelt} == {day}
    assert {read_month(word, day) for word in (str(month), month.code, month.letter, f"{day:%Y%m}")} == {
        month
    }


@pytest.mark.parametrize("word", ["AAPL", "2026-12", "202612", "220", "Z6", "99JAN2"])
def test_what_is_no_day_is_none(word):
    assert read_date(word) is None


# Identifiers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "isin", "cusip"),
    [
        ("US0378331005", True, False),
        ("US0378331004", False, False),
        ("DE0007164600", True, False),
        ("037833100", False, True),
        ("037833101", False, False),
        ("17275R102", False, True),
        ("459200JZ5", False, True),
        ("AAPL", False, False),
    ],
)
def test_a_misspelt_identifier_is_seen_by_its_check_digit(text, isin, cusip):
    assert (is_isin(text), is_cusip(text)) == (isin, cusip)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("220", 220), (220.0, 220), ("2.2E2", 220), (Decimal("220.50"), Decimal("220.5")), (" 7 ", 7)],
)
def test_one_strike_has_one_spelling(written, meant):
    found = as_number(written, "strike")

    assert found == meant
    assert "E" not in str(found)
    assert not str(found).endswith(".0")


def test_a_strike_is_exact_in_any_decimal_context():
    with localcontext() as context:
        context.prec = 2
        assert as_number("1234.5678", "strike") == Decimal("1234.5678")


@pytest.mark.parametrize("written", ["", "x", "NaN", "Infinity", "1" * 40, "1E+30", None])
def test_what_is_no_figure_is_refused(written):
    with pytest.raises(ContractNotFound, match="no strike"):
        as_number(written, "strike")


@pytest.mark.parametrize(("word", "right"), [("C", "C"), ("call", "C"), (" Put ", "P"), ("p", "P")])
def test_rights_are_read_in_any_case(word, right):
    assert as_right(word) == right


@pytest.mark.parametrize("word", ["X", "", None, "CALLS"])
def test_other_rights_are_refused(word):
    with pytest.raises(ContractNotFound, match="neither a call nor a put"):
        as_right(word)


# Queries of programs ---------------------------------------------------------------------


def test_programs_say_the_same_as_names():
    """One kind of query, however it was made."""
    pairs = {
        "STK:AAPL": ContractQuery.stock("aapl"),
        "AAPL 2027-01-15 220 C": ContractQuery.option("AAPL", "2027-01-15", 220, "call"),
        "ES 2026-12": ContractQuery.future("ES", "2026-12"),
        "ES 2026-12-18": ContractQuery.future("ES", date(2026, 12, 18)),
        "ES DEC26": ContractQuery.future("ES", DEC),
        "@ES": ContractQuery.front_month("ES"),
        "FOP:ES 2026-12-18 5000 C": ContractQuery.future_option("ES", date(2026, 12, 18), "5000", "C"),
        "EUR.USD": ContractQuery.forex("EUR", "usd"),
        "BTC.USD": ContractQuery.crypto("BTC"),
        "IND:SPX": ContractQuery.index("SPX"),
        "FUND:VTSAX": ContractQuery.fund("VTSAX"),
        "BOND:IBM": ContractQuery.bond("IBM"),
        "BOND:IBM 2028-12 3.5": ContractQuery.bond("IBM", maturity="2028-12", coupon="3.50"),
    }

    for written, query in pairs.items():
        assert names.read(written, TODAY) == query, written
        assert names.read(str(query), TODAY) == query, str(query)


def test_a_query_prints_as_its_caller_wrote_it_or_so_that_it_is_read_back():
    assert str(names.read("aapl", TODAY)) == "aapl"
    assert str(ContractQuery(conid=5)) == "5@SMART"
    assert str(ContractQuery(conid=5, exchange="ARCA")) == "5@ARCA"
    assert str(ContractQuery(isin="US0378331005")) == "ISIN:US0378331005"
    assert str(ContractQuery(cusip="037833100")) == "CUSIP:037833100"
    assert str(ContractQuery.stock("AAPL", exchange="MEXI")) == "STK:AAPL@MEXI"
    spx = ContractQuery.option("SPX", "2026-12-18", "5000.5", "P", trading_class="SPXW")
    assert str(spx) == "OPT:SPX 2026-12-18 5000.5 P SPXW"
    assert spx.is_struck


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (ContractQuery, "without a symbol"),
        (lambda: ContractQuery(conid=0), "no contract id"),
        (lambda: ContractQuery(conid=True), "no contract id"),
        (lambda: ContractQuery(symbol="A", sec_type=OPT), "lacks the day"),
        (lambda: ContractQuery(symbol="A", sec_type=OPT, strike=Decimal(5), right="C"), "lacks the day"),
        (lambda: ContractQuery(symbol="A", sec_type=STK, strike=Decimal(5)), "has no strike"),
        (lambda: ContractQuery(symbol="A", sec_type=FUT), "lacks the month"),
        (lambda: ContractQuery(symbol="EUR", sec_type=SecType.FOREX), "lacks the currency"),
        (lambda: ContractQuery(symbol="A", right="X"), "neither a call"),
        (lambda: ContractQuery(symbol="A", strike=Decimal("NaN"), right="C"), "no strike"),
        (lambda: ContractQuery.option("A", "soon", 5, "C"), "no day"),
        (lambda: ContractQuery.future("ES", "Z6"), "no day"),
        (lambda: ContractQuery.stock("A;B"), "no symbol"),
    ],
)
def test_a_query_cannot_exist_half(make, said):
    with pytest.raises(ContractNotFound, match=said):
        make()


# Fitting ---------------------------------------------------------------------------------

AAPL = Contract(conid=265598, symbol="AAPL", sec_type=STK, currency="USD", is_us=True)
OPTION = Contract(
    conid=700,
    symbol="AAPL",
    sec_type=OPT,
    currency="USD",
    multiplier=Decimal(100),
    trading_class="AAPL",
    expiry="20270115",
    strike=Decimal("220.0"),
    right="C",
)
FUTURE = Contract(
    conid=515416632,
    symbol="CL",
    sec_type=FUT,
    currency="USD",
    multiplier=Decimal(1000),
    trading_class="CL",
    expiry="20261119",
    contract_month="202612",
)


@pytest.mark.parametrize(
    ("written", "contract"),
    [
        ("AAPL", AAPL),
        ("265598@SMART", AAPL),
        ("AAPL 2027-01-15 220 C", OPTION),
        ("AAPL270115C00220000", OPTION),
        ("AAPL JAN27 220 C", OPTION),
        ("CLZ6", FUTURE),
        ("CL 2026-11-19", FUTURE),
        ("@CL", FUTURE),
        ("BRK.B", attrs.evolve(AAPL, symbol="BRK B")),
        ("BRKB270115C00220000", attrs.evolve(OPTION, symbol="BRK B", trading_class="BRKB")),
        ("EUR.USD", Contract(conid=1, symbol="EUR", sec_type=SecType.FOREX, currency="USD")),
        ("EUR.USD", Contract(conid=1, symbol="EUR.USD", sec_type=SecType.FOREX, currency="USD")),
    ],
)
def test_a_contract_that_was_meant_fits(written, contract):
    assert names.read(written, TODAY).misfit(contract) == ""


@pytest.mark.parametrize(
    ("written", "contract", "why"),
    [
        ("conid:5", AAPL, "contract 265598"),
        ("FUT:conid:265598", AAPL, "a stock, not a future"),
        ("MSFT", AAPL, "symbol is AAPL"),
        ("AAPL 2027-01-16 220 C", OPTION, "ends on 20270115"),
        ("AAPL 2027-01-15 225 C", OPTION, "strike is 220"),
        ("AAPL 2027-01-15 220 P", OPTION, "right is C"),
        ("AAPL1270115C00220000", OPTION, "trading class is AAPL"),
        ("CL 2026-11", FUTURE, "month is 2026-12"),
        ("USD.JPY", Contract(conid=1, symbol="EUR", sec_type=SecType.FOREX, currency="USD"), "symbol is EUR"),
        ("EUR.CHF", Contract(conid=1, symbol="EUR", sec_type=SecType.FOREX, currency="USD"), "in USD"),
        ("IND:AAPL", attrs.evolve(AAPL, sec_type=SecType.COMMODITY), "CMDTY, not an index"),
    ],
)
def test_a_contract_that_was_not_meant_does_not(written, contract, why):
    """It says why, in words for the caller."""
    assert why in names.read(written, TODAY).misfit(contract)


def test_the_month_of_a_future_is_the_one_it_is_called_by():
    """December crude expires in November; without IBKR's word it is the month it ends in."""
    assert month_of(FUTURE) == Month(2026, 12)
    assert month_of(attrs.evolve(FUTURE, contract_month=None)) == Month(2026, 11)
    assert month_of(AAPL) is None
    assert month_of(attrs.evolve(FUTURE, contract_month="soon")) is None
    assert ends(FUTURE) == date(2026, 11, 19)
    assert ends(attrs.evolve(AAPL, expiry="20261119")) is None


# Printing --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("contract", "for_host", "for_people"),
    [
        (AAPL, "AAPL", "STK:AAPL"),
        (attrs.evolve(AAPL, symbol="BRK B"), "BRK B", "STK:BRK B"),
        (attrs.evolve(AAPL, symbol="ES"), "265598@SMART", "STK:ES"),
        (attrs.evolve(AAPL, symbol="BTC"), "265598@SMART", "STK:BTC"),
        (attrs.evolve(AAPL, is_us=None), "265598@SMART", "STK:AAPL"),
        (OPTION, "AAPL270115C00220000", "OPT:AAPL 2027-01-15 220.0 C"),
        (attrs.evolve(OPTION, currency="EUR"), "700@SMART", "OPT:AAPL 2027-01-15 220.0 C"),
        (attrs.evolve(OPTION, multiplier=Decimal(10)), "700@SMART", "OPT:AAPL 2027-01-15 220.0 C"),
        (attrs.evolve(OPTION, strike=Decimal("0.0001")), "700@SMART", "OPT:AAPL 2027-01-15 0.0001 C"),
        (attrs.evolve(OPTION, strike=Decimal(100_000)), "700@SMART", "OPT:AAPL 2027-01-15 100000 C"),
        (
            attrs.evolve(OPTION, symbol="SPX", trading_class="SPXW"),
            "SPXW270115C00220000",
            "OPT:SPX 2027-01-15 220.0 C SPXW",
        ),
        (attrs.evolve(OPTION, trading_class="LONGER"), "700@SMART", "OPT:AAPL 2027-01-15 220.0 C LONGER"),
        (attrs.evolve(OPTION, expiry=None), "700@SMART", "OPT:AAPL 220.0 C"),
        (attrs.evolve(OPTION, strike=None), "700@SMART", "OPT:AAPL 2027-01-15"),
        (attrs.evolve(OPTION, right=None), "700@SMART", "OPT:AAPL 2027-01-15 220.0 ?"),
        (FUTURE, "CL 2026-11-19", "FUT:CL 2026-11-19"),
        (attrs.evolve(FUTURE, expiry=None), "515416632@SMART", "FUT:CL"),
        (attrs.evolve(FUTURE, symbol="ETHUSDRR"), "ETHUSDRR 2026-11-19", "FUT:ETHUSDRR 2026-11-19"),
        (
            Contract(conid=12087792, symbol="EUR", sec_type=SecType.FOREX, currency="USD"),
            "EUR.USD",
            "CASH:EUR.USD",
        ),
        (Contract(conid=5, symbol="EUR", sec_type=SecType.FOREX), "5@SMART", "CASH:EUR"),
        (
            Contract(conid=479624278, symbol="BTC", sec_type=SecType.CRYPTO, currency="USD"),
            "479624278@SMART",
            "CRYPTO:BTC.USD",
        ),
        (Contract(conid=416904, symbol="SPX", sec_type=SecType.INDEX), "416904@SMART", "IND:SPX"),
    ],
)
def test_a_contract_has_a_name_for_hosts_and_one_for_people(contract, for_host, for_people):
    assert labels.host_name(contract) == for_host
    assert labels.long_name(contract) == for_people


WORDS = st.from_regex(r"[A-Z]{1,6}(?: [A-Z])?", fullmatch=True)
DAYS = st.dates(date(2000, 1, 1), date(2099, 12, 31)).map(lambda day: f"{day:%Y%m%d}")
CONTRACTS = st.builds(
    Contract,
    conid=st.integers(1, 2**31 - 2),
    symbol=WORDS | st.sampled_from(sorted(products.FUTURES)),
    sec_type=st.sampled_from([kind for kind in SecType if kind is not SecType.UNKNOWN]),
    currency=st.sampled_from(["USD", "EUR", None]),
    multiplier=st.sampled_from([Decimal(1), Decimal(100), Decimal(50)]),
    is_us=st.sampled_from([True, False, None]),
    trading_class=st.none() | WORDS | st.just("AAPL1"),
    expiry=st.none() | DAYS,
    strike=st.none() | st.decimals("0.001", "999999", places=3),
    right=st.sampled_from(["C", "P", None]),
    contract_month=st.none() | st.just("202612"),
)


@given(CONTRACTS)
@example(Contract(conid=5, symbol="BTC", sec_type=FUT, expiry="20261218"))
def test_every_contracts_own_name_is_read_back_as_that_contract(contract):
    """What a position is called must close that position."""
    name = labels.host_name(contract)

    query = names.read(name, TODAY)

    assert len(name) <= 20
    assert ":" not in name
    assert query.misfit(contract) == ""
    assert query.conid == contract.conid or query.symbol


@pytest.mark.parametrize(
    ("root", "tried"),
    [
        ("AAPL", ("AAPL",)),
        ("SPXW", ("SPX",)),
        ("BRKB", ("BRKB", "BRK B")),
        ("AAPL1", ("AAPL",)),
        ("A", ("A",)),
        ("7", ("7",)),
    ],
)
def test_the_underlying_of_an_option_class_is_looked_for_under_its_likely_names(root, tried):
    assert names.underlying_spellings(root) == tried
