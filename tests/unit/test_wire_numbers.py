"""Numbers, times and texts are read exactly or not at all, and nothing here ever raises."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal, Inexact, localcontext

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ibkr_adapter.wire import numbers

READERS = (
    numbers.decimal,
    numbers.integer,
    numbers.conid,
    numbers.money,
    numbers.moment,
    numbers.utc_stamp,
    numbers.text,
    numbers.flag,
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.text()
    | st.from_regex(r"[-+CH]?[0-9,.]{0,6}[eE]?[0-9]{0,4}[KMBT%]?", fullmatch=True),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(), part, max_size=3),
    max_leaves=4,
)


@pytest.mark.parametrize("read", READERS)
@given(value=JSON)
@example(value=10**6000)
@example(value="9" * 6000)
@example(value="&#" + "9" * 6000 + ";")
@example(value="\ud800&#xd800;")
@example(value=Decimal("1E+999999"))
@example(value=Decimal("0E-999999"))
@example(value=Decimal("sNaN"))
@example(value=math.inf)
@example(value="1E999M")
def test_no_json_value_makes_a_reader_raise(read, value):
    """One odd field must not lose the position that stands beside it."""
    read(value)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("168.42", "168.42"),
        ("1,300", "1300"),
        ("-401,693.25", "-401693.25"),
        ("25.5M", "25500000"),
        ("221.521K", "221521"),
        ("1.2B", "1200000000"),
        ("3t", "3000000000000"),
        ("0.54%", "0.54"),
        ("+0.84", "0.84"),
        ("12.5K%", "12500"),
        (" 605 ", "605"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1.22E7", "12200000"),
        ("0", "0"),
        ("-0.00", "0"),
        (605, "605"),
        (605.0, "605"),
        (0.1, "0.1"),
        (1.22e7, "12200000"),
        (Decimal("584.3133333333334"), "584.3133333333334"),
    ],
)
def test_a_number_is_read_exactly_however_it_is_written(written, meant):
    """The float 0.1 was the text 0.1 when IBKR wrote it."""
    read = numbers.decimal(written)

    assert read == Decimal(meant)
    assert "E" not in str(read)


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        "N/A",
        "n/a",
        "--",
        "-",
        "+",
        ".",
        "null",
        "Unlimited",
        "@ 16:00:00",
        "K",
        "%",
        "C168.42",
        "H",
        "1,5",
        "1,30,000",
        "12,34",
        "1.2.3",
        "1_000",
        "\uff11\uff12",
        "0x10",
        "NaN",
        "Infinity",
        "1E999",
        "1E-999",
        "9" * 100,
        True,
        False,
        None,
        [],
        [1],
        {},
        math.nan,
        math.inf,
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        Decimal("1E+100"),
        Decimal("1E-100"),
        10**60,
        10**500,
    ],
)
def test_what_is_no_number_is_none_and_never_zero(written):
    """A comma that may be a decimal point is not guessed at either: 1,5 is not 15."""
    assert numbers.decimal(written) is None


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=6))
def test_thousands_and_signs_do_not_change_a_number(number):
    """The text that people see and the number behind it are one value."""
    assert numbers.decimal(f"{number:,}") == number
    assert numbers.decimal(f"{number:+f}%") == number
    assert numbers.decimal(number) == number


def test_reading_does_not_depend_on_the_callers_decimal_context():
    """A bot that computes with six digits still reads all twelve of a balance."""
    with localcontext(prec=3) as context:
        context.traps[Inexact] = True
        read = [numbers.decimal("123,456,789.25"), numbers.decimal("1.234567M"), numbers.decimal(1234567.5)]
        stamp = numbers.moment(1712156105123)
        whole = numbers.integer(1234567)

    assert read == [Decimal("123456789.25"), Decimal(1234567), Decimal("1234567.5")]
    assert stamp == datetime(2024, 4, 3, 14, 55, 5, 123000, tzinfo=UTC)
    assert whole == 1234567


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (7, 7),
        (7.0, 7),
        (Decimal("7.00"), 7),
        ("7", 7),
        (" -7 ", -7),
        ("+7", 7),
        (7.5, None),
        ("7.0", None),
        ("7K", None),
        ("1,300", None),
        ("", None),
        (True, None),
        (None, None),
        ([7], None),
    ],
)
def test_an_integer_is_whole_or_none(written, meant):
    """A rounded identity is somebody else's."""
    assert numbers.integer(written) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (265598, 265598),
        ("265598", 265598),
        (265598.0, 265598),
        (0, None),
        ("0", None),
        (-1, None),
        (2147483647, None),
        ("2147483647", None),
        ("265598@ARCA", None),
        (True, None),
        (None, None),
        ("", None),
    ],
)
def test_a_conid_is_positive_and_no_placeholder(written, meant):
    """Zero means none, -1 means all, and the largest id stands where a bond has no contract."""
    assert numbers.conid(written) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("-401,693 USD", (Decimal(-401693), "USD")),
        ("0 USD", (Decimal(0), "USD")),
        (" 1.5 EUR ", (Decimal("1.5"), "EUR")),
        ("1.09", None),
        ("n/a USD", None),
        ("USD", None),
        ("5 usd", None),
        ("Unlimited", None),
        (5, None),
        (None, None),
    ],
)
def test_money_needs_an_amount_and_a_currency(written, meant):
    """An amount whose currency is guessed is a wrong amount."""
    assert numbers.money(written) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (1775169606, datetime(2026, 4, 2, 22, 40, 6, tzinfo=UTC)),
        (1775169606000, datetime(2026, 4, 2, 22, 40, 6, tzinfo=UTC)),
        (1775169606123, datetime(2026, 4, 2, 22, 40, 6, 123000, tzinfo=UTC)),
        (Decimal("1775169606.5"), datetime(2026, 4, 2, 22, 40, 6, 500000, tzinfo=UTC)),
        ("1712157300", datetime(2024, 4, 3, 15, 15, tzinfo=UTC)),
        (100_000_000_000, datetime(5138, 11, 16, 9, 46, 40, tzinfo=UTC)),
        (100_000_000_001, datetime(1973, 3, 3, 9, 46, 40, 1000, tzinfo=UTC)),
        (253_402_300_799_000, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (253_402_300_800_000, None),
        (10**17, None),
        (0, None),
        (-1775169606, None),
        (20260401, None),
        ("", None),
        ("soon", None),
        (True, None),
        (None, None),
    ],
)
def test_the_size_of_a_stamp_tells_its_unit(written, meant):
    """Seconds and milliseconds come from one endpoint; a date or a zero is no moment of 1970."""
    assert numbers.moment(written) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("260401234047", datetime(2026, 4, 1, 23, 40, 47, tzinfo=UTC)),
        ("20231211-18:00:49", datetime(2023, 12, 11, 18, 0, 49, tzinfo=UTC)),
        (" 260401234047 ", datetime(2026, 4, 1, 23, 40, 47, tzinfo=UTC)),
        ("261301234047", None),
        ("260401250047", None),
        ("20231231", None),
        ("2604012340471", None),
        ("\uff12\uff160401234047", None),
        ("", None),
        (260401234047, None),
        (None, None),
    ],
)
def test_a_written_stamp_is_in_utc(written, meant):
    """Two digits of a year are of this century; what no calendar has is no time."""
    assert numbers.utc_stamp(written) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("APPLE INC", "APPLE INC"),
        ("SPDR S&amp;P 500", "SPDR S&P 500"),
        ("&#x56FD;&#x9645;", "国际"),
        ("  two \n lines ", "two lines"),
        ("\x1b[31mRED\x1b[0m", "RED"),
        ("\x9b31mRED", "RED"),
        ("\x1b]0;title\x07name", "name"),
        ("\x1bcname", "name"),
        ("a\x00b\x7fc", "abc"),
        ("safe\u202eevil", "safeevil"),
        ("half\ud800", "half"),
        ("", None),
        ("   ", None),
        ("None", None),
        ("\x1b[2J", None),
        (5, None),
        (True, None),
        (None, None),
        (["x"], None),
    ],
)
def test_a_text_is_fit_for_a_terminal(written, meant):
    """A company's name must not move a cursor, hide a word or be the word for nothing."""
    assert numbers.text(written) == meant


