"""The doctor: each stage with its code, nothing changed, and the right remedy for what is wrong."""

from __future__ import annotations

import os
import socket
import ssl
from datetime import timedelta

import attrs
import pytest
from terminals import Denying, Shell
from worlds import AAPL, START, World

from ibkr_adapter.cli.doctor import local
from ibkr_adapter.cli.doctor.network import Network, Shown, name, reach, tls
from ibkr_adapter.cli.doctor.steps import Stage, Verdict
from ibkr_adapter.doors import Doors, login_lock, throttle_of
from ibkr_adapter.filelocks import FileLock
from ibkr_adapter.settings import Settings
from ibkr_adapter.wire import endpoints

INIT = "POST /iserver/auth/ssodh/init"
STATUS = "POST /iserver/auth/status"
PIN = "ab" * 32


class Wires(Network):
    """Sockets that do what a test says."""

    def __init__(self, *, refuses=None, shown=None, seen=None, unknown=False):
        self.refuses = refuses
        self.shown = shown
        self.seen = seen
        self.unknown = unknown

    def resolve(self, host, port):
        if self.unknown:
            raise socket.gaierror(-2, "Name or service not known")
        return ["127.0.0.1"]

    def connect(self, host, port):
        if self.refuses is not None:
            raise self.refuses

    def certificate(self, host, port, trust):
        if isinstance(self.shown, Exception):
            raise self.shown
        return self.shown

    def fingerprint(self, host, port):
        return self.seen


@pytest.fixture
def shell(world, tmp_path):
    made = Shell(world, tmp_path)
    made.wires = Wires()
    return made


def examine(shell, *words, code=0):
    # Nobody looks twice within the five seconds that IBKR wants between two reads of the accounts.
    shell.world.clock.sleep(6)
    told = shell.json("doctor", *words, code=code)
    assert told["code"] == code
    assert [step["code"] for step in told["steps"]] == [stage.value for stage in Stage]
    return {step["stage"]: step for step in told["steps"]}


def bad(told):
    return [stage for stage, step in told.items() if step["verdict"] == "failed"]


# The whole row ----------------------------------------------------------------------------


def test_a_healthy_machine_is_healthy_and_nothing_was_changed(shell):
    """No session is opened, no question suppressed, no line of market data taken."""
    told = examine(shell)

    assert bad(told) == []
    assert told["brokerage_session"]["verdict"] == "note"
    assert told["account"]["facts"]["kind"] == "PAPER"
    assert told["market_data"]["verdict"] == "skipped"
    requests = shell.world.ledger()["requests"]
    assert all(endpoints.find(*call.split()).changes_state is False for call in requests)
    assert shell.world.count(INIT) == 0
    assert shell.world.count("POST /iserver/questions/suppress") == 0


def test_with_login_everything_is_looked_at(shell):
    """The session is opened as a program opens it, and the price rights are seen."""
    told = examine(shell, "--login")

    assert {step["verdict"] for step in told.values()} == {"ok"}
    assert "real time" in told["market_data"]["told"]


def test_a_program_at_work_is_not_disturbed(shell):
    """Its session stays, with what it had suppressed, and its account."""
    ibkr = shell.world.exchange()
    ibkr.place_market_order("AAPL", "buy", 10)
    before = shell.world.ledger()["sessions"]

    told = examine(shell)

    assert told["brokerage_session"]["verdict"] == "ok"
    assert told["market_data"]["verdict"] == "skipped"
    assert shell.world.ledger()["sessions"] == before
    assert ibkr.session.epoch == 1


def test_people_read_a_line_a_step_with_its_remedy(shell):
    """In words, with the exit code of the first that failed."""
    shell.world.gateway.change_session("logout")

    told = shell.run("doctor")

    assert told.exit_code == 20
    assert "FAILED  outer session: nobody is logged in." in told.stdout
    assert "-> Open http://127.0.0.1:5000 in a browser" in told.stdout
    assert "SKIPPED account" in told.stdout


# What the server says ---------------------------------------------------------------------


@pytest.mark.parametrize(("words", "verdict"), [((), "note"), (("--login",), "ok")])
def test_a_brokerage_session_that_timed_out_is_no_missing_login(shell, words, verdict):
    """Its status says "not connected" of both; a tickle tells them apart."""
    disconnected = {"authenticated": False, "competing": False, "connected": False}
    shell.world.overrule(STATUS, *[(200, disconnected)] * 2)

    told = examine(shell, *words)

    assert bad(told) == []
    assert told["brokerage_session"]["verdict"] == verdict
    assert told["account"]["facts"]["kind"] == "PAPER"


