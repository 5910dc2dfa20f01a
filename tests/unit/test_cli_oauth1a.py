"""The commands of OAuth 1.0a: keys that only their owner can read, and the third party's walk."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from login_doors import Script, answer
from test_auth_keys import RFC_3526, dh_pem
from typer.testing import CliRunner

from ibkr_adapter import connections
from ibkr_adapter.auth import keymaking
from ibkr_adapter.auth.keymaking import FILES, make_all, make_key_pair, refuse_to_overwrite, write_all
from ibkr_adapter.cli import oauth1a
from ibkr_adapter.cli.commands import app
from ibkr_adapter.clock import ManualClock, SystemClock
from ibkr_adapter.doors import Doors
from ibkr_adapter.errors import ConfigurationError


def run(*words: str, typed: str = "", **environ: str):
    clean = {f"IBKR_ADAPTER_{name}": value for name, value in environ.items()}
    return CliRunner().invoke(app, ["oauth1a", *words], input=typed, env=clean)


# Keys -------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch):
    """Parameters that need no search."""
    monkeypatch.setattr(
        oauth1a,
        "MAKER",
        lambda *given, **more: make_all(*given, **more, dh_parameters=lambda: dh_pem(RFC_3526).encode()),
    )


def test_keys_are_made_for_their_owner_alone(quick, tmp_path):
    """Folder and files, from their first moment."""
    folder = tmp_path / "new" / "keys"

    told = run("keys", str(folder))

    assert told.exit_code == 0
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert "Upload to IBKR: public_signature.pem, public_encryption.pem, dhparam.pem" in told.stdout
    assert "PRIVATE KEY" not in told.output
    assert "Searching a prime" in told.stderr


def test_the_settings_that_the_keys_are_for_are_told_as_json(quick, tmp_path):
    """So that a script can go on."""
    told = run("keys", str(tmp_path), "--json")

    spoken = json.loads(told.stdout)
    assert spoken["settings"]["signature_key"] == str(tmp_path / "private_signature.pem")
    assert set(spoken["settings"]) == {"signature_key", "encryption_key", "dh_prime"}


@pytest.mark.parametrize("name", FILES)
def test_a_key_that_exists_is_never_written_over(quick, tmp_path, name):
    """It may be the one that IBKR has registered."""
    (tmp_path / name).write_text("mine")

    told = run("keys", str(tmp_path))

    assert told.exit_code == 2
    assert f"holds {name} already" in told.stderr
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_a_link_to_nowhere_counts_as_existing(tmp_path):
    """Writing through it would put a key who knows where."""
    (tmp_path / FILES[0]).symlink_to(tmp_path / "elsewhere" / "key")

    with pytest.raises(ConfigurationError, match="already"):
        refuse_to_overwrite(tmp_path)


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path):
    """Half of a set of keys is a trap for the next try."""
    (tmp_path / "b").write_text("mine")

    with pytest.raises(ConfigurationError, match="nothing was left behind"):
        write_all(tmp_path, {"a": b"1", "b": b"2", "c": b"3"})

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"b": "mine"}


def test_a_folder_that_is_a_file_is_told(tmp_path):
    """With the system's word."""
    (tmp_path / "keys").write_text("")

    with pytest.raises(ConfigurationError, match="cannot be written"):
        write_all(tmp_path / "keys", {"a": b"1"})


def test_the_search_says_how_long_it_has_taken():
    """It may be minutes, and silence looks like a fault."""
    clock = ManualClock(connections_start(), jump=True)
    ticks = []

    def search():
        clock.sleep(3.5)
        return b"found"

    made = make_all(
        clock, on_tick=ticks.append, key_pair=lambda: (b"private", b"public"), dh_parameters=search
    )

    assert ticks == [1.0, 2.0, 3.0]
    assert made["dhparam.pem"] == b"found"


def connections_start():
    from login_doors import START

    return START


def test_a_search_that_cannot_be_done_here_says_how_else():
    """The library means to drop these parameters one day."""

    def gone():
        raise ConfigurationError("gone.")

    with pytest.raises(ConfigurationError, match="gone"):
        make_all(SystemClock(), on_tick=lambda _: None, key_pair=lambda: (b"", b""), dh_parameters=gone)


def test_parameters_can_be_searched():
    """Of a size that takes no time; the real one is the same call."""
    from ibkr_adapter.auth.keys import _parameters

    made = keymaking.make_dh_parameters(512)

    assert _parameters(made, "dh_prime", 2).bit_length() == 512


def test_a_library_without_the_search_is_told_with_the_command(monkeypatch):
    """So that nobody is stuck."""
    import sys

    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.dh", None)
    monkeypatch.delattr("cryptography.hazmat.primitives.asymmetric.dh", raising=False)

    with pytest.raises(ConfigurationError, match="openssl dhparam -out"):
        keymaking.make_dh_parameters(512)


# Third parties ----------------------------------------------------------------------------


@pytest.fixture
def ibkr(monkeypatch):
    """IBKR as a list of answers."""
    script = Script(
        answer({"oauth_token": "b9082d68cfef06b030de"}),
        answer({"is_paper": True, "oauth_token": "e84c11dc149cb96ee5bb", "oauth_token_secret": "c2VjcmV0"}),
    )
    monkeypatch.setattr(connections, "DEFAULT_DOORS", Doors(transport=lambda _settings, _clock: script))
    return script


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "private_signature.pem"
    write_all(tmp_path, {path.name: make_key_pair()[0]})
    return path


