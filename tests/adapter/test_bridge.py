"""The bridge without a transport: frames in, answers out, on the simulated broker."""

from __future__ import annotations

import inspect
import json
import threading

import attrs
import pytest
from bridged import BridgeError, Session, Talk
from worlds import URL, Doorway, World

from ibkr_adapter.clock import ManualClock
from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.host.bridge import keys as key_room
from ibkr_adapter.host.bridge import over_stdio
from ibkr_adapter.host.bridge import registry as registry_room
from ibkr_adapter.host.bridge.dispatcher import MOST_WAITING, Bridge
from ibkr_adapter.host.bridge.fills import PolledFills
from ibkr_adapter.host.bridge.frames import snake
from ibkr_adapter.host.bridge.lines import READERS, Job, Lines
from ibkr_adapter.host.bridge.methods import METHODS, Kind, line_of
from ibkr_adapter.host.executor import TradeExecutor
from ibkr_adapter.simulator.gateway import Gateway
from ibkr_adapter.state import Store

ORDERS = "POST /iserver/account/{accountId}/orders"
PLACING = "POST /iserver/account/DU1234567/orders"
SECRET = "canary-not-to-be-seen"


class Bridged:
    """A world with a bridge in it, and one client."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.clock: ManualClock = world.clock
        self._open: list[Bridge] = []
        self.talk = self.client()

    def bridge(self, **options) -> Bridge:
        made = Bridge(**{"version": "test", "doors": self.world.doors, "environ": {}, **options})
        self._open.append(made)
        return made

    def client(self, bridge: Bridge | None = None, **options) -> Talk:
        return Talk(bridge or self.bridge(), self.clock, **options)

    def session(self, talk: Talk | None = None, user: str | None = None, **settings) -> Session:
        config = {"baseUrl": URL, "stateDir": str(self.world._folder), **self.world.gateway.credentials}
        return Session(talk or self.talk, config | settings, user)

    def hold(self, on: str):
        """Keep the broker's answer to one request until the flag that this returns is up, and tell when it waits."""
        reached, go_on = self.clock.flag(), self.clock.flag()

        def wait():
            reached.set()
            go_on.wait()

        self.world.doorway.before[on] = wait
        return reached, go_on

    def close(self) -> None:
        self.world.doorway.before.clear()
        for bridge in self._open:
            bridge.close()


@pytest.fixture
def bridged(world):
    made = Bridged(world)
    yield made
    made.close()


@pytest.fixture
def session(bridged):
    return bridged.session()


# The handshake and the frames -----------------------------------------------------------------


def test_a_client_says_first_which_protocol_it_speaks(bridged):
    """A client of another version would read answers that mean something else."""
    talk = bridged.client(greeted=False)

    with pytest.raises(BridgeError, match=r"bridge\.hello first") as early:
        talk.ask("bridge.health")
    with pytest.raises(BridgeError, match="speaks protocol 1, not 2") as other:
        talk.ask("bridge.hello", protocol=2)
    hello = talk.ask("bridge.hello", protocol=1, client="test")

    assert (early.value.code, other.value.data["protocol"]) == (-32002, 1)
    assert (hello["protocol"], hello["version"], hello["methods"]["closePosition"]) == (1, "test", "change")
    assert talk.ask("bridge.health")["ok"] is True


@pytest.mark.parametrize(
    ("raw", "code", "number"),
    [
        (b"{", -32700, None),
        (b"\xff\xfe", -32700, None),
        (b"[" * 100_000, -32700, None),
        (b'{"jsonrpc":"2.0","id":1,"method":"bridge.health","params":{"x":NaN}}', -32700, None),
        (
            b'{"jsonrpc":"2.0","id":1,"method":"bridge.health","params":{"x":1e99999999999999999999}}',
            -32700,
            None,
        ),
        (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"bridge.health"}', -32700, None),
        (b"[]", -32600, None),
        (b"17", -32600, None),
        (b'{"jsonrpc":"2.0","id":{},"method":"bridge.health"}', -32600, None),
        (b'{"jsonrpc":"2.0","id":true,"method":"bridge.health"}', -32600, None),
        (b'{"jsonrpc":"2.0","id":"' + b"x" * 200 + b'","method":"bridge.health"}', -32600, None),
        (b'{"id":7,"method":"bridge.health"}', -32600, 7),
        (b'{"jsonrpc":"2.0","id":7}', -32600, 7),
        (b'{"jsonrpc":"2.0","id":7,"method":"bridge.health","params":[]}', -32600, 7),
        (b'{"jsonrpc":"2.0","method":"bridge.health"}', -32600, None),
        (b'{"jsonrpc":"2.0","id":7,"method":"os.system"}', -32601, 7),
        (
            b'{"jsonrpc":"2.0","id":7,"method":"bridge.health","params":{"secret":"canary-not-to-be-seen"}}',
            -32602,
            7,
        ),
    ],
)
def test_a_frame_that_is_no_call_is_answered_and_harms_nothing(bridged, raw, code, number):
    """A client with a mistake in it must learn of it, and of no value that may be secret."""
    bridged.talk.raw(raw)

    error = bridged.talk.answers.pop(number)["error"]
    assert error["code"] == code
    assert SECRET not in json.dumps(error)
    assert bridged.talk.ask("bridge.health")["ok"] is True


@pytest.mark.parametrize(
    ("method", "args", "said"),
    [
        ("noSuchMethod", [], "has no 'noSuchMethod'"),
        ("request", ["GET", "/iserver/accounts"], "has no 'request'"),
        ("getTicker", [], "getTicker needs symbol"),
        ("getTicker", [265598], "symbol of getTicker is a text"),
        ("getTicker", ["AAPL", 1], "takes 1 arguments at most"),
        ("getTicker", {"symbl": "AAPL"}, "has no argument 'symbl'"),
        ("getTicker", "AAPL", "args are a list or an object"),
        ("getAllOrders", [None, "5"], "limit of getAllOrders is a whole number"),
        ("getAllOrders", [None, True], "limit of getAllOrders is a whole number"),
        ("waitFor", [1, "soon"], "timeout of waitFor is a number of seconds"),
        ("cancelOrder", ["AAPL"], "cancelOrder needs orderId"),
        (
            "placeBracketOrder",
            ["AAPL", "BUY", "limit", 1, 160, 150],
            "Argument 6 of placeBracketOrder is an object",
        ),
        (
            "placeOtocoOrder",
            ["AAPL", "BUY", 1, "market", None, 170, 150, []],
            "options of placeOtocoOrder is",
        ),
    ],
)
def test_what_the_exchange_cannot_be_asked_is_refused_by_name(session, method, args, said):
    """A misspelt argument that is ignored is an order without its stop."""
    with pytest.raises(BridgeError, match=said):
        session.talk.ask("session.call", session=session.name, method=method, args=args, key="k")

    assert session.talk.ask("bridge.health")["sessions"][0]["running"] == 0