def test_a_login_that_no_tickle_keeps_alive_is_missing(shell):
    disconnected = {"authenticated": False, "competing": False, "connected": False}
    shell.world.overrule(STATUS, *[(200, disconnected)] * 2)
    shell.world.overrule("POST /tickle", (200, {"error": "no session"}))

    assert bad(examine(shell, code=20)) == ["outer_session"]


def test_another_login_is_named(shell):
    """The account is still told, because the outer session is enough for it."""
    shell.world.gateway.change_session("rival")

    for words in ((), ("--login",)):
        told = examine(shell, *words, code=22)
        assert bad(told) == ["competing_login"]
        assert told["account"]["verdict"] == "ok"


def test_a_gateway_that_denies_the_address_is_told_from_one_without_a_login(shell):
    """The one wants an address in conf.yaml, the other a person."""
    shell.world.doors = attrs.evolve(shell.world.doors, transport=lambda _settings, _clock: Denying())

    told = examine(shell, code=19)

    assert "--allow" in told["login"]["remedy"]


@pytest.mark.parametrize(("fault", "variant", "code"), [("F10", "json", 19), ("F01", "refuse", 18)])
def test_a_gateway_without_ibkr_behind_it_is_no_missing_login(shell, fault, variant, code):
    """Logging in again would not help."""
    shell.world.arm(fault, STATUS, variant=variant, times=50)

    told = examine(shell, code=code)

    assert bad(told)[0] == Stage(code).name.lower()


def test_a_brokerage_session_that_does_not_come_up_is_told_with_its_reason(shell):
    """Only with --login, because nobody tried otherwise."""
    shell.world.arm("F10", INIT, times=50)

    told = examine(shell, "--login", code=21)

    assert told["brokerage_session"]["remedy"]


def test_a_live_account_is_said_in_capitals(tmp_path):
    """With what it means for orders."""
    world = World(tmp_path, account="U7654321")
    shell = Shell(world, tmp_path)
    shell.wires = Wires()

    refused = examine(shell)["account"]
    shell.environ["IBKR_ADAPTER_ENVIRONMENT"] = "production"
    spends = examine(shell)["account"]
    world.close()

    assert (refused["facts"]["kind"], refused["verdict"]) == ("LIVE", "note")
    assert "LIVE" in refused["told"]
    assert "refused" in refused["told"]
    assert "REAL MONEY" in spends["remedy"]


@pytest.mark.parametrize(
    ("account", "remedy"), [(None, "ACCOUNT_ID=DU1234567"), ("DU9", "Correct account_id")]
)
def test_an_account_that_is_not_clear_is_asked_for(tmp_path, account, remedy):
    """Orders for several accounts name one."""
    world = World(tmp_path, accounts=["DU7654321"])
    shell = Shell(world, tmp_path)
    shell.wires = Wires()
    if account:
        shell.environ["IBKR_ADAPTER_ACCOUNT_ID"] = account

    told = examine(shell, code=23)
    world.close()

    assert remedy in told["account"]["remedy"]


@pytest.mark.parametrize(
    ("code", "remedy"), [("DPB", "allow_delayed_prices"), ("N", "Subscribe"), ("O", "agreement")]
)
def test_prices_that_are_not_in_real_time_are_a_note(shell, code, remedy):
    """Orders work without them, sizes do not."""
    shell.world.gateway.set_options({"availability": {"*": code}})

    told = examine(shell, "--login")

    assert told["market_data"]["verdict"] == "note"
    assert remedy in told["market_data"]["remedy"]


def test_a_price_that_does_not_come_is_a_note(shell):
    """It may come in a minute."""
    shell.world.gateway.set_options({"snapshot_delay": 600.0})

    assert "in time" in examine(shell, "--login")["market_data"]["told"]


@pytest.mark.parametrize(("login", "code", "verdict"), [("gateway", 0, "note"), ("oauth1a", 18, "failed")])
def test_a_wrong_clock_is_measured(tmp_path, login, code, verdict):
    """It matters to signatures; a gateway signs by itself."""
    world = World(tmp_path, login)
    world.arm("F34", seconds=90.0)
    shell = oauth(world, tmp_path)

    told = examine(shell, code=code)
    world.close()

    assert told["clock"]["verdict"] == verdict
    assert abs(abs(told["clock"]["facts"]["skew"]) - 90) <= 1


# OAuth ------------------------------------------------------------------------------------


def oauth(world, folder):
    shell = Shell(world, folder)
    shell.wires = Wires()
    shell.environ |= {
        f"IBKR_ADAPTER_{key.upper()}": str(value) for key, value in world.gateway.credentials.items()
    }
    return shell


