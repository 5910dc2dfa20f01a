"""What the stream costs, and what it survives: against a server on a raw socket, in a process of its own.

    python -m tests.benchmarks.streaming [--seconds 60] [--frames 50000] [--restarts 20]

Prints ratios to what anybody would pay who used ``websocket-client`` by hand; times alone say more of
the machine than of the library.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import resource
import sys
import threading
import time
from pathlib import Path

import websocket

from ibkr_adapter.clock import SystemClock
from ibkr_adapter.streaming.channels import Quotes
from ibkr_adapter.streaming.feed import Feed
from ibkr_adapter.streaming.subscription import Subscription
from ibkr_adapter.tls import Trust
from ibkr_adapter.wire.fields import FIELD_SETS
from ibkr_adapter.ws_link import dialer

# Helpers of the tests, which find each other in their own folder.
sys.path.insert(0, str(Path(__file__).parents[1]))
from stream_restarts import Session, survive
from stream_server import SUCCESS, StreamServer, frame

CONIDS = range(1000, 1100)
RATE = 2000
# At most this much of what websocket-client and json.loads cost, and at least this much of its pace.
MOST_COST = 2.0
LEAST_PACE = 35 / 48


def quote(number):
    """The frames of IBKR's documents, with a price that moves."""
    conid = CONIDS[number % len(CONIDS)]
    return {
        "server_id": "q118",
        "conidEx": str(conid),
        "conid": conid,
        "_updated": 1696011002361 + number,
        "6119": "q118",
        "31": f"{100 + number % 500 / 100:.2f}",
        "86": f"{100 + number % 700 / 100:.2f}",
        "topic": f"smd+{conid}",
    }


def serve(pipe, frames, rate):
    """Send ``frames`` quotes as soon as the client has subscribed to all contracts, or says go."""
    prepared = [frame(quote(number)) for number in range(7000)]
    done = threading.Event()

    def script(talk):
        talk.send(SUCCESS)
        asked = 0
        for text in talk.texts():
            asked += text.startswith("smd")
            if asked == len(CONIDS) or text == "go":
                break
        if rate is None:
            for start in range(0, frames, 1000):
                talk.send_raw(b"".join(prepared[n % 7000] for n in range(start, start + 1000)))
        else:
            started = time.monotonic()
            for sent in range(0, frames, 20):
                talk.send_raw(b"".join(prepared[n % 7000] for n in range(sent, sent + 20)))
                time.sleep(max(0.0, started + (sent + 20) / rate - time.monotonic()))
        for _ in talk.texts():
            pass
        done.set()

    with StreamServer(script) as server:
        pipe.send(server.url)
        done.wait()


@contextlib.contextmanager
def server_of(frames, rate):
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, frames, rate))
    process.start()
    try:
        yield ours.recv()
    finally:
        process.join(10)
        process.terminate()


def memory():
    """What it has now, in MB."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize() / 1e6


def with_the_library(frames, rate):
    """Subscribe and take every event; return seconds of processor, seconds in all, growth in MB, events."""
    with server_of(frames, rate) as url:
        clock = SystemClock()
        feed = Feed(clock=clock, session=Session(url), dial=dialer(clock, Trust(), "b"), jitter=lambda: 0.5)
        names = FIELD_SETS["quote"]
        channels = [Quotes(conid, None, names, 60.0) for conid in CONIDS]
        cpu, middle, count, last = time.process_time(), None, 0, None
        with Subscription(feed, clock, channels, size=frames + 1) as quotes:
            started = None
            while count < frames:
                event = quotes.get(10)
                if event is None:
                    break
                started = started or time.monotonic()
                count += 1
                last = event.quote.last
                if count == frames // 3:
                    middle = memory()
            wall = time.monotonic() - started
            spent = time.process_time() - cpu
            grown = memory() - middle
        feed.close()
        assert last is not None
    return spent, wall, grown, count


def by_hand(frames, rate):
    """The same with ``recv`` and ``json.loads`` and nothing else."""
    with server_of(frames, rate) as url:
        line = websocket.create_connection(url)
        line.recv()
        cpu = time.process_time()
        line.send("go")
        for _ in range(frames):
            json.loads(line.recv())
        spent = time.process_time() - cpu
        line.close()
    return spent


def with_an_app(frames):
    """Frames a second of ``WebSocketApp`` with an empty handler."""
    with server_of(frames, None) as url:
        count, began, ended = 0, 0.0, 0.0

        def on_message(app, message):
            nonlocal count, began, ended
            count += 1
            if count == 1:
                app.send("go")
            elif count == 2:
                began = time.monotonic()
            elif count == frames + 1:
                ended = time.monotonic()
                app.close()

        websocket.WebSocketApp(url, on_message=on_message).run_forever()
    return frames / (ended - began)


def called_back(frames):
    """Frames a second with a callback that does nothing but count, as the app's handler does."""
    with server_of(frames, None) as url:
        clock = SystemClock()
        feed = Feed(clock=clock, session=Session(url), dial=dialer(clock, Trust(), "b"), jitter=lambda: 0.5)
        names = FIELD_SETS["quote"]
        count, began, done = 0, 0.0, threading.Event()

        def callback(_):
            nonlocal count, began
            count += 1
            if count == 1:
                began = time.monotonic()
            elif count == frames:
                done.set()

        channels = [Quotes(conid, None, names, 60.0) for conid in CONIDS]
        with Subscription(feed, clock, channels, callback=callback):
            assert done.wait(120)
            wall = time.monotonic() - began
        feed.close()
    return frames / wall


def restarts(count):
    wrong, gaps, trades = survive(count)
    sys.stdout.write(
        f"{count} restarts under load: {trades} trades and as many order events, {gaps} gaps told, "
        f"{wrong or 'nothing lost or told twice'}\n"
    )
    return not wrong


def steady(seconds):
    frames = int(seconds * RATE)
    spent, wall, grown, count = with_the_library(frames, RATE)
    baseline = by_hand(frames, RATE)
    ratio = spent / baseline
    sys.stdout.write(
        f"100 quotes, {RATE} frames a second for {seconds:g} s: {count} of {frames} events in {wall:.1f} s, "
        f"{spent:.2f} s of processor against {baseline:.2f} s by hand, ratio {ratio:.2f} (at most {MOST_COST}), "
        f"memory {grown:+.1f} MB over the last two thirds\n"
    )
    return count == frames and ratio <= MOST_COST and grown < 5


def burst(frames):
    paces = []
    for _ in range(5):
        app = with_an_app(frames)
        ours = called_back(frames)
        _, wall, _, count = with_the_library(frames, None)
        assert count == frames
        paces.append((ours / app, ours, app, frames / wall))
    ratio, ours, app, taken = sorted(paces)[len(paces) // 2]
    sys.stdout.write(
        f"burst of {frames}: {ours:,.0f} frames a second with an empty callback against {app:,.0f} of WebSocketApp with "
        f"an empty handler, ratio {ratio:.2f} (at least {LEAST_PACE:.2f}); {taken:,.0f} taken on another thread, each "
        "quote looked at\n"
    )
    return ratio >= LEAST_PACE


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--frames", type=int, default=50_000)
    parser.add_argument("--restarts", type=int, default=20)
    given = parser.parse_args()
    kept = [burst(given.frames), steady(given.seconds), restarts(given.restarts)]
    sys.stdout.write(f"limits {'kept' if all(kept) else 'MISSED'}\n")
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
