"""The stream against a scripted line: what is written when, what is told, and what a lost line costs."""

from __future__ import annotations

import itertools
import json
import threading
from decimal import Decimal

import pytest
from stream_door import SUCCESS, ScriptedServer
from worlds import AAPL, MSFT, World

from ibkr_adapter.errors import ConfigurationError, StreamClosed
from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.model.stream import Dropped, Gap, QuoteEvent, Refused, Stale
from ibkr_adapter.ws_link import LineLost

IBM = 8314
HEARTBEAT = {"topic": "system", "hb": 1772001296993}


def quote(conid=AAPL, **fields):
    return {"server_id": "q1", "conidEx": str(conid), "conid": conid, "topic": f"smd+{conid}", **fields}


@pytest.fixture
def server(world: World) -> ScriptedServer:
    made = ScriptedServer(world.clock)
    world.doors = made.doors(world.doors)
    return made


@pytest.fixture
def ibkr(world: World, server: ScriptedServer) -> IBKRExchange:
    return world.exchange()


def seconds_with_heartbeats(world, server, seconds, every=10.0):
    """Let time pass as it does on a healthy line."""
    passed = 0.0
    while passed < seconds:
        step = min(every, seconds - passed)
        world.clock.sleep(step)
        passed += step
        server.say(HEARTBEAT)
    world.clock.sleep(0.01)


def settle(world):
    """Let the stream's thread do what there is to do."""
    world.clock.sleep(0.01)


def stream_threads():
    return [thread for thread in threading.enumerate() if thread.name == "ibkr-stream"]


def test_quotes_are_told_as_they_stand_after_each_frame(ibkr, server, world):
    """IBKR sends only what changed; whoever reads an event wants the whole quote."""
    with ibkr.stream.quotes(AAPL) as quotes:
        settle(world)
        server.say(quote(**{"31": "189.60", "84": "189.56", "6509": "RpB"}), quote(**{"84": "189.57"}))

        first, second = quotes.get(1), quotes.get(1)

    assert isinstance(first, QuoteEvent)
    assert (first.quote.last, first.quote.bid) == (Decimal("189.60"), Decimal("189.56"))
    assert (second.quote.last, second.quote.bid) == (Decimal("189.60"), Decimal("189.57"))
    assert second.quote.availability.real_time


def test_nothing_is_written_before_ibkr_allows_it(ibkr, server, world):
    """It drops what is written earlier, without a word."""
    server.greeting = []
    with ibkr.stream.quotes(AAPL):
        world.clock.sleep(2)
        server.say({"topic": "act", "args": {}}, {"topic": "sts", "args": {"authenticated": True}})
        world.clock.sleep(2)
        before = list(server.written)
        server.say(SUCCESS)
        settle(world)

        assert (before, server.dropped) == ([], [])
        assert [text.split("+{")[0] for text in server.texts()] == [f"smd+{AAPL}"]


def test_a_line_without_leave_to_write_is_given_up_after_ten_seconds(ibkr, server, world):
    server.greeting = []
    with ibkr.stream.quotes(AAPL):
        world.clock.sleep(30)

        gaps = [
            later[0] - earlier[0] for earlier, later in zip(server.dialled, server.dialled[1:], strict=False)
        ]
        assert gaps[:2] == [pytest.approx(11.0, abs=0.1), pytest.approx(12.0, abs=0.1)]
        assert all(link.closed for link in server.links[:-1])


def test_the_session_is_named_only_when_ibkr_asks(ibkr, server, world):
    """On a line that knows its session the answer is an unknown topic."""
    server.greeting = [{"message": "waiting for session"}]
    with ibkr.stream.quotes(AAPL):
        settle(world)
        said = json.loads(server.dropped[0])
        server.say(SUCCESS)
        settle(world)

        assert list(said) == ["session"]
        assert said["session"]
        assert len(server.dropped) == 1


