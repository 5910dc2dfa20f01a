"""IBKR's algorithms: which a contract takes, with which parameters, and the one that an order is given to.

A choice is held against the contract's own list before it leaves. Names and parameters are IBKR's ids
and count letter by letter; what is not on the list is refused with the nearest that is.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs

from ibkr_adapter.errors import InvalidOrder, quoted
from ibkr_adapter.model.rules import Algo, AlgoParameter
from ibkr_adapter.model.shown import Shown

# What IBKR calls the types of parameters, without case.
_NUMBERS, _SWITCHES, _TIMES = frozenset({"double", "integer", "long"}), frozenset({"boolean"}), "time"
_WHOLE = frozenset({"integer", "long"})
_LONGEST = 80
# Such as 14:30:00 EST, or 20261127-14:30:00 US/Eastern.
_TIME = re.compile(r"(\d{8}[- ])?\d{1,2}:\d{2}(:\d{2})?( [A-Za-z/_]+)?")

Value = str | bool | Decimal


@attrs.frozen(kw_only=True)
class ChosenAlgo(Shown):
    """The algorithm that works an order: IBKR's id of it, and its parameters by their ids."""

    algo_id: str
    parameters: tuple[tuple[str, Value], ...] = ()


def choose(symbol: str, offered: Sequence[Algo], algo_id: str, given: Mapping[str, Any]) -> ChosenAlgo:
    """Hold a choice against the list of a contract.

    What is not given and must be is IBKR's default, where it has one.

    Args:
        symbol: The contract, for errors.
        offered: What IBKR lists for it.
        algo_id: IBKR's id, letter by letter.
        given: Parameters by their ids: numbers, texts, or true and false.

    Raises:
        InvalidOrder: It is not on the list, or a parameter is not as the list wants it; nothing was sent.
    """
    algo = next((one for one in offered if one.algo_id == algo_id), None)
    if algo is None:
        raise _unlisted(f"{symbol} takes no algorithm", algo_id, [one.algo_id for one in offered])
    if algo.parameters is None:
        raise InvalidOrder(
            f"IBKR does not tell the parameters of {algo_id} now; nothing was sent.",
            remedy="Try again in a moment.",
            repeatable=True,
        )
    known = {parameter.parameter_id: parameter for parameter in algo.parameters}
    for name in given:
        if name not in known:
            raise _unlisted(f"{algo_id} has no parameter", name, list(known))
    values = {
        name: _value(algo_id, parameter, given.get(name, parameter.default))
        for name, parameter in known.items()
        if name in given or parameter.required
    }
    return ChosenAlgo(algo_id=algo_id, parameters=tuple(values.items()))


def _unlisted(what: str, asked: object, listed: Sequence[str]) -> InvalidOrder:
    lowered = {name.lower(): name for name in listed}
    near = difflib.get_close_matches(quoted(asked).strip("'").lower(), lowered, n=1)
    hint = f" Did you mean {lowered[near[0]]}?" if near else ""
    return InvalidOrder(
        f"{what} {quoted(asked)}; nothing was sent.{hint}",
        remedy=f"There {_listed(listed)}." if listed else "There are none.",
    )


def _listed(names: Sequence[str]) -> str:
    return f"{'is' if len(names) == 1 else 'are'} {', '.join(sorted(names))}"


def _value(algo_id: str, parameter: AlgoParameter, given: object) -> Value:
    kind = parameter.kind.lower()
    if given is None:
        raise _wrong(algo_id, parameter, "is needed", None)
    if kind in _SWITCHES:
        if isinstance(given, bool):
            return given
        raise _wrong(algo_id, parameter, "is true or false", given)
    if kind in _NUMBERS:
        return _number(algo_id, parameter, given, whole=kind in _WHOLE)
    if kind and (not isinstance(given, str) or not given.strip() or len(given) > _LONGEST):
        raise _wrong(algo_id, parameter, "is a text", given)
    if kind == _TIMES and not _TIME.fullmatch(str(given)):
        raise _wrong(algo_id, parameter, "is a time such as 14:30:00 US/Eastern", given)
    if parameter.choices and given not in parameter.choices:
        raise _wrong(algo_id, parameter, f"is one of {', '.join(parameter.choices)}", given)
    if isinstance(given, (str, bool)):
        return given
    return _number(algo_id, parameter, given, whole=False)


def _number(algo_id: str, parameter: AlgoParameter, given: object, *, whole: bool) -> Decimal:
    if isinstance(given, bool) or not isinstance(given, (int, Decimal)):
        raise _wrong(algo_id, parameter, "is a whole number or a Decimal", given)
    number = Decimal(given)
    low, high = parameter.minimum, parameter.maximum
    if not number.is_finite() or (whole and number != number.to_integral_value()):
        raise _wrong(algo_id, parameter, "is a whole number" if whole else "is a number", given)
    if (low is not None and number < low) or (high is not None and number > high):
        raise _wrong(algo_id, parameter, f"is between {_bound(low)} and {_bound(high)}", given)
    return number


def _bound(value: Decimal | None) -> str:
    return "anything" if value is None else f"{value:f}"


def _wrong(algo_id: str, parameter: AlgoParameter, demand: str, given: object) -> InvalidOrder:
    shown = "" if given is None else f", not {quoted(given)}"
    title = f" ({parameter.name})" if parameter.name else ""
    return InvalidOrder(
        f"{parameter.parameter_id}{title} of {algo_id} {demand}{shown}; nothing was sent.",
        remedy=parameter.description,
    )


def described(chosen: ChosenAlgo) -> str:
    """Write a choice for people."""
    return " ".join((chosen.algo_id, *_pairs(chosen.parameters)))


def _pairs(parameters: Iterable[tuple[str, Value]]) -> Iterable[str]:
    return (f"{name}={value}" for name, value in parameters)
