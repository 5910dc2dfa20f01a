"""A dashboard gets a balance in one shape, in time, or is told why not; and nobody else gets one."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager, nullcontext

import pytest

from crowd import at_once
from ibkr_adapter.errors import ConfigurationError, LoginRequired
from ibkr_adapter.host.balance_app import balance_app
from ibkr_adapter.host.metadata import exchange_metadata

TOKEN = "a-token-of-sixteen-or-more"
FAILED = {"success", "exchange", "balance", "error"}


class Account:
    """An exchange that answers as it is told to."""

    def __init__(self, answer=None, *, clock=None, seconds=0.0):
        self.answer = answer if answer is not None else {"success": True, "balance": 5.0}
        self.clock = clock
        self.seconds = seconds
        self.reads = 0

    def get_balance_summary(self):
        self.reads += 1
        if self.seconds:
            self.clock.sleep(self.seconds)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def get(app, path="/balance/ibkr", query="", *, method="GET", token=TOKEN, address="127.0.0.1"):
    told = []
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": query, "REMOTE_ADDR": address}
    if token is not None:
        environ["HTTP_AUTHORIZATION"] = f"Bearer {token}"
    (body,) = app(environ, lambda status, headers: told.append((int(status[:3]), dict(headers))))
    ((status, headers),) = told
    assert int(headers["Content-Length"]) == len(body)
    return status, json.loads(body)


def app_of(world, account, **more):
    return balance_app(lambda *_: nullcontext(account), token=TOKEN, clock=world.clock, **more)


def test_a_balance_is_in_the_shape_that_a_dashboard_reads(world, ibkr):
    status, answer = get(app_of(world, ibkr))

    assert status == 200
    assert answer == {
        "success": True,
        "exchange": "Interactive Brokers",
        "balance": 1000000,
        "availableBalance": 1000000,
        "equity": 1000000,
        "buyingPower": 4000000,
        "totalUnrealizedPnl": 0,
        "currency": "USD",
        "accountId": "DU1234567",
        "accountType": "paper",
    }


def test_the_user_and_the_environment_are_those_of_the_question(world):
    asked = []

    @contextmanager
    def find(user, environment):
        asked.append((user, environment))
        yield Account()

    app = balance_app(find, token=TOKEN, clock=world.clock)
    get(app, query="userId=ann&environment=sandbox")
    get(app, "/api/balance/ibkr/", query="user_id=bob")

    assert asked == [("ann", "sandbox"), ("bob", "production")]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (LoginRequired("nobody is logged in."), "nobody is logged in."),
        (ConfigurationError("No ibkr API credentials found."), "No ibkr API credentials found."),
        ({"success": False, "balance": None}, "IBKR does not say what this account is worth."),
    ],
)
def test_what_fails_is_answered_200_with_the_reason(world, answer, words):
    """A dashboard expects no other status."""
    status, found = get(app_of(world, Account(answer)))

    assert (status, found["success"], found["balance"], found["error"]) == (200, False, None, words)


def test_an_exchange_that_cannot_sum_up_is_answered_for(world):
    """The host's contract does not ask for a summary, so another package's exchange may have none."""
    status, answer = get(app_of(world, object()))

    assert (status, answer["success"]) == (200, False)
    assert "does not tell a balance" in answer["error"]


def test_an_answer_comes_within_ten_seconds_and_the_reading_goes_on(world):
    account = Account(clock=world.clock, seconds=25.0)
    app = app_of(world, account)
    begun = world.clock.monotonic()

    first = get(app)
    waited = world.clock.monotonic() - begun
    second = get(app)
    world.clock.sleep(10)
    third = get(app, query="userId=other")

    assert waited < 10
    for status, answer in (first, second):
        assert (status, answer["error"]) == (200, "Interactive Brokers did not answer within 9.5 seconds.")
        assert answer.keys() == FAILED
    assert account.reads == 2
    assert third[1]["success"] is False


def test_who_asks_for_the_same_balance_waits_for_the_same_reading(world):
    account = Account(clock=world.clock, seconds=2.0)
    app = app_of(world, account)
    answers = []

    at_once(world, *[lambda: answers.append(get(app)) for _ in range(5)])

    assert [answer["success"] for _, answer in answers] == [True] * 5
    assert account.reads == 1


def test_there_is_a_most_of_readings(world):
    """A page that is reloaded by a thousand users must not make a thousand threads."""
    app = app_of(world, Account(clock=world.clock, seconds=5.0), most=3)
    answers, threads = [], []

    def ask(number):
        answers.append(get(app, query=f"userId={number}"))
        threads.append(sum(one.name == "ibkr-balance" for one in threading.enumerate()))

    at_once(world, *[lambda number=number: ask(number) for number in range(6)])

    assert sorted(answer["success"] for _, answer in answers) == [False] * 3 + [True] * 3
    assert max(threads) <= 3
    assert get(app, query="userId=later")[1]["success"]


@pytest.mark.parametrize(
    ("about", "status"),
    [
        ({"token": None}, 401),
        ({"token": "another-token-altogether"}, 401),
        ({"token": "\udcff"}, 401),
        ({"address": "192.0.2.7"}, 403),
        ({"address": ""}, 403),
        ({"token": None, "path": "/positions"}, 401),
    ],
)
def test_who_is_not_let_in_is_told_in_the_same_shape_and_reads_nothing(world, about, status):
    account = Account()

    found, answer = get(app_of(world, account), **about)

    assert (found, answer["success"], answer.keys()) == (status, False, FAILED)
    assert account.reads == 0
    assert TOKEN not in json.dumps(answer)


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"path": "/positions"}, "There is only /balance/ibkr."),
        ({"method": "POST"}, "A balance can only be read, with GET."),
    ],
)
def test_a_reader_with_the_token_is_answered_200_whatever_was_asked(world, about, words):
    """A dashboard expects no other status, and shows what stands in the error."""
    account = Account()

    status, answer = get(app_of(world, account), **about)

    assert (status, answer["success"], answer["error"], answer.keys()) == (200, False, words, FAILED)
    assert account.reads == 0


@pytest.mark.parametrize("balance", [float("nan"), object()])
def test_a_balance_that_json_cannot_say_is_an_error_in_the_shape(world, balance):
    """The exchange may be another package's."""
    status, answer = get(app_of(world, Account({"success": True, "balance": balance})))

    assert (status, answer["error"]) == (200, "The balance cannot be written as JSON.")


