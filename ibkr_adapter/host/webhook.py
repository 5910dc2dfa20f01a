"""Read a trading webhook: JSON text or a mapping becomes one frozen :class:`Webhook`.

Pure. Knows what every value may be and refuses what makes no sense by the name of its key, before
anything is asked or sent. Which keys there are is in :mod:`.fields` and how one value is read in
:mod:`.values`; what the webhook costs at today's prices is for :mod:`.plan`, and carrying it out
for :mod:`.executor`.

Numbers keep the digits they were written with: JSON is read with decimals, and texts such as
``"300.00"`` are as good as numbers, because hosts fill their templates with texts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any

import attrs

from ibkr_adapter.model.order import Side
from ibkr_adapter.model.query import ContractQuery
from ibkr_adapter.redact import MASK

from .contract_fields import OF_A_CONTRACT, read_symbol
from .fields import EITHER_OR, ENTRY_ONLY, FOREIGN_INSTRUMENT, FOREIGN_RISK, field_of, is_known, nearest
from .values import amount, choice, percent, refusal, secret, shown, switch, word

# A webhook has some twenty short fields; more is not one.
LARGEST_TEXT = 65_536
# Nor has it anything in it that is nested; a remark of a strategy may be.
DEEPEST = 32

_SECRETIVE = re.compile(r"secret|pass(?:word|phrase)|token|api_?key|private_?key", re.IGNORECASE)
_WORDS = (
    "exchange",
    "environment",
    "strategy",
    "strategy_id",
    "source",
    "user_id",
    "linked_exchange_id",
    "timestamp",
    "webhook_id",
)


class Action(StrEnum):
    """What a webhook wants done."""

    BUY = "buy"
    SELL = "sell"
    CLOSE = "close"


class EntryType(StrEnum):
    """How an entry may be ordered."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"


_ACTIONS = {
    "buy": Action.BUY,
    "long": Action.BUY,
    "sell": Action.SELL,
    "short": Action.SELL,
    "close": Action.CLOSE,
}
# The host's words and those of Trader Workstation, without case and separators.
_ENTRY_TYPES = {
    "market": EntryType.MARKET,
    "mkt": EntryType.MARKET,
    "limit": EntryType.LIMIT,
    "lmt": EntryType.LIMIT,
    "stop": EntryType.STOP,
    "stp": EntryType.STOP,
    "stopmarket": EntryType.STOP,
    "stoplimit": EntryType.STOP_LIMIT,
    "stplmt": EntryType.STOP_LIMIT,
    "trailingstop": EntryType.TRAILING_STOP,
    "trail": EntryType.TRAILING_STOP,
}


@attrs.frozen(kw_only=True)
class Webhook:
    """What a webhook says, each value checked by itself.

    Prices are in the contract's currency, ``quantity`` in shares or contracts,
    ``position_size_usd`` in US dollars, percentages as written (2 is 2 %). ``ignored`` lists the
    keys that change nothing. The secret is not shown. Where fields beside the symbol name the contract it is in
    ``contract``, and ``symbol`` is a text that means the same.
    """

    action: Action
    symbol: str
    contract: ContractQuery | None = None
    exchange: str | None = None
    order_type: EntryType = EntryType.MARKET
    price: Decimal | None = None
    stop_price: Decimal | None = None
    quantity: Decimal | None = None
    position_size_usd: Decimal | None = None
    stop_loss_percent: Decimal | None = None
    stop_loss_price: Decimal | None = None
    take_profit_percent: Decimal | None = None
    take_profit_price: Decimal | None = None
    trailing_stop_percent: Decimal | None = None
    sell_percentage: Decimal | None = None
    strategy: str | None = None
    strategy_id: str | None = None
    source: str | None = None
    user_id: str | None = None
    secret: str | None = attrs.field(default=None, repr=False)
    environment: str | None = None
    linked_exchange_id: str | None = None
    timestamp: str | None = None
    webhook_id: str | None = None
    ignored: tuple[str, ...] = ()

    @property
    def side(self) -> Side:
        """The side of the entry; a close has none of its own, it follows the position."""
        if self.action is Action.CLOSE:
            raise ValueError("a close takes its side from the position")
        return Side.BUY if self.action is Action.BUY else Side.SELL

    @property
    def has_exits(self) -> bool:
        """Whether the entry is to be protected or given a target."""
        return any(
            value is not None
            for value in (
                self.stop_loss_percent,
                self.stop_loss_price,
                self.take_profit_percent,
                self.take_profit_price,
                self.trailing_stop_percent,
            )
        )