def test_every_method_is_one_of_the_exchanges_with_the_same_arguments():
    """The table is the only place where names are written twice."""
    for method in METHODS.values():
        target = (
            TradeExecutor.execute_webhook
            if method.name == "executeWebhook"
            else getattr(IBKRExchange, method.attribute)
        )
        parameters = dict(inspect.signature(target).parameters)
        del parameters["self"]
        assert (parameters.pop("coid", None) is not None) is (
            method.kind is Kind.ENTRY or method.name == "findOrder"
        )
        names = [snake(name) for name in (*method.params, *method.options)]
        assert set(names) - {"coid"} == set(parameters), method.name
        needed = {name for name, found in parameters.items() if found.default is inspect.Parameter.empty}
        assert {snake(name) for name in method.needed} - {"coid"} == needed - {"symbol"} | (
            {"symbol"} & needed if method.params[:1] == ("symbol",) and method.least else set()
        ), method.name


def test_every_method_of_the_exchange_can_be_called_or_is_left_out_on_purpose():
    """A method that is added to the exchange is not forgotten here."""
    left_out = {"request", "sizing", "host_symbol", "open", "close", "simulated", "from_env", "on_call"}
    public = {name for name, value in inspect.getmembers(IBKRExchange, callable) if not name.startswith("_")}

    assert public - left_out == {method.attribute for method in METHODS.values()} - {"execute_webhook"}


def test_numbers_are_read_exactly(session):
    """Three tenths as a binary fraction are not three tenths."""
    order = session.call("placeLimitOrder", "AAPL", "BUY", 1, 162.1, key="exact")

    assert (order["price"], order["quantity"]) == (162.1, 1)


# Sessions -------------------------------------------------------------------------------------


def test_parallel_first_calls_log_in_once(bridged, session):
    """A host's first two calls come at the same moment."""
    numbers = [
        session.send("getAvailableMargin"),
        session.send("getTicker", "AAPL"),
        session.send("getPositions"),
    ]

    margin, ticker, positions = (session.talk.answer(number) for number in numbers)

    assert (margin > 0, ticker["lastPrice"], positions) == (True, "165", [])
    assert bridged.world.count("POST /iserver/auth/ssodh/init") == 1


def test_equal_credentials_of_a_user_are_one_session_and_users_share_none(bridged):
    """Objects are made for every request, and no user may use another's."""
    first, again = bridged.session(user="a"), bridged.session(user="a")
    other, richer = bridged.session(user="b"), bridged.session(user="a", readDeadline=20)

    assert first.name == again.name
    assert len({first.name, other.name, richer.name}) == 3


def test_settings_come_from_the_environment_only_where_none_are_given(bridged):
    """A tenant's gaps must not be filled with the machine's own credentials."""
    environ = {"IBKR_ADAPTER_BASE_URL": URL, "IBKR_ADAPTER_STATE_DIR": str(bridged.world._folder)}
    talk = bridged.client(Bridge(version="test", doors=bridged.world.doors, environ=environ))

    own, given = Session(talk, None), Session(talk, {})
    sessions = {one.name: one for one in talk.bridge._registry.all()}

    assert sessions[own.name].settings.base_url == URL
    assert sessions[given.name].settings.base_url == "https://localhost:5000/v1/api"
    talk.bridge.close()


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"config": {"guardrials": {}}}, "guardrials is not a setting"),
        ({"config": 5}, "must be Settings or a mapping"),
        ({"config": {}, "user": 5}, "The user is a text"),
        ({"config": {}, "user": "half \ud83d"}, "The user is a text"),
        ({"config": {"accountId": "half \ud83d"}}, "accountId must be a text of whole characters"),
        ({"config": {}, "usr": "a"}, "has no parameter 'usr'"),
    ],
)
def test_a_session_that_makes_no_sense_is_not_opened(bridged, params, said):
    """A guardrail that is ignored is worse than none."""
    with pytest.raises(BridgeError, match=said):
        bridged.talk.ask("session.open", **params)

    assert bridged.talk.ask("bridge.health")["sessions"] == []


def row(bridged, **more):
    """A host's row of credentials; the address is nobody else's, because an account of a gateway is one user's."""
    extra = {"gatewayUrl": "http://127.0.0.1:5999/v1/api", "stateDir": str(bridged.world._folder)}
    return {
        "userId": 7,
        "exchange": "ibkr",
        "label": "mine",
        "apiKey": "",
        "accountId": "DU1234567",
        "environment": "sandbox",
        "extra": extra,
    } | more


def test_a_row_of_credentials_is_mapped_here_and_names_its_user(bridged):
    """So that a host in another language need not know what its columns mean for each login."""
    opening = {"credentials": row(bridged)}

    first, again = (bridged.talk.ask("session.open", **opening)["session"] for _ in range(2))
    other = bridged.talk.ask("session.open", credentials=row(bridged, userId="8"))["session"]
    found = bridged.talk.ask(
        "session.call", session=first, method="placeLimitOrder", args=["AAPL", "BUY", 1, 162], key="by-row"
    )

    assert (first == again, first == other, found["status"]) == (True, False, "open")
    users = {one["session"]: one["user"] for one in bridged.talk.ask("bridge.health")["sessions"]}
    assert users == {first: "7", other: "8"}
    with pytest.raises(BridgeError, match="account DU1234567 of this gateway is another user's"):
        bridged.talk.ask("session.call", session=other, method="getPositions")


@pytest.mark.parametrize(
    ("opening", "said"),
    [
        ({"credentials": {"accountId": None}}, "requires gatewayUrl and accountId; missing: accountId"),
        ({"credentials": {"apiKey": "what-for", "extra": None}}, "apiKey is not a setting"),
        ({"credentials": {}, "user": "8"}, "these credentials are another user's; nothing was sent"),
        (
            {"credentials": {"exchange": "alpaca"}},
            "these credentials are another exchange's; nothing was sent",
        ),
        ({"credentials": {"extra": {"guardrials": {}}}}, "guardrials is not a setting"),
        ({"credentials": {}, "config": {}}, "a config or credentials, not both"),
        ({"credentials": "a row"}, "The credentials are an object"),
    ],
)
def test_a_row_that_makes_no_sense_opens_nothing(bridged, opening, said):
    """In the host's words, and without what is in the row."""
    given = opening["credentials"]
    if isinstance(given, dict):
        opening = opening | {"credentials": row(bridged, **given)}

    with pytest.raises(BridgeError, match=said):
        bridged.talk.ask("session.open", **opening)

    assert bridged.talk.ask("bridge.health")["sessions"] == []