@pytest.mark.parametrize("within", [0, 10.5])
def test_an_answer_that_nobody_waits_for_is_not_promised(world, within):
    with pytest.raises(ConfigurationError, match="a dashboard waits for 10 seconds"):
        app_of(world, Account(), within=within)


def test_another_scheme_than_bearer_is_none(world):
    told = []
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/balance/ibkr",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_AUTHORIZATION": f"Basic {TOKEN}",
    }

    app_of(world, Account())(environ, lambda status, _: told.append(status))

    assert told == ["401 Unauthorized"]


def test_without_a_token_only_this_machine_is_answered(world):
    app = balance_app(lambda *_: nullcontext(Account()), token=None, clock=world.clock)

    assert get(app, token=None)[0] == 200
    assert get(app, token=None, address="::1")[0] == 200
    with pytest.raises(ConfigurationError, match="without a token"):
        balance_app(lambda *_: nullcontext(Account()), token=None, anywhere=True)
    with pytest.raises(ConfigurationError, match="has 5 characters"):
        balance_app(lambda *_: nullcontext(Account()), token="short")
    elsewhere = balance_app(lambda *_: nullcontext(Account()), token=TOKEN, anywhere=True, clock=world.clock)
    assert get(elsewhere, address="192.0.2.7")[0] == 200


def test_over_a_socket_it_is_one_request(ibkr):
    """The standard library's own server is enough for one dashboard."""
    import urllib.request
    from wsgiref.simple_server import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_):
            """Say nothing."""

    app = balance_app(lambda *_: nullcontext(Account()), token=TOKEN)
    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        request = urllib.request.Request(
            f"http://127.0.0.1:{server.server_port}/balance/ibkr",
            headers={"Authorization": f"Bearer {TOKEN}"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  (our own server)
            body = json.load(answer)
        thread.join()

    assert body == {"success": True, "balance": 5.0}


def test_the_entry_of_a_list_of_exchanges_is_complete():
    """Its fields are those of the host's other exchanges; a page breaks where one is missing."""
    entry = exchange_metadata()

    assert set(entry) == {
        "id",
        "name",
        "icon",
        "logo",
        "assetClass",
        "assetTypes",
        "marketHours",
        "colorClass",
        "instructions",
        "requiresPassphrase",
        "requiresAccountId",
        "showApiSecret",
        "isCCXT",
        "isCustom",
    }
    assert (entry["id"], entry["name"], entry["assetClass"]) == ("ibkr", "Interactive Brokers", "Multi-Asset")
    assert all(
        word in entry["instructions"] for word in ("oauth2", "oauth1a", "gateway", "clientKeyId", "dhPrime")
    )
    assert json.loads(json.dumps(entry)) == entry
    assert exchange_metadata() is not entry
