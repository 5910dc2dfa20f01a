"""The models of an advisor: targets, who is invested, and the money on its way.

There only with the option ``advisor``. Figures are texts nearly everywhere, "None" is a word, and
the number of a request comes back as text from one endpoint and as a number from the others. The
keys of targets and amounts in requests are not documented and are guesses.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from ibkr_adapter.simulator import answers
from ibkr_adapter.simulator.advisor import NOTHING, GroupError, Model
from ibkr_adapter.simulator.currencies import BASE
from ibkr_adapter.simulator.door import Answer
from ibkr_adapter.simulator.figures import cents, milliseconds, number, quantity_text
from ibkr_adapter.simulator.routes import Call, Handler, Needs, Route, post
from ibkr_adapter.simulator.world import World

_PRESETS: dict[str, Any] = {
    "avoidNegativeCashInCore": False,
    "cashQtyEstimateFactor": 25,
    "closeDivestCorePosition": True,
    "fullyInvestExistingLongPositions": False,
    "keepModelOpen": False,
    "preferCrossWithIndependent": False,
    "preferTransferFromIndependent": True,
    "roundAllocExchBoardLot": False,
    "useNonBaseCcy": False,
    "useToleranceRange": False,
}
_SUBSCRIBED = 1
_PRICE = "0.01"


class ModelEndpoints:
    """Serve the models of one world's advisor."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._models: dict[str, Model] = {}
        self._presets = dict(_PRESETS)

    def routes(self) -> list[Route]:
        """The endpoints served here."""
        served = {
            "model/list": self.listed,
            "model/positions": self.positions,
            "model/summary": self.summary,
            "model/accounts-details": self.details,
            "model/save": self.save,
            "model/invest-divest": self.invest,
            "model/invest-divest-positions": self.invested,
            "model/submit-transfers": self.transfer,
            "fa-preset/get": self.presets,
            "fa-preset/save": self.preset,
        }
        return [
            post(f"/fa/{path}", self._for_advisors(serve), Needs.BROKERAGE) for path, serve in served.items()
        ]

    def _for_advisors(self, serve: Handler) -> Handler:
        def served(call: Call) -> Answer:
            if not self._world.options.advisor:
                return answers.unavailable()
            try:
                return serve(call)
            except GroupError as bad:
                return answers.refusal(str(bad), 500)

        return served

    def _model(self, call: Call) -> tuple[Model, dict[str, Any]]:
        """The model that is meant, and the numbers that every answer repeats."""
        name = _object(call).get("model")
        found = self._models.get(str(name))
        if found is None:
            raise GroupError(f"Model {name} does not exist")
        return found, _numbers(call)

    # Reads.

    def listed(self, call: Call) -> Answer:
        """All models."""
        body = {
            "baseCcy": BASE,
            "masterAccount": self._world.main_account,
            "models": [_summary(one) for one in self._models.values()],
        }
        return answers.json_answer(body | _numbers(call))

    def summary(self, call: Call) -> Answer:
        """One model."""
        model, numbers = self._model(call)
        return answers.json_answer(_summary(model) | numbers)

    def positions(self, call: Call) -> Answer:
        """The targets of a model; all its money is cash."""
        model, numbers = self._model(call)
        rows = [self._position(conid, model) for conid in model.positions]
        cash = [
            {
                "actl": "1" if model.worth else "0",
                "ccy": currency,
                "exrt": "1",
                "instrImbalance": "0",
                "mv": _text(model.worth),
                "trgt": quantity_text(target),
            }
            for currency, target in model.cash.items()
        ]
        body = {
            "cash": cash,
            "mismatched": False,
            "model": model.name,
            "nlv": number(model.worth, 2),
            "positionList": rows,
            "positionTs": milliseconds(self._world.now),
            "stkOnly": True,
            "totalDlv": 0.0,
            "totalMv": 0.0,
        }
        return answers.json_answer(body | numbers)

    def _position(self, conid: int, model: Model) -> dict[str, Any]:
        instrument = self._world.catalogue.find(conid)
        return {
            "actl": "0",
            "actlRangeMax": "None",
            "actlRangeMin": "None",
            "ccy": instrument.currency if instrument else BASE,
            "cid": conid,
            "dlv": "0",
            "exrt": "1",
            "flg": 0,
            "instrImbalance": "0",
            "instrument": instrument.ticker if instrument else "None",
            "mismatchType": 0,
            "mv": "0",
            "position": "0",
            "trgt": quantity_text(model.positions[conid]),
        }

    def details(self, call: Call) -> Answer:
        """Who is invested in a model, and a row of sums."""
        model, numbers = self._model(call)
        free = {one: self._world.standing(one).cash - self._in_models(one) for one in model.invested}
        rows = [_detail(one, "", free[one], model.invested[one], model) for one in model.invested]
        total = _detail("TOTAL", "None", sum(free.values(), NOTHING), model.worth, model)
        body = {"accountInfoList": [*rows, total], "baseCcyMaster": BASE, "model": model.name}
        return answers.json_answer(body | {"reqID": numbers["reqID"]})

    def invested(self, call: Call) -> Answer:
        """What each account has in a model, in others, and in none."""
        model, numbers = self._model(call)
        rows = []
        for account in self._world.sub_accounts:
            sums, here = self._world.standing(account), model.invested.get(account, NOTHING)
            rows.append(
                {
                    "account": account,
                    "accountModelNlv": _text(here),
                    "accountOtherModelsNlv": _text(self._in_models(account) - here),
                    "alias": "",
                    "baseCcyAccount": BASE,
                    "baseCcyAccountPrc": _PRICE,
                    "exrt": 1.0,
                    "indCashNlv": _text(sums.cash - self._in_models(account)),
                    "indPosNlv": _text(sums.holdings),
                    "nlv": _text(sums.net),
                }
            )
        body = {"accountList": rows, "baseCcyMaster": BASE, "baseCcyMasterPrc": _PRICE, "model": model.name}
        return answers.json_answer(body | numbers)

    def _in_models(self, account: str) -> Decimal:
        return sum((one.invested.get(account, NOTHING) for one in self._models.values()), NOTHING)

    # Changes.

    def save(self, call: Call) -> Answer:
        """Make a model, or give one other targets."""
        body = _object(call)
        name = body.get("model")
        targets, cash = body.get("positionTargets"), body.get("cashTargets")
        if not isinstance(name, str) or not name or not isinstance(targets, list):
            raise GroupError("model and positionTargets are required")
        made = Model(
            name=name,
            description=str(body.get("desc", "")),
            is_static=body.get("isStatic") is True,
            positions={int(_figure(one, "conid")): _figure(one, "target") for one in targets},
            cash={str(one.get("ccy", BASE)): _figure(one, "target") for one in cash or []},
        )
        before = self._models.get(name)
        if before is not None:
            made.invested, made.pending = before.invested, before.pending
        self._models[name] = made
        return answers.json_answer({"reqID": _numbers(call)["reqID"], "success": True})

    def invest(self, call: Call) -> Answer:
        """Ask for money to go into a model, or out of it; nothing moves before it is submitted."""
        model, numbers = self._model(call)
        rows = _object(call).get("accountList")
        if not isinstance(rows, list) or not rows:
            raise GroupError("accountList is required")
        wanted: dict[str, Decimal] = {}
        for row in rows:
            amount = _figure(row, "amount")
            if row.get("account") not in self._world.sub_accounts:
                raise GroupError(f"account {row.get('account')} is not valid")
            wanted[row["account"]] = amount
        model.pending |= wanted
        body = {"reqID": str(numbers["reqID"]), "subscriptionKey": "2", "subscriptionStatus": 0}
        return answers.json_answer(body)

    def transfer(self, call: Call) -> Answer:
        """Submit all that is on its way, in all models."""
        for model in self._models.values():
            model.transfer()
        return answers.json_answer({"reqID": _numbers(call)["reqID"], "success": True})

    def presets(self, call: Call) -> Answer:
        """How transfers are made."""
        return answers.json_answer(self._presets | _numbers(call))

    def preset(self, call: Call) -> Answer:
        """Change how transfers are made; what is unknown is ignored."""
        body = _object(call)
        known = {key: one for key, one in body.items() if type(one) is type(_PRESETS.get(key))}
        self._presets |= known
        return answers.json_answer({"error": "None", "success": True} | _numbers(call))