def test_a_session_that_is_not_there_is_refused_before_anything_is_done(bridged, session):
    """A client whose bridge was started anew opens its session again and repeats the call."""
    for params in ({}, {"session": "gone"}, {"session": 5}):
        with pytest.raises(BridgeError, match="open it again; nothing was done") as refused:
            bridged.talk.ask("session.call", method="getTicker", args=["AAPL"], **params)
        assert (refused.value.code, refused.value.data["repeatable"]) == (-32001, True)


def test_there_are_only_so_many_sessions(bridged, monkeypatch):
    """A host with more users opens more, and closes none: who was away for longest makes room, and comes back."""
    monkeypatch.setattr(registry_room, "MOST_SESSIONS", 3)
    first, second, third = (bridged.session(user=f"user {number}") for number in range(3))
    bridged.clock.sleep(1)
    first.call("getTicker", "AAPL")

    fourth = bridged.session(user="user 3")

    users = [one["user"] for one in bridged.talk.ask("bridge.health")["sessions"]]
    assert users == ["user 0", "user 2", "user 3"]
    with pytest.raises(BridgeError, match="open it again") as gone:
        second.call("getTicker", "AAPL")
    assert gone.value.type == "UNKNOWN_SESSION"
    back = bridged.session(user="user 1")
    assert len({back.name, second.name, third.name, fourth.name}) == 4


def test_a_session_at_work_or_watched_makes_no_room(bridged, monkeypatch):
    monkeypatch.setattr(registry_room, "MOST_SESSIONS", 2)
    talk = bridged.client(bridged.bridge(), pushes=True)
    watched, working = bridged.session(talk, "watched"), bridged.session(talk, "working")
    talk.ask("session.watch", session=watched.name)
    reached, go_on = bridged.hold(PLACING)
    order = working.send("placeMarketOrder", "AAPL", "BUY", 1, key="slow")
    reached.wait()

    with pytest.raises(BridgeError, match="2 sessions, and all are in use") as refused:
        bridged.session(talk, "one more")
    go_on.set()

    assert refused.value.type == "BUSY"
    assert talk.answer(order)["orderId"]
    assert bridged.session(talk, "one more").name


def test_an_idle_session_is_closed_and_its_user_stays_logged_in(bridged):
    """The next call of the same user costs a look at the session, not a login."""
    talk = bridged.client(bridged.bridge(idle_after=60))
    used, idle = bridged.session(talk, user="a"), bridged.session(talk, user="b")
    idle.call("getTicker", "AAPL")
    for _ in range(3):
        bridged.clock.sleep(30)
        used.call("getTicker", "AAPL")

    with pytest.raises(BridgeError, match="no such session"):
        idle.call("getTicker", "AAPL")

    assert [one["session"] for one in talk.ask("bridge.health")["sessions"]] == [used.name]
    assert bridged.world.count("POST /logout") == 0


def test_a_session_is_closed_when_asked_but_not_at_work(bridged, session):
    """What waits for an answer would lose it."""
    reached, go_on = bridged.hold("GET /iserver/accounts")
    number = session.send("getTicker", "AAPL")
    assert reached.wait(60)

    with pytest.raises(BridgeError, match="at work"):
        session.talk.ask("session.close", session=session.name)
    go_on.set()
    session.talk.answer(number)
    session.talk.until(lambda: not session.talk.ask("bridge.health")["sessions"][0]["running"])

    assert session.talk.ask("session.close", session=session.name) == {"closed": True}
    with pytest.raises(BridgeError, match="no such session"):
        session.call("getTicker", "AAPL")


@pytest.mark.parametrize("method", ["session.call", "session.watch"])
def test_whoever_has_the_answer_may_close_the_session_at_once(bridged, session, method):
    """A host that waits for its answers and then leaves must not be told that they are still at work."""
    talk, closing = session.talk, []
    send = talk.client._send

    def send_and_close(raw):
        talk.client._send = send
        send(raw)
        closing.append(talk.send("session.close", session=session.name))

    talk.client._send = send_and_close
    about = {"method": "getTicker", "args": ["AAPL"]} if method == "session.call" else {}
    number = talk.send(method, session=session.name, **about)
    talk.until(lambda: closing)

    assert talk.answer(number)
    assert talk.answer(closing[0]) == {"closed": True}


# Lines ----------------------------------------------------------------------------------------


def test_a_slow_login_holds_up_nobody_else(bridged):
    """Fifty calls of one user return while another's login hangs at another broker."""
    other = Doorway(Gateway(bridged.clock, options={}))
    reached, go_on = bridged.clock.flag(), bridged.clock.flag()
    other.before["GET /iserver/accounts"] = lambda: (reached.set(), go_on.wait())
    doors = attrs.evolve(
        bridged.world.doors,
        transport=lambda settings, _: other if ":5001" in settings.base_url else bridged.world.doorway,
    )
    talk = bridged.client(bridged.bridge(doors=doors))
    slow = bridged.session(talk, baseUrl=URL.replace("5000", "5001"))
    quick = bridged.session(talk)
    hung = [slow.send("getTicker", "AAPL") for _ in range(READERS + 2)]
    assert reached.wait(60)

    done = [quick.send("getPosition", "AAPL") for _ in range(50)]
    positions = [talk.answer(number) for number in done]

    assert positions == [None] * 50
    assert not any(number in talk.answers for number in hung)
    other.before.clear()
    go_on.set()
    # Held up together, they meet the broker together, which it does not always take.
    talk.until(lambda: all(number in talk.answers for number in hung))


def test_changes_of_a_symbol_go_in_order_and_a_cancel_overtakes(bridged, session):
    """An exit must not go before its entry; an order that takes long must not keep a cancel waiting."""
    waiting = session.call("placeLimitOrder", "MSFT", "BUY", 1, 298, key="first")
    reached, go_on = bridged.hold(PLACING)
    entry = session.send("placeLimitOrder", "NASDAQ:AAPL", "BUY", 1, 162, key="entry")
    stop = session.send("placeStopLoss", "aapl", "SELL", 1, 158, key="stop")
    assert reached.wait(60)
    before = session.talk.ask("bridge.health")["sessions"][0]

    cancel = session.send("cancelOrder", "MSFT", waiting["orderId"], key="cancel")
    both = session.talk.ask("bridge.health")["sessions"][0]
    del bridged.world.doorway.before[PLACING]
    go_on.set()

    assert (before["running"], before["waiting"]) == (1, 1)
    assert both["running"] == 2
    assert session.talk.answer(cancel)["status"] == "canceled"
    assert session.talk.answer(stop)["orderId"] > session.talk.answer(entry)["orderId"]