@given(
    st.text() | st.from_regex(r"(\x1b\[[0-9;]{0,3}[a-zA-Z]|&#x?[0-9a-f]{1,4};|[a-z]){1,8}", fullmatch=True)
)
def test_every_text_is_printable(written):
    """Entities may hide what was filtered, so the filter comes last."""
    assert (numbers.text(written) or "").isprintable()


def test_an_endless_text_is_cut():
    """Whoever sends a megabyte for a name gets it shown in part."""
    assert len(numbers.text("x" * 1_000_000) or "") <= 5000


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (True, True),
        ("true", True),
        (" TRUE ", True),
        ("1", True),
        (1, True),
        (Decimal(1), True),
        (False, False),
        ("false", False),
        ("0", False),
        (0, False),
        (0.0, False),
        (2, None),
        ("yes", None),
        ("", None),
        (math.nan, None),
        (None, None),
        ([True], None),
        ({}, None),
    ],
)
def test_a_flag_is_yes_no_or_unknown(written, meant):
    """Unknown is not no: ``isPaper`` missing must not mean a live account, nor a paper one."""
    assert numbers.flag(written) is meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (20261218, date(2026, 12, 18)),
        ("20261218", date(2026, 12, 18)),
        ("2026-12-18", None),
        (20261318, None),
        (202612, None),
        (None, None),
    ],
)
def test_a_day_is_eight_digits_of_the_calendar(written, meant):
    """Futures come with them as numbers, everything else as texts."""
    assert numbers.day(written) == meant


def test_a_float_of_numpys_is_read_as_the_float_that_it_is():
    """Its ``repr`` writes its type around the number."""
    numpy = pytest.importorskip("numpy")

    assert numbers.decimal(numpy.float64(1.5)) == Decimal("1.5")
    assert numbers.decimal(numpy.float64("nan")) is None
