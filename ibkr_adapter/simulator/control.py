"""The control room: how a test or a demonstration moves the simulated world.

JSON in, JSON out, beside the API on the same port. It knows the words of the requests and turns
bad ones down with a sentence; the doing is the gateway's. What can be asked for at once can also
be asked for at the next call of an endpoint (``/simulator/triggers``), which is how a fill is
made to fall between two requests of a client.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import attrs

from ibkr_adapter.simulator import answers
from ibkr_adapter.simulator.door import Answer, Request
from ibkr_adapter.simulator.refusals import RefusalError
from ibkr_adapter.simulator.stream_control import StreamRoom
from ibkr_adapter.simulator.tickets import decode

if TYPE_CHECKING:
    from ibkr_adapter.simulator.gateway import Gateway

log = logging.getLogger(__name__)

Action = Callable[[dict[str, Any]], Any]

# Of larger figures no exact sum can be told; larger times are beyond any calendar.
_LARGEST = 10**15
_LONGEST = 10**9


class WishError(ValueError):
    """A control room request that makes no sense; the message says why."""


@attrs.define(kw_only=True, eq=False)
class Trigger:
    """Something to be done when an endpoint is called."""

    on: str
    after: bool
    times: int
    action: str
    body: dict[str, Any]


class ControlRoom:
    """Serve ``/simulator/*`` for one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.triggers: list[Trigger] = []
        self.streams = StreamRoom(gateway)
        self._actions: dict[str, Action] = {
            "price": self._price,
            "advance": self._advance,
            "options": self._options,
            "orders": self._orders,
            "fill": self._fill,
            "positions": self._positions,
            "session": self._session,
            "streams": self.streams.act,
        }

    def serve(self, request: Request) -> Answer:
        """Answer one request to the control room."""
        name = request.path.removeprefix("/simulator/").strip("/")
        try:
            body = decode(request.body)
            if not isinstance(body, dict):
                raise WishError("the body is a JSON object")
            return answers.json_answer(self._serve(request.method, name, body))
        except RefusalError as refused:  # in the broker's own words, which are JSON already
            return attrs.evolve(refused.answer, status=400)
        except ValueError as problem:
            return answers.refusal(str(problem), 400)
        except LookupError as problem:
            return answers.refusal(str(problem).strip("'"), 404)

    def _serve(self, method: str, name: str, body: dict[str, Any]) -> Any:
        gateway = self._gateway
        if method == "GET" and name == "ledger":
            return gateway.ledger()
        if method == "GET" and name == "options":
            return gateway.world.options.as_json()
        if method == "GET" and name == "streams":
            return self.streams.tell()
        if name == "faults" and method in {"POST", "DELETE"}:
            return self._faults(method, body)
        if name == "triggers" and method in {"POST", "DELETE"}:
            return self._triggers(method, body)
        actions = self._actions | {"reset": self._reset, "authorize": self._authorise}
        if method == "POST" and name in actions:
            return actions[name](body)
        raise LookupError(f"the control room has no {method} {name}")

    def _reset(self, body: dict[str, Any]) -> Any:
        wishes = _only(body, "seed", "options")
        seed, options = wishes.get("seed"), wishes.get("options")
        if not isinstance(options, dict | None):
            raise WishError("options is a JSON object")
        self._gateway.reset(None if seed is None else int(_figure(wishes, "seed")), options)
        return {"reset": True, "account": self._gateway.account}

    def _authorise(self, body: dict[str, Any]) -> Any:
        """Agree, as the user, to what a third party asks for."""
        token = str(_only(body, "oauth_token").get("oauth_token", ""))
        return {"oauth_verifier": self._gateway.authorise(token)}

    def run_triggers(self, name: str, *, after: bool) -> None:
        """Do what waits for this call; what cannot be done is told by the log."""
        for trigger in list(self.triggers):
            if trigger.on == name and trigger.after is after and trigger.times > 0:
                trigger.times -= 1
                try:
                    self._actions[trigger.action](dict(trigger.body))
                except (ValueError, LookupError, RefusalError) as problem:
                    # The call that it hangs on is a client's, who has not asked for it.
                    log.warning("the trigger on %s could not %s: %s", name, trigger.action, problem)

    def _faults(self, method: str, body: dict[str, Any]) -> Any:
        if method == "DELETE":
            return {"cleared": self._gateway.faults.clear()}
        return self._gateway.arm(body).as_json()

    def _triggers(self, method: str, body: dict[str, Any]) -> Any:
        if method == "DELETE":
            self.triggers.clear()
            return {"cleared": True}
        action = next((one for one in self._actions if one in body), None)
        wishes = _only(body, "on", "when", "times", *self._actions)
        if action is None or not isinstance(wishes[action], dict):
            raise WishError(f"a trigger holds one of {', '.join(self._actions)}")
        times = wishes.get("times", 1)
        if isinstance(times, bool) or not isinstance(times, int) or times < 1:
            raise WishError("times is a whole number from 1")
        if not self._gateway.routes.knows(str(wishes.get("on"))):
            raise WishError(f"there is no endpoint {wishes.get('on')}")
        trigger = Trigger(
            on=wishes["on"],
            after=wishes.get("when", "before") == "after",
            times=times,
            action=action,
            body=wishes[action],
        )
        self.triggers.append(trigger)
        return {"on": trigger.on, "action": action, "times": trigger.times}

    def _price(self, body: dict[str, Any]) -> Any:
        wishes = _only(body, "conid", "last", "bid", "ask", "walk")
        last = _figure(wishes, "last")
        self._gateway.set_price(
            int(_figure(wishes, "conid")),
            last,
            walk=bool(wishes.get("walk", False)),
            bid=_figure(wishes, "bid") if "bid" in wishes else None,
            ask=_figure(wishes, "ask") if "ask" in wishes else None,
        )
        return {"conid": int(wishes["conid"]), "last": float(last)}

    def _advance(self, body: dict[str, Any]) -> Any:
        seconds = float(_figure(_only(body, "seconds"), "seconds"))
        if not 0 <= seconds <= _LONGEST:
            raise WishError("time does not go back, nor ahead by more than thirty years")
        return {"now": self._gateway.advance(seconds).isoformat()}

    def _options(self, body: dict[str, Any]) -> Any:
        self._gateway.set_options(body)
        return self._gateway.world.options.as_json()

    def _orders(self, body: dict[str, Any]) -> Any:
        """Enter an order of somebody else: by hand in TWS, say; no questions."""
        return {"order_ids": self._gateway.place_foreign(body)}

    def _fill(self, body: dict[str, Any]) -> Any:
        wishes = _only(body, "order_id", "coid", "quantity")
        reference = str(wishes.get("order_id", wishes.get("coid", "")))
        size = _figure(wishes, "quantity") if "quantity" in wishes else None
        self._gateway.fill(reference, size)
        return {"filled": reference}

    def _positions(self, body: dict[str, Any]) -> Any:
        wishes = _only(body, "account", "conid", "quantity", "price")
        price = _figure(wishes, "price") if "price" in wishes else None
        conid, quantity = int(_figure(wishes, "conid")), _figure(wishes, "quantity")
        account = wishes.get("account")
        if not isinstance(account, str | None):
            raise WishError("account is an account's id")
        self._gateway.seed_position(conid, quantity, price=price, account=account)
        return {"conid": conid, "quantity": float(quantity)}

    def _session(self, body: dict[str, Any]) -> Any:
        wishes = _only(body, "action", "seconds")
        seconds = float(_figure(wishes, "seconds")) if "seconds" in wishes else None
        self._gateway.change_session(str(wishes.get("action", "")), seconds)
        return self._gateway.world.sessions.as_json()[0]


def _only(body: dict[str, Any], *known: str) -> dict[str, Any]:
    unknown = sorted(body.keys() - set(known))
    if unknown:
        raise WishError(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
    return body


def _figure(body: dict[str, Any], key: str) -> Decimal:
    value = body.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise WishError(f"{key} is a number")
    figure = Decimal(str(value))
    if abs(figure) > _LARGEST:
        raise WishError(f"{key} is too large")
    return figure