def _object(call: Call) -> dict[str, Any]:
    body = call.json()
    if not isinstance(body, dict):
        raise GroupError("the body is not valid")
    return body


def _numbers(call: Call) -> dict[str, int]:
    number_of = _object(call).get("reqID")
    if not isinstance(number_of, int):
        raise GroupError("reqID is required")
    return {"reqID": number_of, "subscriptionStatus": _SUBSCRIBED}


def _figure(row: Any, key: str) -> Decimal:
    try:
        return Decimal(str(row[key]))
    except (KeyError, TypeError, InvalidOperation):
        raise GroupError(f"{key} is required") from None


def _text(amount: Decimal) -> str:
    return quantity_text(cents(amount))


def _summary(model: Model) -> dict[str, Any]:
    return {
        "bootstrapped": True,
        "ci": False,
        "desc": model.description,
        "isStatic": model.is_static,
        "mismatch": False,
        "model": model.name,
        "nlv": _text(model.worth),
        "numAccounts": len(model.invested),
    }


def _detail(account: str, alias: str, free: Decimal, worth: Decimal, model: Model) -> dict[str, Any]:
    return {
        "account": account,
        "acctImbalance": "0",
        "alias": alias,
        "baseCcyAccount": BASE,
        "costBasis": "0",
        "exrt": 1.0,
        "indCash": _text(free),
        "nlv": _text(worth),
        "numInstrOutsideRange": 0 if alias else len(model.positions),
        "unrealPnL": "0",
    }
