"""The adapter logs in by OAuth over real sockets: embedded, and to the command as a process."""

from __future__ import annotations

import json
import logging
import re
import signal
import stat
import subprocess
import sys
import traceback
import warnings
from datetime import UTC, datetime
from pathlib import Path

import pytest
import urllib3

from ibkr_adapter.cli.demo import Audience, run
from ibkr_adapter.cli.payloads import example_webhooks
from ibkr_adapter.clock import ManualClock
from ibkr_adapter.doors import Doors
from ibkr_adapter.errors import AuthenticationError, ConfigurationError, IBKRError
from ibkr_adapter.exchange import IBKRExchange
from ibkr_adapter.simulator.gateway import Gateway
from ibkr_adapter.simulator.server import SimulatorServer

START = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
LOGINS = ("oauth1a", "oauth2")


@pytest.fixture
def clock():
    made = ManualClock(START, jump=True)
    yield made
    made.close()


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("login", LOGINS)
def test_the_demonstrations_webhooks_are_filled_over_every_login(login, tls, clock):
    """The main job as it is shown to newcomers, with nothing changed but the login."""
    exchange = IBKRExchange.simulated(
        auth_method=login, tls=tls, doors=Doors(clock=clock), webhook_secret="your-secret"
    )
    try:
        report = run(exchange, example_webhooks(), Audience())
    finally:
        exchange.close()

    assert all(row["result"]["success"] for row in report.webhooks)
    assert {row["symbol"]: row["positionAmt"] for row in report.positions} == {"AAPL": "100", "MSFT": "2"}


@pytest.fixture(scope="module", params=["oauth1a", "oauth1a --tls", "oauth2", "oauth2 --tls"])
def line(request):
    """The ready line of the command."""
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own words
        [sys.executable, "-m", "ibkr_adapter", "simulator", "--auth", *request.param.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    told = json.loads(process.stdout.readline())
    # Each test below logs in with other settings, and so has a pacing book of its own.
    http = urllib3.PoolManager(cert_reqs="CERT_NONE", assert_hostname=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        url = told["url"].replace("/v1/api", "/simulator/options")
        assert http.request("POST", url, json={"pacing": False}).status == 200
    http.clear()
    yield told
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=20)
    assert process.returncode == 0, log


def reached(line, tmp_path, **other):
    pin = {"tls_fingerprint": line["tls_fingerprint"]} if "tls_fingerprint" in line else {}
    return IBKRExchange(
        {"base_url": line["url"], **pin, **line["credentials"], "state_dir": str(tmp_path), **other}
    )


def test_the_ready_lines_credentials_log_in_and_trade(line, tmp_path):
    """Keys as files, as a person has them."""
    with reached(line, tmp_path, answer_messages=["o163"]) as ibkr:
        ack = ibkr.place_limit_order("AAPL", "buy", 1, 150)
        found = ibkr.get_order("AAPL", ack["orderId"])
        ibkr.cancel_order("AAPL", ack["orderId"])

    assert found["symbol"] == "AAPL"
    assert ibkr.settings.auth_method.value == line["credentials"]["auth_method"]


def test_a_key_file_that_others_can_open_is_refused_before_anything_is_sent(line, tmp_path):
    """With the command that mends it."""
    name = "signature_key" if "signature_key" in line["credentials"] else "private_key"
    loose = tmp_path / "loose.pem"
    loose.write_bytes(Path(line["credentials"][name]).read_bytes())
    loose.chmod(0o644)
    ibkr = reached(line, tmp_path, **{name: str(loose)})

    with pytest.raises(ConfigurationError, match=f"chmod 600 {loose}"):
        ibkr.get_balance()

    ibkr.close()
    assert stat.S_IMODE(loose.stat().st_mode) == 0o644


def test_a_key_of_somebody_else_is_told_by_step_and_remedy(line, tmp_path):
    """Another consumer's, say."""
    from ibkr_adapter.simulator.credentials import generate

    login = line["credentials"]["auth_method"]
    name = "signature_key" if login == "oauth1a" else "private_key"
    ibkr = reached(line, tmp_path, **{name: generate(login).client[name]})

    with pytest.raises(AuthenticationError, match="at the step"):
        ibkr.get_balance()

    ibkr.close()


class Witness(Gateway):
    """A broker that keeps what passed its door, secrets and all."""

    def __init__(self, *given, **more):
        super().__init__(*given, **more)
        self.passed = []

    def handle(self, request):
        answer = super().handle(request)
        self.passed.append((request, answer))
        return answer


@pytest.mark.parametrize("fault", [None, "F03", "F16"])
@pytest.mark.parametrize("login", LOGINS)
def test_no_secret_of_the_line_is_in_logs_or_errors(login, fault, clock, caplog, tmp_path):
    """The cookies of the edge too, and what the libraries below us log at DEBUG."""
    caplog.set_level(logging.DEBUG)
    gateway = Witness(clock, auth=login)
    shown = []
    with SimulatorServer(gateway, direct=True, tls=True, clock=clock) as server:
        settings = {
            **gateway.credentials,
            "base_url": server.url,
            "tls_fingerprint": server.tls_fingerprint,
            "state_dir": str(tmp_path),
        }
        ibkr = IBKRExchange(settings, doors=Doors(clock=clock))
        for call in (ibkr.get_balance, lambda: ibkr.place_market_order("AAPL", "buy", 1)):
            if fault:
                gateway.arm({"fault": fault})
            try:
                shown.append(repr(call()))
            except IBKRError as failure:
                shown.append("".join(traceback.format_exception(failure)) + repr(vars(failure)))
            clock.sleep(7)
        ibkr.close()

    cookies = {
        part.split("=", 1)[1]
        for request, _ in gateway.passed
        for part in request.headers.get("cookie", "").split("; ")
        if "=" in part
    }
    spoken = " ".join(request.headers.get("authorization", "") for request, _ in gateway.passed)
    said = re.findall(
        r'(?:oauth_signature|oauth_token|diffie_hellman_challenge)="([^"]+)"|Bearer (\S+)', spoken
    )
    secrets = cookies | {one or other for one, other in said}
    text = caplog.text + "".join(shown)
    assert fault or (cookies and len(secrets) > len(cookies))
    assert [secret for secret in secrets if len(secret) >= 12 and secret in text] == []