def parse(payload: Mapping[str, Any] | str | bytes) -> dict[str, Any]:
    """Turn JSON text into a dictionary with exact numbers; a mapping is copied.

    Raises:
        InvalidOrder: It is no JSON object, names a key twice or holds a number that is none;
            nothing was sent.
    """
    found = _decode(payload) if isinstance(payload, (str, bytes)) else payload
    if not isinstance(found, Mapping):
        raise refusal(f"a webhook must be a JSON object, not a {type(found).__name__}")
    for key in found:
        if not isinstance(key, str):
            raise refusal(f"a webhook's keys must be texts, not a {type(key).__name__}")
    return dict(found)


def read_webhook(payload: Mapping[str, Any] | str | bytes) -> Webhook:
    """Read what a host posted.

    Args:
        payload: The JSON text as it came, or the mapping it stands for. ``null`` is as good as
            a missing key; an empty text is not.

    Returns:
        The webhook, its numbers exact, with the keys that change nothing in ``ignored``.

    Raises:
        InvalidOrder: A value makes no sense, a key is one slip from a known one, or one thing is
            said twice. The message names the key, the value and what is allowed; nothing was sent.
    """
    given = _Given.of(parse(payload))
    action = choice("action", given.value("action"), _ACTIONS, "buy, sell, close, long or short")
    common: dict[str, Any] = {name: word(given.name(name), given.value(name)) for name in _WORDS}
    symbol, contract = read_symbol(
        {field: (given.spelt[field], value) for field, value in given.values.items()}
    )
    common |= {
        "action": action,
        "symbol": symbol,
        "contract": contract,
        "secret": secret(given.value("secret")),
    }
    if action is Action.CLOSE:
        part = percent("sell_percentage", given.value("sell_percentage"), whole=True)
        left_out = [given.name(field) for field in ENTRY_ONLY if given.value(field) is not None]
        return Webhook(**common, sell_percentage=part, ignored=(*given.others, *left_out))
    _refuse_what_no_entry_can_have(given)
    entry = _read_entry(given)
    left_out = _choose_the_stop(given, entry)
    if entry["order_type"] is EntryType.MARKET and given.value("price") is not None:
        # Alerts carry the price that they saw; a market order takes the one that it finds.
        left_out.append("price")
    return Webhook(**common, **entry, ignored=(*given.others, *left_out))