def test_no_token_is_asked_for_unasked(tmp_path):
    """A second login would throw out the first."""
    world = World(tmp_path, "oauth1a")
    shell = oauth(world, tmp_path)

    told = examine(shell)
    asked = dict(world.ledger()["requests"])
    logged_in = examine(shell, "--login")
    world.close()

    assert list(asked) == [STATUS]
    assert told["login"]["verdict"] == "note"
    assert {told[stage]["verdict"] for stage in ("outer_session", "account", "market_data")} == {"skipped"}
    assert {step["verdict"] for step in logged_in.values()} == {"ok"}


def test_the_process_that_owns_the_login_is_named(tmp_path):
    """And left alone, also where --login was said."""
    world = World(tmp_path, "oauth1a")
    world.doors = Doors(
        clock=world.clock,
        transport=lambda _settings, _clock: world.doorway,
        across_processes=True,
    )
    shell = oauth(world, tmp_path)
    owner = FileLock(login_lock(Settings.from_env(shell.environ)))
    assert owner.take(words="4242")

    quiet, asked = examine(shell), examine(shell, "--login")
    owner.let_go()
    free = examine(shell)
    requests = world.ledger()["requests"]
    world.close()

    assert "process 4242" in quiet["login"]["told"]
    assert "process 4242" in asked["login"]["told"]
    assert "no process" in free["login"]["told"]
    assert list(requests) == [STATUS]


def test_refused_credentials_are_the_logins_fault(tmp_path):
    """With IBKR's reason."""
    world = World(tmp_path, "oauth1a")
    world.gateway.change_session("disable")

    told = examine(oauth(world, tmp_path), "--login", code=19)
    world.close()

    assert told["login"]["remedy"]
    assert told["account"]["verdict"] == "skipped"


def test_no_secret_is_printed(tmp_path):
    """Settings are listed with their origin, and what is secret is only said to be there."""
    world = World(tmp_path, "oauth2")
    shell = oauth(world, tmp_path)

    told = shell.run("doctor", "--login", "--json").stdout + shell.run("doctor", "--login").stdout
    world.close()

    secrets = [line for line in world.gateway.credentials["private_key"].splitlines()[1:-1] if line]
    assert [line for line in secrets if line in told] == []
    assert "IBKR_ADAPTER_PRIVATE_KEY" in told


# What is on this machine ------------------------------------------------------------------


def test_wrong_settings_end_the_examination_with_their_name(shell):
    """Nothing else can be looked at without them."""
    shell.environ["IBKR_ADAPTER_ACOUNT_ID"] = "DU1"

    told = examine(shell, code=11)

    assert "account_id" in told["settings"]["told"]
    assert told["name"]["verdict"] == "skipped"
    assert shell.world.ledger()["requests"] == {}


def test_an_old_python_is_told():
    """The package would not even be imported by some."""
    told = local.package((3, 10, 1))

    assert (told.stage, told.verdict) == (Stage.PACKAGE, Verdict.FAILED)


def test_a_setting_tells_where_it_comes_from(shell):
    """Aliases are spelt as they were written."""
    shell.environ["IBKR_ADAPTER_GATEWAY_URL"] = shell.environ.pop("IBKR_ADAPTER_BASE_URL")

    rows = examine(shell)["settings"]["facts"]["settings"]

    assert rows["base_url"]["from"] == "IBKR_ADAPTER_GATEWAY_URL"
    assert rows["compete"]["from"] == "default"
    assert rows["auth_method"]["from"] == "derived"


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_a_key_that_others_can_read_is_refused_with_its_remedy(tmp_path):
    """The mode of each key file is told."""
    world = World(tmp_path, "oauth2")
    shell = oauth(world, tmp_path)
    file = tmp_path / "key.pem"
    file.write_text(world.gateway.credentials["private_key"])
    shell.environ["IBKR_ADAPTER_PRIVATE_KEY"] = str(file)

    file.chmod(0o644)
    open_to_all = examine(shell, code=12)
    file.chmod(0o600)
    told = examine(shell)
    world.close()

    assert "chmod 600" in open_to_all["keys"]["remedy"]
    assert open_to_all["login"]["verdict"] == "skipped"
    assert told["keys"]["facts"]["modes"] == {"private_key": "0600"}


@pytest.mark.parametrize("left_out", [("access_token_secret",), ("dh_prime", "realm", "signature_key")])
def test_missing_keys_are_named(tmp_path, left_out):
    """All of them at once."""
    world = World(tmp_path, "oauth1a")
    given = {key: value for key, value in world.gateway.credentials.items() if key not in left_out}
    world.close()

    told = local.keys(Settings.of(given))

    assert told.verdict is Verdict.FAILED
    assert all(name in told.told for name in left_out if name != "realm")