@pytest.mark.parametrize(
    ("payload", "line"),
    [
        ({"action": "buy", "symbol": "NASDAQ:AAPL"}, "AAPL"),
        ('{"action": "buy", "symbol": "aapl"}', "AAPL"),
        ('{"action": "buy", "symbol": ["AAPL"]}', ""),
        ("no webhook", ""),
        (5, ""),
    ],
)
def test_a_webhook_stands_in_the_line_of_its_symbol_also_as_a_text(payload, line):
    """As it was posted it would wait for those of all other symbols, and go beside an order for its own."""
    assert line_of(METHODS["executeWebhook"], {"payload": payload}) == line


def test_reads_never_keep_an_order_waiting(bridged, session):
    """However many dashboards read, an order finds a thread."""
    session.call("getTicker", "AAPL")
    bridged.clock.sleep(30)
    reached, go_on = bridged.hold("GET /portfolio/DU1234567/summary")
    reads = [session.send("getAvailableMargin") for _ in range(READERS + 5)]
    assert reached.wait(60)

    order = session.call("placeLimitOrder", "AAPL", "BUY", 1, 162, key="overtakes")
    busy = session.talk.ask("bridge.health")["sessions"][0]
    go_on.set()

    assert order["status"] == "open"
    assert (busy["running"], busy["waiting"]) == (READERS, 5)
    session.talk.until(lambda: all(number in session.talk.answers for number in reads))


def test_changes_never_keep_a_read_waiting(bridged):
    """Orders that look for lost answers must not leave a host without its positions."""
    lines, go_on, done = Lines(bridged.clock, "lines"), bridged.clock.flag(), bridged.clock.flag()
    for number in range(READERS):
        lines.submit(Job(work=go_on.wait, changes=True, line=str(number)))

    lines.submit(Job(work=done.set))

    assert done.wait(60)
    go_on.set()


def test_a_crowd_that_waits_is_refused_beyond_a_bound(bridged, session):
    """Memory is bounded, and the client is told that nothing was done."""
    reached, go_on = bridged.hold("GET /iserver/accounts")
    numbers = [session.send("getTicker", "AAPL") for _ in range(READERS + MOST_WAITING)]
    assert reached.wait(60)

    with pytest.raises(BridgeError, match="Too many calls wait") as refused:
        session.call("getTicker", "AAPL")

    assert refused.value.data["repeatable"] is True
    go_on.set()
    session.talk.answer(numbers[0])


# Keys -----------------------------------------------------------------------------------------


def test_a_change_needs_a_key_and_a_key_is_for_one_change(session):
    """Without one, a lost answer could not be told from an order that was never sent."""
    with pytest.raises(BridgeError, match="needs a key; nothing was done"):
        session.call("placeMarketOrder", "AAPL", "BUY", 1)
    with pytest.raises(BridgeError, match="cannot be a client order id"):
        session.call("placeMarketOrder", "AAPL", "BUY", 1, key="no blanks")
    session.call("placeMarketOrder", "AAPL", "BUY", 1, key="mine")

    with pytest.raises(BridgeError, match="used for another call") as refused:
        session.call("placeMarketOrder", "AAPL", "BUY", 2, key="mine")

    assert refused.value.type == "InvalidOrder"


WEBHOOK = {
    "exchange": "ibkr",
    "action": "buy",
    "symbol": "MSFT",
    "orderType": "limit",
    "price": 298,
    "quantity": 1,
    "stop_loss_price": 290,
}
CHANGES = {
    "placeMarketOrder": ["AAPL", "BUY", 2],
    "placeLimitOrder": ["AAPL", "BUY", "2", "162.00"],
    "placeStopOrder": ["AAPL", "BUY", 2, 168],
    "placeBracketOrder": ["AAPL", "BUY", "limit", 2, 162, {"takeProfitPrice": 170, "stopLossPrice": 158}],
    "placeOtocoOrder": ["AAPL", "BUY", 2, "limit", 162, 170, 158, {}],
    "placeComboOrder": [[{"symbol": "AAPL", "ratio": 1}, {"symbol": "MSFT", "ratio": -1}], "BUY", 1, -200],
    "placeStopLoss": ["AAPL", "SELL", 10, 150],
    "placeTakeProfit": ["AAPL", "SELL", 10, 180],
    "placeTrailingStop": ["AAPL", "SELL", 10, 5],
    "placeOcoOrder": ["AAPL", "SELL", 10, 180, 150],
    "closePosition": ["AAPL", "SELL", 4],
    "cancelAllOrders": ["AAPL"],
    "executeWebhook": [WEBHOOK],
}


def test_every_kind_of_change_has_a_case():
    """A method that is added is asked for twice, too."""
    assert set(CHANGES) == {
        name for name, method in METHODS.items() if method.kind in {Kind.ENTRY, Kind.CHANGE}
    }


@pytest.mark.parametrize("method", CHANGES)
def test_a_change_that_is_asked_for_again_is_answered_as_before_also_after_a_restart(
    bridged, session, method
):
    """Nothing is sent a second time, whoever lost the first answer."""
    session.call("placeMarketOrder", "AAPL", "BUY", 10, key="held")
    session.call("placeLimitOrder", "AAPL", "BUY", 1, 161, key="working")
    first = session.call(method, *CHANGES[method], key="once")
    sent = len(bridged.world.doorway.sent)

    again = session.call(method, *CHANGES[method], key="once")
    session.talk.bridge.close()
    restarted = bridged.session(bridged.client(), user=None)
    after = restarted.call(method, *CHANGES[method], key="once")

    assert first == again == after
    assert len(bridged.world.doorway.sent) == sent


def test_two_that_ask_under_one_key_at_the_same_moment_have_one_order(bridged, session):
    """Two requests of one host for one signal."""
    other = bridged.session(bridged.client(session.talk.bridge))
    reached, go_on = bridged.hold(PLACING)
    first = session.send("placeMarketOrder", "AAPL", "BUY", 1, key="one")
    assert reached.wait(60)
    second = other.send("placeMarketOrder", "AAPL", "BUY", 1, key="one")
    with pytest.raises(BridgeError, match="at work on another call"):
        other.call("placeMarketOrder", "AAPL", "BUY", 5, key="one")

    go_on.set()

    assert session.talk.answer(first) == other.talk.answer(second)
    assert len(bridged.world.orders()) == 1


