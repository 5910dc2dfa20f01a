"""What each fault does to the call that it strikes.

There are three moments: before the body is read (nothing is processed, the connection suffers),
instead of the work or while it is done (an answer is given, the world changed or the endpoint
asked to twist), and after the work (the answer is spoiled or the connection suffers). What only
a socket can do is written on the answer as a :class:`~.door.WireFault`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import attrs

from ibkr_adapter.simulator import answers
from ibkr_adapter.simulator.door import Answer, HelloFault, HelloKind, WireFault, WireFaultKind
from ibkr_adapter.simulator.faults import Armed, Strike, land
from ibkr_adapter.simulator.login import Login
from ibkr_adapter.simulator.pacing import Meter
from ibkr_adapter.simulator.questions import Question, by_id
from ibkr_adapter.simulator.routes import Call
from ibkr_adapter.simulator.spoiling import EVIL, poison, spoil
from ibkr_adapter.simulator.world import World

_K = WireFaultKind
_WIRES: dict[tuple[str, str], tuple[WireFaultKind, float]] = {
    ("F01", "refuse"): (_K.REFUSE, 0.5),
    ("F02", "reset"): (_K.RESET_UNREAD, 0.0),
    ("F02", "close"): (_K.CLOSE_UNREAD, 0.0),
    ("F02", "half_open"): (_K.HALF_OPEN_UNREAD, 120.0),
    ("F03", "reset"): (_K.RESET_ANSWERED, 0.0),
    ("F03", "close"): (_K.CLOSE_ANSWERED, 0.0),
    ("F04", "silence"): (_K.SILENCE, 5.0),
    ("F04", "late"): (_K.LATE, 5.0),
    ("F04", "half_open"): (_K.HALF_OPEN, 120.0),
    ("F16", "truncate"): (_K.TRUNCATE, 0.0),
    ("F16", "cut_chunk"): (_K.CUT_CHUNK, 0.0),
    ("F16", "cut_unframed"): (_K.CUT_UNFRAMED, 0.0),
    ("F16", "broken_gzip"): (_K.BROKEN_GZIP, 0.0),
    ("F16", "not_gzip"): (_K.NOT_GZIP, 0.0),
    ("F16", "two_lengths"): (_K.TWO_LENGTHS, 0.0),
    ("F16", "garbage_chunk"): (_K.GARBAGE_CHUNK, 0.0),
    ("F16", "surplus"): (_K.SURPLUS, 0.0),
    ("F17", "trickle"): (_K.TRICKLE, 0.05),
    ("F17", "endless_headers"): (_K.ENDLESS_HEADERS, 0.05),
    ("F17", "endless_body"): (_K.ENDLESS_BODY, 0.05),
    ("F17", "half_body"): (_K.HALF_BODY, 120.0),
    ("F17", "early_hints"): (_K.EARLY_HINTS, 0.0),
    ("F17", "garbage_status"): (_K.GARBAGE_STATUS, 0.0),
    ("F17", "garbage_header"): (_K.GARBAGE_HEADER, 0.0),
    ("F24", "lost"): (_K.RESET_ANSWERED, 0.0),
    ("F36", "below_tls"): (_K.BELOW_TLS, 0.0),
}
_HANDSHAKE_SILENCE = 30.0
_RETRY_AFTER = 60.0
_SLOW_CANCEL = 60.0
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


def hello(armed: Armed) -> HelloFault:
    """What the fault does to a handshake."""
    return HelloFault(kind=HelloKind(armed.variant), seconds=armed.number("seconds", _HANDSHAKE_SILENCE))


@attrs.frozen(kw_only=True)
class Inflictor:
    """Do to one world what faults want."""

    world: World
    login: Login
    token_names: frozenset[str]
    meter: Meter
    wall: Callable[[], float]

    # Before the work.

    def before(self, strike: Strike, call: Call) -> Answer | None:
        """Answer instead of the endpoint, or prepare its twist and answer nothing."""
        armed = strike.armed
        call.twists |= {"strike": strike, "first_id": self.world.book.next_id}
        if _is_processed(armed):
            return None
        handler = _BEFORE.get(armed.fault)
        answer = handler(self, armed, call) if handler else None
        if answer is not None:
            strike.land()
        return answer

    def _unauthorised(self, _: Armed, __: Call) -> Answer:
        return self.login.unauthorised()

    def _taken(self, armed: Armed, call: Call) -> None:
        land(call.twists)
        seconds = armed.wishes.get("seconds")
        self.world.sessions.take_over(self.world.now, None if seconds is None else float(seconds))

    def _too_many(self, armed: Armed, _: Call) -> Answer:
        # No source shows the body or a header of a real 429.
        answer = answers.refusal("Too Many Requests", 429)
        after = armed.wishes.get("retry_after")
        if armed.variant == "date":
            until = self.world.wall() + timedelta(seconds=armed.number("retry_after", _RETRY_AFTER))
            after = format_datetime(until, usegmt=True)
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
        if armed.variant == "gone":
            return Answer(status=int(armed.number("status", 410)))
        status = int(armed.number("status", 400))
        return answers.fault(f"Bad Request: {text}", status)

    def _refused(self, armed: Armed, _: Call) -> Answer:
        if armed.variant == "success":
            return answers.json_answer({"success": False})
        return answers.refusal(str(armed.wishes.get("body", "No trading permissions.")))

    def _login_page(self, armed: Armed, _: Call) -> Answer:
        if armed.variant.startswith("redirect"):
            return _redirect("/sso/Login?forwardTo=22&RL=1&ip2loc=US", armed)
        return answers.page(answers.LOGIN_PAGE)

    def _downgrade(self, armed: Armed, call: Call) -> Answer | None:
        if armed.variant != "redirect":
            return None
        request = call.request
        query = f"?{request.raw_query}" if request.raw_query else ""
        return _redirect(f"http://{request.local or '127.0.0.1'}{request.path}{query}", armed)

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

    def _twist_order(self, armed: Armed, call: Call) -> Answer | None:
        if armed.variant == "refused":
            # Guess: no source prints the words; that an error may come with 200 is on record.
            text = (
                "Order cannot be cancelled" if call.request.method == "DELETE" else "Order cannot be modified"
            )
            return answers.refusal(str(armed.wishes.get("body", text)), int(armed.number("status", 200)))
        if armed.variant == "slow":
            call.twists["slow"] = armed.number("seconds", _SLOW_CANCEL)
        elif armed.variant != "lost":
            call.twists[armed.variant] = True
        return None

    def _lame_bracket(self, armed: Armed, call: Call) -> None:
        call.twists["bracket"] = armed

    def _false_orders(self, armed: Armed, _: Call) -> Answer:
        return answers.json_answer(_EMPTY_ORDERS | {"snapshot": armed.variant == "lie"})

    def _bare_snapshot(self, armed: Armed, call: Call) -> None:
        if armed.variant == "ids":
            call.twists["bare_rows"] = True

    def _no_history(self, armed: Armed, _: Call) -> Answer | None:
        return answers.refusal("No data.", 500) if armed.variant == "no_data" else None

    def _restart(self, _: Armed, call: Call) -> None:
        land(call.twists)
        self.world.sessions.restart(self.world.now)

    def _no_tokens(self, armed: Armed, call: Call) -> Answer | None:
        if armed.variant == "expired":
            if f"{call.request.method} {call.template}" in self.token_names:
                call.twists["expired"] = True  # the token that is handed out is dead already
            elif self.world.tokens.end_outer("expired", self.world.now):
                land(call.twists)
            return None
        if armed.variant == "refused":
            return self.login.refused(call)
        status = armed.wishes.get("status")
        return self.login.down(call, None if status is None else int(status))

    def _other_address(self, armed: Armed, call: Call) -> Answer | None:
        if armed.variant == "moved":
            # No other login looks at where its calls come from.
            if self.world.auth == "oauth2":
                land(call.twists)
                self.world.options.public_ip = str(armed.wishes.get("body", _ELSEWHERE))
            return None
        return answers.other_address()

    # After the work.

    def after(self, strike: Strike, call: Call, answer: Answer) -> Answer:
        """Spoil the answer, or note what the connection shall suffer."""
        armed = strike.armed
        handler = _AFTER.get(armed.fault)
        spoiled = handler(self, armed, call, answer) if handler else answer
        spoiled = attrs.evolve(spoiled, wire=spoiled.wire or wire(armed))
        if spoiled != answer:
            strike.land()
        return spoiled

    def _too_late(self, armed: Armed, call: Call, answer: Answer) -> Answer:
        """Do as if the login were gone, although the work was done."""
        if not _is_processed(armed):
            return answer
        return self._login_page(armed, call) if armed.fault == "F14" else self.login.unauthorised()

    def _fill_unseen(self, _: Armed, call: Call, answer: Answer) -> Answer:
        """Fill what the call has just entered, leave it out of live orders, and lose the answer."""
        book = self.world.book
        fresh = [one for one in book.live() if one.order_id >= call.twists["first_id"]]
        for order in fresh:
            if order.parent_id is None:
                order.hidden = True
                book.force(order, self.world.now)
        lost = WireFault(kind=_K.RESET_ANSWERED)
        return attrs.evolve(answer, wire=lost) if fresh else answer

    def _server_error(self, armed: Armed, _: Call, __: Answer) -> Answer:
        return _server_error(armed, int(armed.number("status", 500)))

    def _registered(self, _: Armed, call: Call, answer: Answer) -> Answer:
        book = self.world.book
        fresh = [one for key, one in book.orders.items() if key >= call.twists["first_id"]]
        if not fresh:
            return answer
        coid = next((one.ticket.coid for one in fresh if one.ticket.coid is not None), "")
        text = f"Order couldn't be submitted: Local order ID={coid} is already registered."
        return answers.refusal(text, self.world.options.duplicate_status)

    def _poisoned(self, armed: Armed, _: Call, answer: Answer) -> Answer:
        evil = str(armed.wishes.get("body", EVIL[armed.variant]))
        return attrs.evolve(answer, body=poison(answer.body, evil))

    def _malformed(self, armed: Armed, _: Call, answer: Answer) -> Answer:
        return attrs.evolve(answer, body=spoil(answer.body, armed.variant))

    def _flipped(self, armed: Armed, _: Call, answer: Answer) -> Answer:
        if armed.variant != "types":
            return answer
        return attrs.evolve(answer, body=spoil(answer.body, "types"))

    def _short_history(self, armed: Armed, _: Call, answer: Answer) -> Answer:
        body = json.loads(answer.body or b"{}")
        bars = body.get("data")
        if not bars or armed.variant == "no_data":
            return answer
        half = len(bars) // 2
        body["data"] = bars[half:] if armed.variant == "partial" else bars[:half]
        return attrs.evolve(answer, body=json.dumps(body).encode())


def _is_processed(armed: Armed) -> bool:
    return armed.variant in {"processed", "redirect_processed"}


def _redirect(target: str, armed: Armed) -> Answer:
    answer = answers.page("<html><body>Moved</body></html>", int(armed.number("status", 302)))
    return attrs.evolve(answer, headers=(*answer.headers, ("Location", target)))


def _server_error(armed: Armed, status: int) -> Answer:
    if armed.variant == "html":
        return answers.page(_MAINTENANCE_PAGE, status)
    if armed.variant == "empty":
        return Answer(status=status)
    if armed.variant == "refused":
        return answers.fault(answers.BACK_END_DOWN, status)
    return answers.unavailable(status)


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
    "F36": Inflictor._downgrade,  # noqa: SLF001 - the table of this class
    "F37": Inflictor._other_address,  # noqa: SLF001 - the table of this class
}
_AFTER: dict[str, _After] = {
    "F05": Inflictor._too_late,  # noqa: SLF001 - the table of this class
    "F11": Inflictor._server_error,  # noqa: SLF001 - the table of this class
    "F14": Inflictor._too_late,  # noqa: SLF001 - the table of this class
    "F15": Inflictor._malformed,  # noqa: SLF001 - the table of this class
    "F20": Inflictor._registered,  # noqa: SLF001 - the table of this class
    "F23": Inflictor._fill_unseen,  # noqa: SLF001 - the table of this class
    "F27": Inflictor._flipped,  # noqa: SLF001 - the table of this class
    "F28": Inflictor._short_history,  # noqa: SLF001 - the table of this class
    "F41": Inflictor._poisoned,  # noqa: SLF001 - the table of this class
}