def test_two_consumers_of_a_contract_share_one_subscription(ibkr, server, world):
    """A contract has one set of fields in a session, and each costs a market data line once."""
    with ibkr.stream.quotes(AAPL, fields=["last"]) as first:
        settle(world)
        server.say(quote(**{"31": "189.60"}))
        settle(world)
        with ibkr.stream.quotes(AAPL, fields=["bid"]) as second:
            told = second.get(1)
            settle(world)
            asked = server.texts("smd")
        settle(world)
        ended_early = server.texts("umd")
        server.say(quote(**{"84": "189.58"}))

        assert told.quote.last == Decimal("189.60")
        assert asked[-1] == f'smd+{AAPL}+{{"fields":["31","6509","84"]}}'
        assert ended_early == [f"umd+{AAPL}+{{}}"]  # renewed for the second one's field
        assert [first.get(1).quote.bid for _ in range(2)] == [None, Decimal("189.58")]
    assert server.texts("umd") == [f"umd+{AAPL}+{{}}"] * 2


def test_nothing_outlives_the_last_subscription(ibkr, server, world):
    with ibkr.stream.quotes(AAPL), ibkr.stream.quotes(MSFT):
        settle(world)
        running = len(stream_threads())

    assert running == 1
    assert stream_threads() == []
    assert server.link.closed
    assert sorted(server.texts("umd")) == [f"umd+{AAPL}+{{}}", f"umd+{MSFT}+{{}}"]


def test_closing_the_object_ends_its_subscriptions(ibkr, server, world):
    quotes = ibkr.stream.quotes(AAPL)
    settle(world)

    ibkr.close()

    assert stream_threads() == []
    with pytest.raises(StreamClosed):
        quotes.get(0)
    assert list(quotes) == []


def test_quotes_are_renewed_before_ibkr_ends_them(ibkr, server, world):
    """They end silently after a quarter of an hour."""
    with ibkr.stream.quotes(AAPL, stale_after=None):
        seconds_with_heartbeats(world, server, 2000)

        moments = [moment for moment, text in server.written if text.startswith("smd")]
        assert max(later - earlier for earlier, later in itertools.pairwise(moments)) < 900
        assert [text[:3] for text in server.texts()] == ["smd", *["umd", "smd"] * 3]


def test_a_word_is_said_once_a_minute_at_least(ibkr, server, world):
    with ibkr.stream.quotes(AAPL):
        seconds_with_heartbeats(world, server, 200)

        tics = [moment for moment, text in server.written if text == "tic"]
        assert len(tics) >= 5
        assert max(later - earlier for earlier, later in itertools.pairwise(tics)) <= 60


def test_a_lost_line_comes_back_and_the_gap_is_told(ibkr, server, world):
    """What happened meanwhile nobody can tell; whoever keeps figures must know from when to when."""
    with ibkr.stream.quotes(AAPL) as quotes:
        settle(world)
        server.say(quote(**{"31": "189.60", "84": "189.56"}))
        quotes.get(1)
        lost_at = world.clock.now()
        server.link.break_off()
        world.clock.sleep(5)
        server.say(quote(**{"84": "189.70"}))

        gap, after = quotes.get(1), quotes.get(1)

        assert isinstance(gap, Gap)
        assert abs((gap.since - lost_at).total_seconds()) < 1
        assert 1 <= (gap.until - gap.since).total_seconds() <= 2
        # The last price may have changed unheard, so it is not known any more.
        assert (after.quote.bid, after.quote.last) == (Decimal("189.70"), None)
        assert len(server.texts("smd")) == 2


def test_pauses_double_up_to_a_minute(ibkr, server, world):
    """A server in maintenance closes a thousand times; nobody should knock as often."""
    server.refusals.extend(LineLost("refused") for _ in range(9))
    with ibkr.stream.quotes(AAPL):
        world.clock.sleep(400)

        moments = [moment for moment, *_ in server.dialled]
        pauses = [round(later - earlier) for earlier, later in itertools.pairwise(moments)]
        assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_the_session_is_looked_at_before_every_line(ibkr, server, world):
    """A line over a session that is gone would stay mute."""
    with ibkr.stream.quotes(AAPL):
        settle(world)
        before = world.count("POST /tickle")
        server.link.break_off()
        world.clock.sleep(3)

        assert world.count("POST /tickle") == before + 1
        assert len(server.links) == 2