def test_a_refusal_is_kept_and_what_sent_nothing_may_be_tried_again(bridged, session):
    """A refused order is refused for good; one that never left was not decided on."""
    bridged.world.arm("F13", on=ORDERS, times=1)
    with pytest.raises(BridgeError) as refused:
        session.call("placeMarketOrder", "AAPL", "BUY", 1, key="refused")
    sent = bridged.world.count(ORDERS)
    with pytest.raises(BridgeError) as again:
        session.call("placeMarketOrder", "AAPL", "BUY", 1, key="refused")
    with pytest.raises(BridgeError, match="nothing was sent"):
        session.call("placeStopLoss", "AAPL", "SELL", 1, 160, key="early")
    session.call("placeMarketOrder", "AAPL", "BUY", 1, key="entry")

    stop = session.call("placeStopLoss", "AAPL", "SELL", 1, 160, key="early")

    assert (refused.value.type, again.value.data) == ("OrderRejected", refused.value.data)
    assert bridged.world.count(ORDERS) == sent + 2
    assert stop["status"] == "open"


def test_a_lost_answer_is_resolved_under_its_key(bridged):
    """The order stands once, and the client hears of it when it asks again."""
    session = bridged.session(unknownDeadline=1)
    bridged.world.arm("F03", on=ORDERS, times=1)
    bridged.world.arm("F11", on="GET /iserver/account/orders", times=5)
    with pytest.raises(BridgeError) as lost:
        session.call("placeLimitOrder", "AAPL", "BUY", 1, 162, key="lost")

    found = bridged.session(bridged.client()).call("placeLimitOrder", "AAPL", "BUY", 1, 162, key="lost")

    assert (lost.value.type, lost.value.data["coid"]) == ("OrderOutcomeUnknown", "lost")
    assert [str(row["order_id"]) for row in bridged.world.orders()] == [found["orderId"]]
    assert bridged.world.count(ORDERS) == 1


def test_an_exit_of_which_nobody_knows_is_not_sent_again_and_its_own_id_is_told(bridged):
    """It may work already: whoever looks for it needs the id that it bears at the broker."""
    session = bridged.session(unknownDeadline=1)
    session.call("placeMarketOrder", "AAPL", "BUY", 2, key="held")
    bridged.clock.sleep(10)
    bridged.world.arm("F03", on=ORDERS, times=1)
    # Once it has been sent, nobody can see what became of it.
    bridged.world.doorway.after[PLACING] = lambda: bridged.world.arm(
        "F11", on="GET /iserver/account/orders", times=50
    )
    errors = []
    for talk in (session.talk, session.talk, bridged.client()):
        with pytest.raises(BridgeError) as unknown:
            bridged.session(talk, unknownDeadline=1).call("placeStopLoss", "AAPL", "SELL", 2, 160, key="stop")
        errors.append(unknown.value.data)

    assert (errors[0]["type"], errors[0]["coid"].startswith("ibka-")) == ("OrderOutcomeUnknown", True)
    assert errors[0] == errors[1] == errors[2]
    assert bridged.world.count(ORDERS) == 2


def dead_process(bridged, session, key, method, args):
    """What a process leaves that was killed in the middle of a call."""
    folder = bridged.world._folder
    left = key_room.Keys(
        bridged.clock, Store(folder, "bridge", steps=key_room.SCHEMA_STEPS, synchronous="FULL")
    )
    found = next(one for one in session.talk.bridge._registry.all() if one.name == session.name)
    left.begin(found.scope, key, key_room.asked(method, METHODS[method].arguments(args)))
    return left


def test_what_a_dead_process_left_is_looked_up_or_left_alone(bridged, session):
    """An entry is found by its client order id or sent; an exit may have been sent, so it is not."""
    session.call("placeMarketOrder", "AAPL", "BUY", 4, key="held")
    waiting = session.call("placeLimitOrder", "AAPL", "BUY", 1, 161, key="working")
    cancel = ["AAPL", waiting["orderId"]]
    for key, method, args in (
        ("entry", "placeLimitOrder", ["AAPL", "BUY", 1, 162]),
        ("part", "closePosition", ["AAPL", "SELL", 2]),
        ("cancel", "cancelOrder", cancel),
    ):
        dead_process(bridged, session, key, method, args).close()

    entry = session.call("placeLimitOrder", "AAPL", "BUY", 1, 162, key="entry")
    for _ in range(2):
        with pytest.raises(BridgeError, match="nobody knows how it ended; this call sent nothing") as unknown:
            session.call("closePosition", "AAPL", "SELL", 2, key="part")
    cancelled = session.call("cancelOrder", *cancel, key="cancel")

    assert (unknown.value.type, "coid" in unknown.value.data) == ("OrderOutcomeUnknown", False)
    assert (entry["status"], entry["clientOrderId"], cancelled["status"]) == ("open", "entry", "canceled")
    assert bridged.world.position() == 4


@pytest.mark.parametrize(
    ("args", "is_done"),
    [
        ([{"webhook_id": "w1"}], True),
        ([{"webhookId": "w1"}], True),
        ([{}, None, "w1"], True),
        ([{"webhook_id": None}], False),
        ([{"webhook_id": " "}], False),
        ([{}], False),
    ],
)
@pytest.mark.parametrize("as_text", [False, True])
def test_a_webhook_with_an_id_is_carried_out_once_whoever_died(bridged, session, args, is_done, as_text):
    """The executor's own book knows it, wherever the id stands."""
    payload = {"action": "buy", "symbol": "AAPL", "quantity": 1, **args[0]}
    args = [json.dumps(payload) if as_text else payload, *args[1:]]
    dead_process(bridged, session, "hook", "executeWebhook", args).close()

    if is_done:
        assert [session.call("executeWebhook", *args, key="hook")["action"] for _ in range(2)] == [
            "opened"
        ] * 2
    else:
        with pytest.raises(BridgeError, match="nobody knows how it ended"):
            session.call("executeWebhook", *args, key="hook")

    assert bridged.world.position() == is_done


def test_another_living_process_at_the_key_is_waited_for(bridged, session):
    """Two hosts that act on one signal with two bridges of their own."""
    other = dead_process(bridged, session, "shared", "placeMarketOrder", ["AAPL", "BUY", 1])

    with pytest.raises(BridgeError, match="another process") as refused:
        session.call("placeMarketOrder", "AAPL", "BUY", 1, key="shared")

    assert refused.value.data["repeatable"] is True
    assert bridged.world.orders() == []
    other.close()