VERIFIER = "0ffb93ab9aa0d2177cc2"


@pytest.mark.parametrize(
    "typed",
    [
        VERIFIER,
        f" {VERIFIER} ",
        f"https://example.com/back?oauth_token=b9082d68cfef06b030de&oauth_verifier={VERIFIER}",
        f"oauth_token=b9082d68cfef06b030de&oauth_verifier={VERIFIER}",
    ],
)
def test_a_user_is_sent_to_ibkrs_page_and_the_verifier_exchanged(ibkr, key_file, typed):
    """Whatever of the address the person copies."""
    told = run(
        "authorize", "--consumer-key", "TESTCONSU", "--signature-key", str(key_file), typed=f"{typed}\n"
    )

    assert told.exit_code == 0, told.output
    assert "https://www.interactivebrokers.com/authorize?oauth_token=b9082d68cfef06b030de" in told.stderr
    assert told.stdout.splitlines() == [
        "access_token = e84c11dc149cb96ee5bb",
        "access_token_secret = c2VjcmV0",
        "is_paper = True",
    ]
    assert f'oauth_verifier="{VERIFIER}"' in ibkr.sent[1]["headers"]["Authorization"]


def test_what_is_asked_to_be_saved_is_saved_and_not_shown(ibkr, key_file, tmp_path):
    """Into a new file for its owner alone."""
    there = tmp_path / "access.json"

    told = run(
        "authorize", "--save", str(there), "--json", "--callback", "https://example.com/back",
        typed=f"{VERIFIER}\n", CONSUMER_KEY="TESTCONSU", SIGNATURE_KEY=str(key_file),
    )  # fmt: skip

    assert json.loads(told.stdout) == {"saved": str(there), "is_paper": True}
    assert json.loads(there.read_text())["access_token_secret"] == "c2VjcmV0"
    assert stat.S_IMODE(there.stat().st_mode) == 0o600
    assert "c2VjcmV0" not in told.output
    assert "example.com" in ibkr.sent[0]["headers"]["Authorization"]


def test_nothing_is_stored_that_was_not_asked_for(ibkr, key_file, tmp_path, monkeypatch):
    """Not in the state folder, not beside the key; only when calls were made is, for other processes."""
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.rglob("*"))

    run(
        "authorize",
        typed=f"{VERIFIER}\n",
        CONSUMER_KEY="X",
        SIGNATURE_KEY=str(key_file),
        STATE_DIR=str(tmp_path),
    )

    fresh = set(tmp_path.rglob("*")) - before
    assert {path.name.partition("-")[0] for path in fresh} <= {"pacing.sqlite3"}
    assert not any(VERIFIER.encode() in path.read_bytes() for path in fresh)


def test_a_file_to_save_to_that_exists_is_told_before_a_verifier_is_used_up(ibkr, key_file, tmp_path):
    """It is good for one exchange only."""
    there = tmp_path / "access.json"
    there.write_text("mine")

    told = run(
        "authorize",
        "--save",
        str(there),
        typed=f"{VERIFIER}\n",
        CONSUMER_KEY="X",
        SIGNATURE_KEY=str(key_file),
    )

    assert told.exit_code == 2
    assert ibkr.sent == []
    assert there.read_text() == "mine"


@pytest.mark.parametrize("typed", ["?", "https://example.com/back?oauth_verifier=", "a b", "é" * 20])
def test_what_is_no_verifier_is_not_sent(ibkr, key_file, typed):
    """And the person is told what to copy."""
    told = run("authorize", typed=f"{typed}\n", CONSUMER_KEY="X", SIGNATURE_KEY=str(key_file))

    assert told.exit_code == 2
    assert "Copy what stands behind oauth_verifier=" in told.stderr
    assert len(ibkr.sent) == 1


def test_a_secret_that_the_encryption_key_does_not_open_is_told_at_once(ibkr, key_file, tmp_path):
    """Rather than at the first login, when the verifier is long used up."""
    told = run(
        "authorize",
        "--encryption-key",
        str(key_file),
        typed=f"{VERIFIER}\n",
        CONSUMER_KEY="X",
        SIGNATURE_KEY=str(key_file),
    )

    assert told.exit_code == 0
    assert "cannot be opened with encryption_key" in told.stderr
    assert "access_token_secret = c2VjcmV0" in told.stdout


def test_a_refusal_ends_with_one(monkeypatch, key_file):
    """In the library's words, with the step."""
    script = Script(answer({"error": "id: 1, error: invalid consumer", "statusCode": 401}, 401))
    monkeypatch.setattr(connections, "DEFAULT_DOORS", Doors(transport=lambda _settings, _clock: script))

    told = run("authorize", CONSUMER_KEY="X", SIGNATURE_KEY=str(key_file))

    assert told.exit_code == 1
    assert "invalid consumer at the step request_token" in told.stderr
    assert told.stdout == ""


def test_without_a_consumer_nothing_is_asked(ibkr, key_file):
    """It is named."""
    told = run("authorize", SIGNATURE_KEY=str(key_file))

    assert told.exit_code == 2
    assert "OAuth 1.0a needs consumer_key" in told.stderr
    assert ibkr.sent == []


def test_help_shows_both_commands():
    """A person finds them."""
    told = CliRunner().invoke(app, ["oauth1a", "--help"])

    assert {"keys", "authorize"} <= set(told.stdout.split())
    assert Path(FILES[0]).suffix == ".pem"