def test_a_silent_line_is_dead_whatever_its_socket_says(ibkr, server, world):
    """Half-open connections take everything that is sent into them."""
    server.answers["tic"] = []
    with ibkr.stream.quotes(AAPL, stale_after=None) as quotes:
        settle(world)
        was_up = ibkr.stream.is_up
        world.clock.sleep(40)

        assert was_up
        assert len(server.links) == 2
        assert isinstance(quotes.get(1), Gap)


def test_a_stream_that_says_the_session_is_gone_has_it_restored(ibkr, server, world):
    """It is the fastest sign; the session's name must not be sent then."""
    with ibkr.stream.quotes(AAPL):
        settle(world)
        epoch = ibkr.session.epoch
        server.say({"topic": "sts", "args": {"authenticated": False}})
        world.clock.sleep(5)

        assert ibkr.session.epoch == epoch + 1
        assert len(server.links) == 2
        assert server.dropped == []


@pytest.mark.parametrize("args", [{"competing": False}, {"message": ""}, {"serverName": "J"}, {}, None])
def test_a_partial_status_says_nothing_of_what_it_leaves_out(ibkr, server, world, args):
    with ibkr.stream.quotes(AAPL):
        settle(world)
        server.say({"topic": "sts", "args": args})
        world.clock.sleep(5)

        assert len(server.links) == 1


def test_a_session_that_was_opened_anew_takes_its_stream_along(ibkr, server, world):
    """Streams of the old one die without notice."""
    with ibkr.stream.quotes(AAPL) as quotes:
        settle(world)
        ibkr.session.lose(ibkr.session.epoch, "for the test")
        ibkr.open()
        world.clock.sleep(5)

        assert len(server.links) == 2
        assert isinstance(quotes.get(1), Gap)


def test_silence_of_one_subscription_is_told_once_and_asked_about(ibkr, server, world):
    with ibkr.stream.quotes(AAPL, MSFT, stale_after=60) as quotes:
        settle(world)
        for _ in range(20):
            server.say(HEARTBEAT, quote(MSFT, **{"31": "400"}))
            world.clock.sleep(10)
        events = [quotes.get(0) for _ in range(quotes.waiting)]

        stale = [event for event in events if isinstance(event, Stale)]
        assert [event.topic for event in stale] == [f"smd+{AAPL}"]
        assert server.texts(f"smd+{AAPL}")[1:] != []


@pytest.mark.parametrize(
    "frame", ["ech+hb", b"\x99\xff", b"[]", b"null", b'{"topic":7}', b'{"message":"hello"}', b""]
)
def test_frames_that_nobody_understands_change_nothing(ibkr, server, world, frame):
    with ibkr.stream.quotes(AAPL) as quotes:
        settle(world)
        server.say(frame, quote(**{"31": "1"}))

        assert quotes.get(1).quote.last == Decimal(1)


def test_lines_of_what_is_streamed_are_not_freed_for_snapshots(world, server):
    """A contract has one line for both, so that whoever listens would hear nothing more."""
    ibkr = world.exchange(market_data_lines=2)
    with ibkr.stream.quotes(AAPL):
        settle(world)
        with ibkr.market_data.borrowed():
            ibkr.market_data.quotes([AAPL, MSFT])
        assert ibkr.market_data.lines.conids == (AAPL,)

        for conid in (MSFT, IBM):
            ibkr.market_data.quote(conid)
        assert ibkr.market_data.lines.conids == (AAPL, IBM)
    ibkr.market_data.quote(MSFT)

    assert ibkr.market_data.lines.conids == (IBM, MSFT)