def test_without_a_place_for_keys_no_order_goes_out_and_cancels_do(bridged, session, monkeypatch):
    """What cannot be written down could be done twice after a crash; a cancel can only reduce."""
    waiting = session.call("placeLimitOrder", "AAPL", "BUY", 1, 162, key="working")
    path = bridged.world._folder / "bridge.sqlite3"
    session.talk.bridge._registry.all()[0].keys._store.close()
    for beside in ("", "-wal", "-shm"):
        (path.parent / f"{path.name}{beside}").unlink(missing_ok=True)
    path.write_bytes(b"no database at all" * 100)

    with pytest.raises(BridgeError, match="keys of calls cannot be kept") as refused:
        session.call("placeLimitOrder", "AAPL", "BUY", 1, 163, key="new")
    cancelled = session.call("cancelOrder", "AAPL", waiting["orderId"], key="cancel")

    assert (refused.value.type, cancelled["status"]) == ("ConfigurationError", "canceled")
    assert len(bridged.world.orders()) == 1


def test_keys_are_forgotten_after_as_long_as_the_journal_keeps_its_entries(bridged, session):
    """The file does not grow for ever, and an old key is never new again too soon."""
    keys = session.talk.bridge._registry.all()[0].keys
    keys.begin("scope", "old", "hash")
    keys.end("scope", "old", {"result": 1})
    bridged.clock.sleep(13.9 * 86400)
    kept = keys.begin("scope", "old", "hash")
    bridged.clock.sleep(0.2 * 86400)

    assert kept.outcome == {"result": 1}
    assert keys.begin("scope", "old", "hash") is None


# Deadlines and cancelling ---------------------------------------------------------------------


def test_a_deadline_ends_what_waits_and_what_reads_and_never_a_change(bridged, session):
    """A change that is let go of would be asked for again under another key."""
    session.call("getTicker", "AAPL")
    reached, go_on = bridged.hold(PLACING)
    running = session.send("placeLimitOrder", "AAPL", "BUY", 1, 162, key="running", timeoutMs=1000)
    assert reached.wait(60)
    waiting = session.send("placeLimitOrder", "AAPL", "BUY", 1, 163, key="waiting", timeoutMs=1000)

    with pytest.raises(BridgeError, match="not done in time; nothing was sent") as dropped:
        session.talk.answer(waiting)
    with pytest.raises(BridgeError, match="ask again under the same key") as still:
        session.talk.answer(running)
    again = session.send("placeLimitOrder", "AAPL", "BUY", 1, 162, key="running")
    go_on.set()

    assert (dropped.value.code, still.value.code) == (-32003, -32007)
    assert session.talk.answer(again)["price"] == 162
    assert len(bridged.world.orders()) == 1


def test_a_read_that_takes_too_long_is_given_up(bridged, session):
    """The host has its own time limits, and its dashboards do not wait for ever."""
    reached, go_on = bridged.hold("GET /iserver/accounts")
    number = session.send("getTicker", "AAPL", timeoutMs=500)

    with pytest.raises(BridgeError) as late:
        session.talk.answer(number)

    assert (late.value.type, late.value.data["repeatable"], reached.is_set()) == ("DEADLINE", True, True)
    go_on.set()
    assert session.call("getTicker", "AAPL")["lastPrice"]


@pytest.mark.parametrize("wrong", [-1, 1.5, "1", True])
def test_a_time_is_a_whole_number_of_milliseconds(session, wrong):
    """Seconds that are taken for milliseconds end every call."""
    with pytest.raises(BridgeError, match="whole number of milliseconds"):
        session.call("getTicker", "AAPL", timeoutMs=wrong)


def test_cancelling_ends_what_waits_and_what_reads_and_never_a_change(bridged, session):
    """Nobody can call an order back that is on its way; that takes an order of its own."""
    session.call("getTicker", "AAPL")
    reached, go_on = bridged.hold(PLACING)
    running = session.send("placeLimitOrder", "AAPL", "BUY", 1, 162, key="running")
    assert reached.wait(60)
    waiting = session.send("placeLimitOrder", "AAPL", "BUY", 1, 163, key="waiting")

    outcomes = [
        session.talk.ask("call.cancel", id=number) for number in (running, waiting, waiting, "unknown", None)
    ]
    with pytest.raises(BridgeError, match="cancelled; nothing was sent"):
        session.talk.answer(waiting)
    go_on.set()

    assert [outcome["cancelled"] for outcome in outcomes] == [False, True, False, False, False]
    assert session.talk.answer(running)["status"] == "open"
    assert len(bridged.world.orders()) == 1


def test_an_id_that_waits_is_not_taken_a_second_time(bridged, session):
    """Two answers with one id could not be told apart."""
    reached, go_on = bridged.hold("GET /iserver/accounts")
    number = session.send("getTicker", "AAPL")
    assert reached.wait(60)
    session.talk.raw(json.dumps({"jsonrpc": "2.0", "id": number, "method": "bridge.health"}))

    error = session.talk.answers.pop(number)["error"]
    go_on.set()

    assert "waits for an answer" in error["message"]
    assert session.talk.answer(number)["lastPrice"]


# Fills ----------------------------------------------------------------------------------------


def test_fills_are_told_once_and_only_those_that_are_new(bridged):
    """A stop that fills in the night must not wait for somebody to ask."""
    talk = bridged.client(pushes=True)
    session = bridged.session(talk)
    session.call("placeMarketOrder", "AAPL", "BUY", 1, key="before")
    bridged.clock.sleep(10)
    watching = talk.ask("session.watch", session=session.name)

    session.call("placeMarketOrder", "AAPL", "BUY", 2, key="after")
    talk.until(lambda: talk.notices)
    bridged.clock.sleep(30)

    assert watching == {"watching": True, "last": 0, "fills": []}
    (notice,) = talk.notices
    told = notice["params"]
    assert (notice["method"], told["session"], told["number"], told["fill"]["quantity"]) == (
        "session.fill",
        session.name,
        1,
        2,
    )


def test_events_are_waited_for_and_read_from_any_number_on(bridged, session):
    """Over HTTP nobody can be told; whoever asks learns what it has not seen, and waits where there is none."""
    talk, name = session.talk, session.name
    talk.ask("session.watch", session=name)
    none = talk.ask("session.events", session=name, after=0, waitMs=100)
    waiting = talk.send("session.events", session=name, after=0, waitMs=60_000)

    session.call("placeMarketOrder", "AAPL", "BUY", 2, key="one")
    found = talk.answer(waiting)
    again = talk.ask("session.events", session=name)

    assert none == {"events": [], "last": 0, "missed": 0}
    assert [event["fill"]["symbol"] for event in found["events"]] == ["AAPL"]
    assert (found["last"], found["missed"], again) == (1, 0, found)