def masked(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the payload with its secrets, at any depth, as ``***``: fit to be shown or kept.

    Raises:
        InvalidOrder: It is nested too deep; nothing was sent.
    """
    return _masked(payload, 0)


def _masked(payload: Mapping[str, Any], depth: int) -> dict[str, Any]:
    return {
        key: MASK if value is not None and _hides(key) else _mask(value, depth)
        for key, value in payload.items()
    }


def _hides(key: Any) -> bool:
    # A misspelt secret is one all the same.
    return isinstance(key, str) and (bool(_SECRETIVE.search(key)) or nearest(key) == "secret")


def _mask(value: Any, depth: int) -> Any:
    if not isinstance(value, (Mapping, list, tuple)):
        return value
    if depth >= DEEPEST:
        raise refusal(f"the webhook is nested deeper than {DEEPEST} levels")
    if isinstance(value, Mapping):
        return _masked(value, depth + 1)
    return [_mask(part, depth + 1) for part in value]


def _decode(text: str | bytes) -> Any:
    if len(text) > LARGEST_TEXT:
        raise refusal(f"a webhook of {len(text)} characters is longer than {LARGEST_TEXT}")

    def once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise refusal(f"{shown(key)} is there twice: give it once")
            found[key] = value
        return found

    def no_number(name: str) -> Any:
        raise refusal(f"{name} is not a number")

    try:
        return json.loads(text, parse_float=Decimal, parse_constant=no_number, object_pairs_hook=once)
    except (ValueError, ArithmeticError, RecursionError):
        # Of 1e99999999999999999999 no decimal can be made. The text itself stays out of the message: it holds the secret.
        raise refusal("the webhook is not JSON") from None


@attrs.frozen(kw_only=True)
class _Given:
    """What a payload gives: a value for each field, the spelling it came under, and other keys."""

    values: dict[str, Any]
    spelt: dict[str, str]
    others: tuple[str, ...]

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> _Given:
        values: dict[str, Any] = {}
        spelt: dict[str, str] = {}
        others = []
        for key, value in payload.items():
            _refuse_a_slip(key)
            if value is None:
                continue
            field = field_of(key)
            if field is None:
                if key in FOREIGN_INSTRUMENT:
                    raise refusal(f"{key} {FOREIGN_INSTRUMENT[key]}")
                others.append(shown(key))
                continue
            if field in values:
                raise refusal(f"{spelt[field]} and {key} are the same field: give one of them")
            values[field], spelt[field] = value, key
        if "underlying" in values and not any(field in values for field in OF_A_CONTRACT):
            # Beside a symbol alone it says nothing.
            del values["underlying"]
            others.append(spelt.pop("underlying"))
        return cls(values=values, spelt=spelt, others=tuple(others))

    def value(self, field: str) -> Any:
        return self.values.get(field)

    def name(self, field: str) -> str:
        """The field's name as the payload spells it."""
        return self.spelt.get(field, field)


def _refuse_a_slip(key: str) -> None:
    near = None if is_known(key) else nearest(key)
    if near is not None:
        raise refusal(f"{shown(key)} is not a field: did you mean {near}?")


def _refuse_what_no_entry_can_have(given: _Given) -> None:
    for key, reason in FOREIGN_RISK.items():
        if key in given.others:
            raise refusal(f"{key} {reason}")
    for one, other in EITHER_OR:
        if one in given.values and other in given.values:
            raise refusal(f"{given.name(one)} and {given.name(other)} say the same thing: give one of them")
    if "sell_percentage" in given.values:
        raise refusal(
            "sell_percentage belongs to the action close: to sell a part of a position, close that part"
        )


def _read_entry(given: _Given) -> dict[str, Any]:
    entry: dict[str, Any] = {"order_type": _entry_type(given)}
    for field in ("stop_price", "quantity", "position_size_usd", "stop_loss_price", "take_profit_price"):
        entry[field] = amount(given.name(field), given.value(field))
    for field in ("stop_loss_percent", "take_profit_percent", "trailing_stop_percent"):
        entry[field] = percent(given.name(field), given.value(field))
    if entry["order_type"] is not EntryType.MARKET:
        entry["price"] = amount("price", given.value("price"))
    _check_prices(entry)
    return entry


def _entry_type(given: _Given) -> EntryType:
    wanted = given.value("order_type")
    if wanted is None:
        return EntryType.MARKET
    allowed = "market, limit, stop or stop_limit"
    name = given.name("order_type")
    kind = choice(name, wanted, _ENTRY_TYPES, allowed)
    if kind is EntryType.TRAILING_STOP:
        # Its percentage could be the entry's or the exit's, and a guess would cost money.
        raise refusal(
            f"{name} {kind} is an exit here: enter with {allowed}, and give trailing_stop_percent for the exit"
        )
    return kind


def _check_prices(entry: dict[str, Any]) -> None:
    """See that the prices of the order type are there, and none that it has no use for."""
    kind, price, stop = entry["order_type"], entry.get("price"), entry["stop_price"]
    if kind is EntryType.LIMIT and price is None:
        raise refusal("a limit order needs price")
    if kind is EntryType.STOP:
        if stop is not None and price is not None:
            raise refusal("a stop order has one price: give stopPrice or price, or order a stop_limit")
        if stop is None and price is None:
            raise refusal("a stop order needs stopPrice")
        entry["stop_price"], entry["price"] = stop or price, None
    if kind is EntryType.STOP_LIMIT and (stop is None or price is None):
        raise refusal("a stop_limit order needs stopPrice and price, its limit")
    if kind in {EntryType.MARKET, EntryType.LIMIT} and stop is not None:
        # Whoever writes a stop price wants a stop of some kind; which one cannot be told.
        raise refusal(
            f"a {kind} order has no stopPrice: order a stop or stop_limit, or protect it with stop_loss_price"
        )


def _choose_the_stop(given: _Given, entry: dict[str, Any]) -> list[str]:
    """Leave the entry one stop, the fixed or the trailing one; return the keys left out."""
    fixed = [name for name in ("stop_loss_percent", "stop_loss_price") if entry[name] is not None]
    trailing = [name for name in ("trailing_stop_percent",) if entry[name] is not None]
    wants_trailing = switch("useTrailingStop", given.value("use_trailing_stop"))
    if wants_trailing and not trailing:
        raise refusal("useTrailingStop is true but trailing_stop_percent is missing")
    if wants_trailing is False and trailing and not fixed:
        raise refusal(f"useTrailingStop is false but {given.name(trailing[0])} is the only stop")
    if not (fixed and trailing):
        return []
    if wants_trailing is None:
        raise refusal(
            f"{given.name(fixed[0])} and {given.name(trailing[0])} are two stops: give one of them,"
            " or choose with useTrailingStop"
        )
    dropped = fixed if wants_trailing else trailing
    for name in dropped:
        entry[name] = None
    return [given.name(name) for name in dropped]