def test_the_state_folder_is_looked_at_and_not_made(tmp_path, monkeypatch):
    """Without a journal no order goes out."""
    absent, file, shared = tmp_path / "absent", tmp_path / "file", tmp_path / "shared"
    file.write_text("")
    shared.mkdir()
    shared.chmod(0o777)
    looks = [local.state_folder(Settings.of({"state_dir": str(path)})) for path in (absent, file, shared)]
    within = local.state_folder(Settings.of({"state_dir": str(file / "below")}))

    assert [look.verdict for look in looks] == [Verdict.NOTE, Verdict.FAILED, Verdict.FAILED]
    assert within.verdict is Verdict.FAILED
    assert not absent.exists()


def test_the_penalty_box_is_read_from_the_book_of_all_processes(tmp_path):
    """Another process may have been sent into it."""
    found = Settings.of({"state_dir": str(tmp_path)})
    doors = Doors(across_processes=True)
    assert local.pacing(found, doors).verdict is Verdict.OK
    throttle = throttle_of(found, doors)
    throttle.acquire(endpoints.POSITIONS2, deadline=doors.clock.monotonic() + 5)
    quiet = local.pacing(found, doors)
    throttle.refused(endpoints.POSITIONS2)
    closed = local.pacing(found, doors)
    throttle.refused(endpoints.ACCOUNTS)
    boxed = local.pacing(found, doors)
    throttle.close()

    assert [look.verdict for look in (quiet, closed, boxed)] == [Verdict.OK, Verdict.NOTE, Verdict.FAILED]
    assert boxed.facts["boxed_for"] > 800


# The way there ----------------------------------------------------------------------------

SECURE = Settings.of({"base_url": "https://localhost:5000/v1/api"})
PINNED = Settings.of({"base_url": "https://localhost:5000/v1/api", "tls_fingerprint": PIN})
BLIND = Settings.of({"base_url": "https://localhost:5000/v1/api", "verify_tls": False})
FAR = Settings.of({"base_url": "https://api.ibkr.com/v1/api"})


def test_a_name_that_means_nothing_stops_the_way(shell):
    """The exit code is that of the name, and nothing is sent."""
    shell.wires = Wires(unknown=True)

    told = examine(shell, code=15)

    assert told["reach"]["verdict"] == told["login"]["verdict"] == "skipped"
    assert name(FAR, Wires(unknown=True)).verdict is Verdict.FAILED


def test_nobody_at_the_port_is_told_with_how_to_start_somebody():
    """And on macOS another program may have taken the port."""
    told = reach(SECURE, Wires(refuses=ConnectionRefusedError()))
    far = reach(FAR, Wires(refuses=TimeoutError("timed out")))

    assert "ibkr-adapter gateway" in told.remedy
    assert "AirPlay" in told.remedy
    assert "firewall" in far.remedy


UNTRUSTED = ssl.SSLCertVerificationError("self-signed certificate")


@pytest.mark.parametrize(
    ("found", "wires", "verdict", "words"),
    [
        (SECURE, Wires(shown=UNTRUSTED, seen=PIN), Verdict.FAILED, f"TLS_FINGERPRINT={PIN}"),
        (PINNED, Wires(shown=UNTRUSTED, seen="cd" * 32), Verdict.FAILED, "not the pinned one"),
        (FAR, Wires(shown=UNTRUSTED), Verdict.FAILED, "ca_file"),
        (SECURE, Wires(shown=ssl.SSLError(1, "wrong version")), Verdict.FAILED, "listenSsl"),
        (PINNED, Wires(shown=Shown(fingerprint=PIN, ends=START)), Verdict.OK, ""),
        (BLIND, Wires(shown=Shown(fingerprint=PIN, ends=START)), Verdict.NOTE, "TLS_FINGERPRINT"),
        (FAR, Wires(shown=Shown(fingerprint=PIN, ends=START + timedelta(days=3))), Verdict.NOTE, "renewed"),
        (FAR, Wires(shown=Shown(fingerprint=PIN, ends=START + timedelta(days=300))), Verdict.OK, ""),
        (FAR, Wires(shown=Shown(fingerprint=PIN, ends=None)), Verdict.OK, ""),
    ],
)
def test_a_certificate_is_judged_as_a_call_judges_it(found, wires, verdict, words):
    """With the setting that pins it, where it is one's own to pin."""
    told = tls(found, wires, START)

    assert told.verdict is verdict
    assert words in told.remedy


def test_the_price_that_is_looked_at_is_a_share_that_all_may_see():
    """A conid that is wrong would be a puzzle."""
    from ibkr_adapter.cli.doctor.logins import LOOKED_AT

    assert LOOKED_AT == AAPL