def test_a_client_that_was_away_is_told_what_filled_meanwhile(bridged, session):
    """It says which fill it knew last; a bridge that was started anew knows nothing of it."""
    talk = session.talk
    talk.ask("session.watch", session=session.name)
    session.call("placeMarketOrder", "AAPL", "BUY", 1, key="seen")
    seen = talk.ask("session.events", session=session.name, waitMs=60_000)["events"][0]["fill"]["id"]
    same = talk.ask("session.watch", session=session.name, known=seen)
    older = talk.ask("session.watch", session=session.name, known="of another day")
    bridged.clock.sleep(10)
    session.call("placeMarketOrder", "AAPL", "BUY", 5, key="missed")
    talk.bridge.close()

    restarted = bridged.session(bridged.client())
    bridged.clock.sleep(10)
    watching = restarted.talk.ask("session.watch", session=restarted.name, known=seen)
    told = restarted.talk.ask("session.events", session=restarted.name, after=watching["last"], waitMs=60_000)

    assert (same["last"], older["last"], watching["last"]) == (1, 0, 0)
    assert [event["fill"]["quantity"] for event in told["events"]] == [5]


def test_two_that_come_back_at_once_are_told_each_fill_once(bridged, session):
    """Several processes of a host lose the same bridge at the same moment."""
    session.call("placeMarketOrder", "AAPL", "BUY", 1, key="seen")
    bridged.clock.sleep(10)
    seen = session.call("getTradeHistory")[0]["id"]
    session.call("placeMarketOrder", "AAPL", "BUY", 5, key="missed")
    session.talk.bridge.close()
    bridged.clock.sleep(10)
    restarted = bridged.session(bridged.client())
    talk, name = restarted.talk, restarted.name

    reached, go_on = bridged.hold("GET /iserver/account/trades")
    first = talk.send("session.watch", session=name, known=seen)
    reached.wait()
    second = talk.send("session.watch", session=name, known=seen)
    go_on.set()

    assert [talk.answer(one)["last"] for one in (first, second)] == [0, 0]
    told = talk.ask("session.events", session=name)["events"]
    assert [event["fill"]["quantity"] for event in told] == [5]


@pytest.mark.parametrize("first_knows", [2, None])
def test_who_comes_later_and_knows_less_is_told_what_the_first_one_knew(bridged, session, first_knows):
    """The events begin where the first one wanted them, which is too late for it."""
    for quantity in (1, 2, 3):
        session.call("placeMarketOrder", "AAPL", "BUY", quantity, key=str(quantity))
        bridged.clock.sleep(10)
    ids = [fill["id"] for fill in reversed(session.call("getTradeHistory"))]
    session.talk.bridge.close()
    restarted = bridged.session(bridged.client())
    talk, name = restarted.talk, restarted.name

    known = None if first_knows is None else ids[first_knows - 1]
    first = talk.ask("session.watch", session=name, known=known)
    later, same = (talk.ask("session.watch", session=name, known=ids[number]) for number in (0, 1))
    told = [
        event["fill"]["quantity"] for event in talk.ask("session.events", session=name, waitMs=100)["events"]
    ]

    older = [2] if first_knows else [2, 3]
    assert [fill["quantity"] for fill in later["fills"]] == older
    assert [fill["quantity"] for fill in same["fills"]] == older[1:]
    assert (first["fills"], first["last"], later["last"]) == ([], 0, 0)
    assert older + told == [2, 3]


def test_a_slow_reader_is_told_how_many_events_it_missed(bridged, session):
    """A gap is seen, never silent."""
    found = session.talk.bridge._registry.all()[0]
    for number in range(1003):
        found._note({"id": str(number)})

    told = session.talk.ask("session.events", session=session.name, after=1)

    assert (told["missed"], told["events"][0]["number"], told["last"]) == (2, 4, 1003)


def test_fills_that_cannot_be_read_for_once_come_with_the_next_look(bridged, session, caplog):
    """The list goes back days, so nothing is lost."""
    talk = session.talk
    talk.ask("session.watch", session=session.name)
    session.call("placeMarketOrder", "AAPL", "BUY", 3, key="one")
    bridged.world.arm("F11", on="GET /iserver/account/trades", times=9)

    found = talk.ask("session.events", session=session.name, waitMs=300_000)

    assert [event["fill"]["quantity"] for event in found["events"]] == [3]
    assert "the fills could not be read" in caplog.text


def test_watching_ends_with_the_last_who_watches(bridged):
    """Each look is a request of the account's."""
    bridge = bridged.bridge()
    one, two = bridged.client(bridge, pushes=True), bridged.client(bridge, pushes=True)
    first, second = bridged.session(one), bridged.session(two)
    one.ask("session.watch", session=first.name)
    two.ask("session.watch", session=second.name)

    still = one.ask("session.unwatch", session=first.name)
    over = two.ask("session.unwatch", session=second.name)
    looked = bridged.world.count("GET /iserver/account/trades")
    bridged.clock.sleep(60)

    assert (still, over) == ({"watching": True}, {"watching": False})
    assert bridged.world.count("GET /iserver/account/trades") == looked


def test_a_watched_session_is_not_idle(bridged):
    """Whoever is told of fills has no reason to ask for anything."""
    talk = bridged.client(bridged.bridge(idle_after=60), pushes=True)
    session = bridged.session(talk)
    talk.ask("session.watch", session=session.name)

    bridged.clock.sleep(600)

    assert session.call("getPositions") == []


@pytest.mark.parametrize(
    ("method", "wrong"),
    [("session.events", {"after": -1}), ("session.events", {"after": "1"}), ("session.watch", {"known": 5})],
)
def test_events_are_asked_for_by_number_and_fills_by_id(session, method, wrong):
    """What makes no sense is refused by its name."""
    with pytest.raises(BridgeError, match=r"the last (event|fill) that is known"):
        session.talk.ask(method, session=session.name, **wrong)


def test_a_watch_that_cannot_begin_says_why(bridged, session):
    """Who believes to be told, and is not, waits for a stop that has long filled."""
    bridged.world.arm("F11", on="GET /iserver/account/trades", times=50)

    with pytest.raises(BridgeError) as refused:
        session.talk.ask("session.watch", session=session.name)

    assert refused.value.code == -32000


# The end --------------------------------------------------------------------------------------


