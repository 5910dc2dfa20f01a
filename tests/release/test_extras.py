"""Each extra is installed alone, does what it is for, and is named where it is missing."""

from __future__ import annotations

import json
import tomllib

import pytest
from clean import ROOT, run

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]

TABLE = """
from decimal import Decimal
from ibkr_adapter.model.table import Table
table = Table([Decimal("1.5"), None], {"price": lambda row: row})
"""
KEY = """
import keyring
from keyring.backend import KeyringBackend
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

class Ring(KeyringBackend):
    priority = 1
    key = rsa.generate_private_key(65537, 3072).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    def get_password(self, service, name):
        return self.key if (service, name) == ("ibkr", "mine") else None
    def set_password(self, service, name, password):
        raise NotImplementedError

keyring.set_keyring(Ring())
"""
# What each is for, in a program that ends well if it is served.
USES = {
    "simulator": """
from ibkr_adapter import IBKRExchange
with IBKRExchange.simulated() as ibkr:
    legs = ibkr.place_bracket_order("AAPL", "buy", "market", 10, take_profit_price=175, stop_loss_price=155)
    assert legs["entryOrder"]["status"] == "filled", legs
    assert ibkr.close_position("AAPL")["status"] == "filled"
""",
    "cli": """
import sys
from ibkr_adapter.cli import main
sys.argv = ["ibkr-adapter", "doctor", "--json"]
try:
    main()
except SystemExit as left:
    assert 10 <= left.code <= 24, left.code  # nothing listens, and it says at which stage
""",
    "keyring": KEY
    + """
from ibkr_adapter.auth import keys
assert keys.private_key("keyring:ibkr/mine", "private_key").key_size == 3072
""",
    "pandas": TABLE
    + """
frame = table.to_frame()
assert frame["price"].tolist()[0] == 1.5 and frame["price"].isna().tolist() == [False, True]
import pyarrow.parquet
""",
    "plot": """
from matplotlib.figure import Figure
assert Figure().add_subplot().plot([1, 2], [3, None])
""",
    "notebook": TABLE
    + """
import ipykernel.kernelapp
from tqdm.auto import tqdm
assert list(tqdm([1], file=open("progress.txt", "w"))) == [1]
assert "<table" in table._repr_html_() and len(table.to_frame()) == 2
""",
    "all": """
from ibkr_adapter import IBKRExchange
with IBKRExchange.simulated() as ibkr:
    bars = ibkr.market_data.download("AAPL", "bars.parquet", since="1m", progress=True)
    assert len(bars.to_frame()) == len(bars) > 10
""",
}
# What is said where an extra is missing: the program, the extras that it has, and the one that it is told of.
MISSING = {
    "simulator": ((), "from ibkr_adapter import IBKRExchange; IBKRExchange.simulated().get_balance()"),
    "cli": ((), "from ibkr_adapter.cli import main; main()"),
    "keyring": ((), "from ibkr_adapter.auth import keys; keys.private_key('keyring:a/b', 'private_key')"),
    "pandas": ((), TABLE + "table.to_frame()"),
    "notebook": (
        ("simulator",),
        "from ibkr_adapter import IBKRExchange as Ours; Ours.simulated().market_data.history('AAPL', progress=True)",
    ),
}


def of_environment(*extras: str) -> pytest.MarkDecorator:
    """Tests of one environment belong to one worker."""
    return pytest.mark.xdist_group("-".join(extras or ("core",)))


def test_every_extra_has_its_use():
    """One that nobody tried is one that may not work."""
    assert USES.keys() == EXTRAS.keys()


@pytest.mark.parametrize("extra", [pytest.param(each, marks=of_environment(each)) for each in USES])
def test_an_extra_alone_is_enough_for_what_it_is_for(extra, environment, tmp_path):
    """Nothing is borrowed from another one."""
    done = run(environment(extra), "-I", "-c", USES[extra], cwd=tmp_path)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "extra", [pytest.param(each, marks=of_environment(*has)) for each, (has, _) in MISSING.items()]
)
def test_where_an_extra_is_missing_the_message_names_it(extra, environment, tmp_path):
    """What to type is in its last words."""
    has, program = MISSING[extra]

    done = run(environment(*has), "-I", "-c", program, cwd=tmp_path)

    assert done.returncode != 0
    assert f"ibkr-adapter[{extra}" in done.stderr


@of_environment()
def test_the_package_alone_needs_no_extra(environment, tmp_path):
    """A host that brings its own commands and charts takes nothing else along."""
    program = """
import importlib.util, json, sys
from ibkr_adapter import IBKRExchange
from ibkr_adapter.errors import NotSent
from ibkr_adapter.host import factory
try:
    IBKRExchange({"base_url": "http://127.0.0.1:1/v1/api", "state_dir": "state"}).get_balance()
except NotSent as refused:
    print(json.dumps([str(refused), factory.ExchangeFactory().supported_exchanges()]))
"""

    done = run(environment(), "-I", "-W", "error", "-c", program, cwd=tmp_path)

    told, names = json.loads(done.stdout)
    assert told.startswith("Nothing listens at 127.0.0.1:1")
    assert "ibkr" in names
    assert done.stderr == ""