def test_a_refusal_is_told_in_ibkrs_words(ibkr, server, world):
    with ibkr.stream.quotes(AAPL) as quotes:
        settle(world)
        server.say({"error": "Topic unknown 'null'"})

        assert quotes.get(1) == Refused(at=world.clock.now(), text="Topic unknown 'null'")


def test_a_refusal_of_one_subscription_is_told_to_those_who_have_it(ibkr, server, world):
    """It comes under the topic of what is refused, where figures would."""
    with ibkr.stream.quotes(AAPL) as refused, ibkr.stream.quotes(MSFT) as other:
        settle(world)
        server.say({"topic": f"smd+{AAPL}", "error": "No data."})
        server.say({"topic": f"smd+{MSFT}", "error": None, "31": "305.5"})

        assert refused.get(1) == Refused(at=world.clock.now(), text="No data.", topic=f"smd+{AAPL}")
        assert other.get(1).quote.last == Decimal("305.5")


def test_a_slow_consumer_loses_the_oldest_quotes_and_is_told(ibkr, server, world):
    with ibkr.stream.quotes(AAPL, size=3) as quotes:
        settle(world)
        server.say(*(quote(**{"31": str(number)}) for number in range(1, 11)))
        settle(world)

        first, *rest = [quotes.get(0) for _ in range(4)]
        assert (type(first), first.count) == (Dropped, 7)
        assert [event.quote.last for event in rest] == [8, 9, 10]
        assert quotes.get(0) is None


def test_a_callback_is_called_with_each_event_and_may_fail(ibkr, server, world, caplog):
    """It is the host's code, and the stream must not end for it."""
    seen = []

    def callback(event):
        seen.append(event.quote.last)
        raise RuntimeError("the host's own")

    with ibkr.stream.quotes(AAPL, callback=callback):
        settle(world)
        server.say(quote(**{"31": "1"}), quote(**{"31": "2"}))
        settle(world)

    assert seen == [1, 2]
    assert "the host's own" in caplog.text


def test_an_untrusted_server_ends_the_stream_for_a_person_to_act(ibkr, server, world):
    server.refusals.append(LineLost("it shows a certificate that is not trusted", untrusted=True))
    quotes = ibkr.stream.quotes(AAPL)

    with pytest.raises(StreamClosed, match="not trusted"):
        quotes.get(60)
    assert stream_threads() == []


def test_how_fresh_quotes_are_is_always_asked_for(ibkr, server, world):
    """Without IBKR's own mark a price is one of unknown age, and nobody may size from it."""
    with ibkr.stream.quotes(AAPL, fields=["last"]) as quotes:
        settle(world)
        server.say(quote(**{"31": "189.60"}), quote(**{"6509": "RpB"}))
        unmarked, marked = quotes.get(1).quote, quotes.get(1).quote

    assert server.texts("smd") == [f'smd+{AAPL}+{{"fields":["31","6509"]}}']
    assert (unmarked.freshness, unmarked.missing) == ("of unknown age", {"availability"})
    assert (marked.tradable_price(), marked.missing) == (Decimal("189.60"), frozenset())


@pytest.mark.parametrize("fields", ["nothing", ["last", "lost"], []])
def test_fields_that_do_not_exist_are_refused(ibkr, fields):
    with pytest.raises(ConfigurationError, match="nothing was subscribed to") as refused:
        ibkr.stream.quotes(AAPL, fields=fields)

    assert (
        "docs/market-data.md tells of the fields" in refused.value.remedy
    )  # the page with the table of sets


def test_a_subscription_can_be_closed_on_another_thread(ibkr, server, world):
    """Whoever iterates comes to an end."""
    quotes = ibkr.stream.quotes(AAPL)
    settle(world)
    closer = threading.Thread(target=lambda: (world.clock.sleep(3), quotes.close()), name="closer")
    world.clock.expect(closer)
    closer.start()

    assert list(quotes) == []
    with world.clock.aside():
        closer.join()