def test_closing_brings_what_runs_to_its_end_and_sends_nothing_more(bridged, session):
    """An order that is left in the middle of its dialogue would be anybody's guess."""
    reached, go_on = bridged.hold(PLACING)
    running = session.send("placeLimitOrder", "AAPL", "BUY", 1, 162, key="running")
    assert reached.wait(60)
    waiting = session.send("placeLimitOrder", "AAPL", "BUY", 1, 163, key="waiting")
    closing = threading.Thread(target=session.talk.bridge.close, name="closing")
    bridged.clock.expect(closing)
    closing.start()
    with pytest.raises(BridgeError, match="closing; nothing was sent"):
        session.talk.answer(waiting)
    with pytest.raises(BridgeError, match="closing"):
        session.call("getTicker", "AAPL")

    go_on.set()
    order = session.talk.answer(running)
    with bridged.clock.aside():
        closing.join()

    assert order["status"] == "open"
    assert len(bridged.world.orders()) == 1


def test_a_client_that_is_gone_stops_nothing_that_runs(bridged, session):
    """What its host died in the middle of is found under its key by the next one."""
    other = bridged.session(bridged.client(session.talk.bridge))
    reached, go_on = bridged.hold(PLACING)
    session.send("placeLimitOrder", "AAPL", "BUY", 1, 162, key="running")
    assert reached.wait(60)
    session.send("placeLimitOrder", "AAPL", "BUY", 1, 163, key="waiting")
    session.talk.bridge.leave(session.talk.client)
    go_on.set()

    found = other.call("placeLimitOrder", "AAPL", "BUY", 1, 162, key="running")

    assert found["status"] == "open"
    other.call("getTicker", "AAPL")
    assert len(bridged.world.orders()) == 1


def test_an_answer_that_is_no_json_becomes_an_error(bridged, session, monkeypatch):
    """A price that is not a number must not reach a reader as a word that only some accept."""
    found = session.talk.bridge._registry.all()[0]
    found.exchange.get_available_margin = lambda: float("nan")

    with pytest.raises(BridgeError, match="made a mistake") as wrong:
        session.call("getAvailableMargin")

    assert wrong.value.code == -32603


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_mistake_of_ours_is_answered_too(bridged, session):
    """A call that is never answered holds the host's request for ever."""
    found = session.talk.bridge._registry.all()[0]
    found.exchange.get_positions = lambda: 1 / 0

    with pytest.raises(BridgeError, match="made a mistake"):
        session.call("getPositions")

    assert session.call("getTicker", "AAPL")["lastPrice"]


def test_a_mistake_of_ours_with_a_frame_ends_nobody_elses_sessions(bridged, session, monkeypatch):
    """The one who reads the frames of a pipe serves all users of a host."""
    monkeypatch.setattr(session.talk.bridge._registry, "open", lambda config, user: 1 / 0)

    with pytest.raises(BridgeError, match="made a mistake"):
        bridged.talk.ask("session.open", config={})

    assert session.call("getTicker", "AAPL")["lastPrice"]


def test_a_signal_in_the_midst_of_a_frame_is_no_mistake_of_ours(bridged, monkeypatch):
    """It comes wherever the reading is; answered as an error it would end nothing."""

    def told(config, user):
        raise over_stdio._Told

    monkeypatch.setattr(bridged.talk.bridge._registry, "open", told)

    with pytest.raises(over_stdio._Told):
        bridged.talk.ask("session.open", config={})


@pytest.mark.parametrize("timeout", ["1e999999999", "1e15", "1" + "0" * 400])
def test_nobody_waits_for_longer_than_a_machine_can(bridged, session, timeout):
    order = session.call("placeMarketOrder", "AAPL", "BUY", 1, key="filled")
    params = {"session": session.name, "method": "waitFor", "args": [order["orderId"], 0]}
    frame = json.dumps({"jsonrpc": "2.0", "id": "long", "method": "session.call", "params": params})

    bridged.talk.raw(frame.replace(", 0]", f", {timeout}]"))

    assert bridged.talk.answer("long")["status"] == "filled"


def test_an_error_carries_what_the_client_needs_to_act(bridged, session):
    """Its class is the name by which the other language knows it; values are plain."""
    with pytest.raises(BridgeError) as closed:
        session.call("getTicker", "NOSUCH")
    with pytest.raises(BridgeError) as limited:
        bridged.session(guardrails={"maxQuantity": "2"}).call(
            "placeMarketOrder", "AAPL", "BUY", 3, key="many"
        )

    assert (closed.value.type, closed.value.data["repeatable"]) == ("ContractNotFound", False)
    assert {name: limited.value.data[name] for name in ("type", "rule", "figure", "limit")} == {
        "type": "GuardrailRefused",
        "rule": "max_quantity",
        "figure": "3",
        "limit": "2",
    }


def test_a_moment_is_told_as_a_text(bridged):
    """A host waits for the opening that it is told of."""
    bridged.clock.sleep(10 * 3600)
    session = bridged.session()

    with pytest.raises(BridgeError) as closed:
        session.call("placeMarketOrder", "AAPL", "BUY", 1, key="late")

    assert closed.value.type == "MarketClosed"
    assert closed.value.data["nextOpen"].startswith("2026-11-2")


def test_what_was_told_of_fills_is_forgotten_some_day():
    """A process that runs for months keeps no more than the list can bring back."""
    lists = [[{"id": "a"}], [{"id": "b"}, {"id": "a"}], [], [{"id": "c"}, {"id": "b"}, {"id": "a"}]]
    told = []

    class Account:
        def get_trade_history(self):
            return lists.pop(0)

    fills = PolledFills(Account(), lambda fill: told.append(fill["id"]), most=2)
    for _ in range(4):
        fills.look()

    assert told == ["b", "c"]
    assert list(fills._known) == ["a", "b", "c"]
    lists.append([{"id": "c"}])
    fills.look()
    assert list(fills._known) == ["b", "c"]


def test_no_secret_of_a_frame_is_in_an_answer_a_log_or_a_file(bridged, caplog):
    """Credentials come in frames, so frames are never shown."""
    caplog.set_level("DEBUG")
    session = bridged.session(webhookSecret=SECRET)
    with pytest.raises(BridgeError):
        session.call("executeWebhook", {**WEBHOOK, "secret": "another-canary"}, key="wrong")
    session.call("executeWebhook", {**WEBHOOK, "secret": SECRET}, key="right")
    with pytest.raises(BridgeError):
        bridged.talk.ask("session.open", config={"webhookSecret": SECRET, "webhook_secret": SECRET})

    told = json.dumps(list(bridged.talk.answers.values())) + caplog.text
    kept = b"".join(path.read_bytes() for path in bridged.world._folder.iterdir() if path.is_file())
    for secret in (SECRET, "another-canary"):
        assert secret not in told
        assert secret.encode() not in kept
