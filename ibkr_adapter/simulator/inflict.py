"""What each fault does to the call that it strikes.

There are three moments: before the body is read (nothing is processed, the connection suffers),
instead of the work or while it is done (an answer is given, the world changed or the endpoint
asked to twist), and after the work (the answer is spoiled or the connection suffers). What only
a socket can do is written on the answer as a :class:`~.door.WireFault`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import attrs

from ibkr_adapter.simulator import answers
from ibkr_adapter.simulator.door import Answer, WireFault, WireFaultKind
from ibkr_adapter.simulator.faults import Armed
from ibkr_adapter.simulator.login import Login
from ibkr_adapter.simulator.pacing import Meter
from ibkr_adapter.simulator.questions import Question, by_id
from ibkr_adapter.simulator.refusals import RefusalError
from ibkr_adapter.simulator.routes import Call
from ibkr_adapter.simulator.world import World

_WIRES: dict[tuple[str, str], tuple[WireFaultKind, float]] = {
    ("F01", "refuse"): (WireFaultKind.REFUSE, 0.5),
    ("F02", "reset"): (WireFaultKind.RESET_UNREAD, 0.0),
    ("F03", "reset"): (WireFaultKind.RESET_ANSWERED, 0.0),
    ("F03", "close"): (WireFaultKind.CLOSE_ANSWERED, 0.0),
    ("F04", "silence"): (WireFaultKind.SILENCE, 5.0),
    ("F16", "truncate"): (WireFaultKind.TRUNCATE, 0.0),
    ("F16", "cut_chunk"): (WireFaultKind.CUT_CHUNK, 0.0),
    ("F16", "cut_unframed"): (WireFaultKind.CUT_UNFRAMED, 0.0),
    ("F16", "broken_gzip"): (WireFaultKind.BROKEN_GZIP, 0.0),
    ("F17", "trickle"): (WireFaultKind.TRICKLE, 0.05),
    ("F17", "endless_headers"): (WireFaultKind.ENDLESS_HEADERS, 0.05),
    ("F17", "early_hints"): (WireFaultKind.EARLY_HINTS, 0.0),
    ("F17", "garbage_status"): (WireFaultKind.GARBAGE_STATUS, 0.0),
    ("F23", "filled"): (WireFaultKind.RESET_ANSWERED, 0.0),
    ("F24", "lost"): (WireFaultKind.RESET_ANSWERED, 0.0),
}
_MAINTENANCE_PAGE = "<html><body><h1>Service temporarily unavailable</h1></body></html>"
_DEAD = {"reply_400": "400", "reply_503": "503", "reply_503_live": "503-but-live"}
_NO_CHAIN = ("o354", "o163", "o10336", "o403", "o382")
_ELSEWHERE = "198.51.100.77"
_EMPTY_ORDERS: dict[str, Any] = {"orders": [], "snapshot": False}


def wire(armed: Armed) -> WireFault | None:
    """What the fault does to the connection, if anything."""
    found = _WIRES.get((armed.fault, armed.variant))
    if found is None:
        return None
    return WireFault(kind=found[0], seconds=armed.number("seconds", found[1]))


@attrs.frozen(kw_only=True)
class Inflictor:
    """Do to one world what faults want."""

    world: World
    login: Login
    token_names: frozenset[str]
    meter: Meter
    wall: Callable[[], float]

    # Before the work.

    def before(self, armed: Armed, call: Call) -> Answer | None:
        """Answer instead of the endpoint, or prepare its twist and answer nothing."""
        if armed.variant == "processed":
            return None
        handler = _BEFORE.get(armed.fault)
        call.twists["first_id"] = self.world.book.next_id
        return handler(self, armed, call) if handler else None

    def _unauthorised(self, _: Armed, __: Call) -> Answer:
        return self.login.unauthorised()

    def _taken(self, armed: Armed, _: Call) -> None:
        seconds = armed.wishes.get("seconds")
        self.world.sessions.take_over(self.world.now, None if seconds is None else float(seconds))

    def _too_many(self, armed: Armed, _: Call) -> Answer:
        # No source shows the body or a header of a real 429.
        answer = answers.refusal("Too Many Requests", 429)
        after = armed.wishes.get("retry_after")
        if after is None:
            return answer
        return attrs.evolve(answer, headers=(*answer.headers, ("Retry-After", str(after))))

    def _box(self, armed: Armed, call: Call) -> Answer:
        self.meter.punish(self.wall(), armed.number("seconds", self.world.options.penalty_seconds))
        return self._too_many(armed, call)

    def _maintenance(self, armed: Armed, _: Call) -> Answer:
        return _server_error(armed, int(armed.number("status", 503)))

    def _not_ready(self, armed: Armed, _: Call) -> Answer:
        sessions = self.world.sessions
        if armed.variant == "accounts":
            if sessions.brokerage is not None:
                sessions.brokerage.accounts_queried = False
            text = "Please query /accounts first"
        else:
            sessions.drop("the bridge went", self.world.now)
            text = "no bridge"
        status = int(armed.number("status", 400))
        return answers.fault(f"Bad Request: {text}", status)

    def _refused(self, armed: Armed, _: Call) -> Answer:
        if armed.variant == "success":
            return answers.json_answer({"success": False})
        return answers.refusal(str(armed.wishes.get("body", "No trading permissions.")))

    def _login_page(self, _: Armed, __: Call) -> Answer:
        return answers.page(answers.LOGIN_PAGE)

    def _questions(self, armed: Armed, call: Call) -> None:
        if armed.variant in _DEAD:
            call.twists["dead_reply"] = _DEAD[armed.variant]
            return
        count = int(armed.number("count", 3))
        rounds = [[by_id(_NO_CHAIN[one % len(_NO_CHAIN)])] for one in range(count)]
        if armed.variant == "unknown":
            text = str(armed.wishes.get("body", "<h4>Unheard of</h4>Do you accept clause 17?"))
            rounds = [[Question(message_id="o99999", text=text)]]
        elif armed.variant == "twice":
            rounds = [[by_id("o354")], [by_id("o354")]]
        call.twists["rounds"] = rounds

    def _strict(self, _: Armed, call: Call) -> None:
        call.twists["strict"] = True

    def _twist_order(self, armed: Armed, call: Call) -> None:
        if armed.variant in {"crosses", "incarnations"}:
            call.twists[armed.variant] = True

    def _lame_bracket(self, armed: Armed, call: Call) -> None:
        call.twists["refuse_child"] = int(armed.number("leg", -1))
        call.twists["variant"] = armed.variant

    def _false_orders(self, armed: Armed, _: Call) -> Answer:
        return answers.json_answer(_EMPTY_ORDERS | {"snapshot": armed.variant == "lie"})

    def _bare_snapshot(self, armed: Armed, call: Call) -> None:
        if armed.variant == "ids":
            call.twists["bare_rows"] = True

    def _no_history(self, armed: Armed, _: Call) -> Answer | None:
        return answers.refusal("No data.", 500) if armed.variant == "no_data" else None

    def _restart(self, _: Armed, __: Call) -> None:
        self.world.sessions.restart(self.world.now)

    def _no_tokens(self, armed: Armed, call: Call) -> Answer | None:
        if armed.variant == "expired":
            if f"{call.request.method} {call.template}" in self.token_names:
                call.twists["expired"] = True  # the token that is handed out is dead already
            else:
                self.world.tokens.end_outer("expired", self.world.now)
            return None
        if armed.variant == "refused":
            return self.login.refused(call)
        status = armed.wishes.get("status")
        return self.login.down(call, None if status is None else int(status))

    def _other_address(self, armed: Armed, _: Call) -> Answer | None:
        if armed.variant == "moved":
            self.world.options.public_ip = str(armed.wishes.get("body", _ELSEWHERE))
            return None
        return answers.other_address()

    # After the work.

    def after(self, armed: Armed, call: Call, answer: Answer) -> Answer:
        """Spoil the answer, or note what the connection shall suffer."""
        if armed.variant == "processed":
            return self.login.unauthorised() if armed.fault == "F05" else answers.page(answers.LOGIN_PAGE)
        if armed.fault == "F23":
            self._fill_unseen(call)
        handler = _AFTER.get(armed.fault)
        spoiled = handler(self, armed, call, answer) if handler else answer
        return attrs.evolve(spoiled, wire=wire(armed))

    def _fill_unseen(self, call: Call) -> None:
        """Fill what the call has just entered, and leave it out of live orders."""
        book = self.world.book
        for order in book.live():
            if order.order_id >= call.twists["first_id"] and order.parent_id is None:
                order.hidden = True
                book.force(order, self.world.now)

    def _server_error(self, armed: Armed, _: Call, __: Answer) -> Answer:
        return _server_error(armed, int(armed.number("status", 500)))

    def _registered(self, _: Armed, call: Call, answer: Answer) -> Answer:
        try:
            tickets = call.json()["orders"]
        except (RefusalError, KeyError, TypeError):
            return answer
        coid = next((one["cOID"] for one in tickets if "cOID" in one), "")
        text = f"Order couldn't be submitted: Local order ID={coid} is already registered."
        return answers.refusal(text, self.world.options.duplicate_status)

    def _malformed(self, armed: Armed, _: Call, answer: Answer) -> Answer:
        return attrs.evolve(answer, body=spoil(answer.body, armed.variant))

    def _flipped(self, armed: Armed, _: Call, answer: Answer) -> Answer:
        if armed.variant != "types":
            return answer
        return attrs.evolve(answer, body=spoil(answer.body, "types"))

    def _short_history(self, armed: Armed, _: Call, answer: Answer) -> Answer:
        body = json.loads(answer.body)
        bars = body.get("data")
        if not bars or armed.variant == "no_data":
            return answer
        half = len(bars) // 2
        body["data"] = bars[half:] if armed.variant == "partial" else bars[:half]
        return attrs.evolve(answer, body=json.dumps(body).encode())


def _server_error(armed: Armed, status: int) -> Answer:
    if armed.variant == "html":
        return answers.page(_MAINTENANCE_PAGE, status)
    if armed.variant == "empty":
        return Answer(status=status)
    return answers.unavailable(status)


def spoil(body: bytes, how: str) -> bytes:
    """Make an answer wrong in one way; the same body is spoiled the same way each time."""
    if how == "empty":
        return b""
    if how == "json":
        return body[: max(1, len(body) // 2)] + b"}{"
    try:
        value = json.loads(body)
    except ValueError:
        return body + b"<"
    chance = random.Random(len(body))  # noqa: S311 - repeatable damage, not a secret
    return json.dumps(_spoiled(value, how, chance)).encode()


def _spoiled(value: Any, how: str, chance: random.Random) -> Any:
    if isinstance(value, list):
        return [_spoiled(one, how, chance) for one in value]
    if isinstance(value, dict):
        kept = {
            key: _spoiled(one, how, chance)
            for key, one in value.items()
            if how != "missing" or chance.random() < 0.5  # noqa: PLR2004 - an even chance
        }
        return kept | ({"unheardOf": {"of": [1, None]}} if how == "extra" else {})
    return _leaf(value, how)


def _leaf(value: Any, how: str) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if how == "null":
        return None
    if how == "nan" and is_number:
        return float("nan")
    if how == "prefix" and isinstance(value, str) and value.replace(".", "").isdigit():
        return f"C{value}"
    if how == "types":
        return str(value) if is_number else [value]
    return value


_Before = Callable[[Inflictor, Armed, Call], Answer | None]
_After = Callable[[Inflictor, Armed, Call, Answer], Answer]
# The names are private to this room; the tables below are the only ones who call them.
_BEFORE: dict[str, _Before] = {
    "F05": Inflictor._unauthorised,  # noqa: SLF001 - the table of this class
    "F06": Inflictor._unauthorised,  # noqa: SLF001 - the table of this class
    "F07": Inflictor._taken,  # noqa: SLF001 - the table of this class
    "F08": Inflictor._too_many,  # noqa: SLF001 - the table of this class
    "F09": Inflictor._box,  # noqa: SLF001 - the table of this class
    "F10": Inflictor._maintenance,  # noqa: SLF001 - the table of this class
    "F12": Inflictor._not_ready,  # noqa: SLF001 - the table of this class
    "F13": Inflictor._refused,  # noqa: SLF001 - the table of this class
    "F14": Inflictor._login_page,  # noqa: SLF001 - the table of this class
    "F18": Inflictor._questions,  # noqa: SLF001 - the table of this class
    "F19": Inflictor._strict,  # noqa: SLF001 - the table of this class
    "F24": Inflictor._twist_order,  # noqa: SLF001 - the table of this class
    "F25": Inflictor._lame_bracket,  # noqa: SLF001 - the table of this class
    "F26": Inflictor._false_orders,  # noqa: SLF001 - the table of this class
    "F27": Inflictor._bare_snapshot,  # noqa: SLF001 - the table of this class
    "F28": Inflictor._no_history,  # noqa: SLF001 - the table of this class
    "F33": Inflictor._restart,  # noqa: SLF001 - the table of this class
    "F35": Inflictor._no_tokens,  # noqa: SLF001 - the table of this class
    "F37": Inflictor._other_address,  # noqa: SLF001 - the table of this class
}
_AFTER: dict[str, _After] = {
    "F11": Inflictor._server_error,  # noqa: SLF001 - the table of this class
    "F15": Inflictor._malformed,  # noqa: SLF001 - the table of this class
    "F20": Inflictor._registered,  # noqa: SLF001 - the table of this class
    "F27": Inflictor._flipped,  # noqa: SLF001 - the table of this class
    "F28": Inflictor._short_history,  # noqa: SLF001 - the table of this class
}
