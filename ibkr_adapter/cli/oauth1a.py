"""The commands of OAuth 1.0a: make the keys, and have a user let a third party in.

Nothing is stored but what is asked for, and no secret is taken as an argument, where every user of
the machine could read it: keys are named by their files, the verifier is asked for.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

import typer
from rich.console import Console

from ibkr_adapter.auth import keymaking
from ibkr_adapter.auth.keys import private_key
from ibkr_adapter.clock import SystemClock
from ibkr_adapter.connections import authorizing
from ibkr_adapter.errors import ConfigurationError
from ibkr_adapter.setting_readers import AuthMethod
from ibkr_adapter.settings import Settings
from ibkr_adapter.wire.oauth1a import authorize_address, unseal

from .codes import exit_codes

# Logging in on a page, with a second factor, is not part of any of these waits (seconds).
STEP_WITHIN = 30.0
# What makes the keys; its search takes too long for a test of what is around it.
MAKER = keymaking.make_all

app = typer.Typer(
    name="oauth1a",
    help="Keys and authorisation for IBKR's OAuth 1.0a.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.command()
def keys(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the five files go; made if missing.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Make two RSA key pairs and Diffie-Hellman parameters, readable by you alone.

    Three of the files are for IBKR's OAuth page; the two private keys stay here. Files that are
    there already are never written over.
    """
    with exit_codes():
        keymaking.refuse_to_overwrite(folder)
        contents = _made()
        keymaking.write_all(folder, contents)
        if as_json:
            typer.echo(
                json.dumps({"folder": str(folder), "files": list(contents), "settings": _settings(folder)})
            )
            return
        typer.echo(f"Written to {folder}, readable by you alone: {', '.join(contents)}")
        typer.echo(f"Upload to IBKR: {', '.join(keymaking.UPLOADED)}. Never give away the private ones.")
        typer.echo("Then set, beside consumer_key, access_token and access_token_secret:")
        for name, path in _settings(folder).items():
            typer.echo(f"  {name} = {path}")


def _settings(folder: Path) -> dict[str, str]:
    whole = folder.resolve()
    return {
        "signature_key": str(whole / keymaking.SIGNATURE),
        "encryption_key": str(whole / keymaking.ENCRYPTION),
        "dh_prime": str(whole / keymaking.DH),
    }


def _made() -> dict[str, bytes]:
    console = Console(stderr=True, highlight=False)
    doing = "Searching a prime of 2048 bits, which takes from seconds to some minutes"
    with console.status(f"{doing} ...") as status:
        if not console.is_terminal:
            console.print(f"{doing}.", markup=False)

        def tick(seconds: float) -> None:
            status.update(f"{doing}: {seconds:.0f} s")
            if not console.is_terminal and round(seconds) % 10 == 0:
                console.print(f"{seconds:.0f} s", markup=False)

        return MAKER(SystemClock(), on_tick=tick)


@app.command()
def authorize(
    *,
    consumer_key: Annotated[str | None, typer.Option(help="The consumer; else the setting.")] = None,
    signature_key: Annotated[Path | None, typer.Option(help="The private signature key's file.")] = None,
    encryption_key: Annotated[
        Path | None, typer.Option(help="The private encryption key's file, to check the secret with.")
    ] = None,
    realm: Annotated[str | None, typer.Option(help="The realm, if it is not the usual one.")] = None,
    base_url: Annotated[str | None, typer.Option(help="IBKR's API root, if it is another.")] = None,
    ca_file: Annotated[Path | None, typer.Option(help="Certificates to trust, for such a one.")] = None,
    callback: Annotated[str, typer.Option(help="Where IBKR sends the user back to, as registered.")] = "oob",
    save: Annotated[Path | None, typer.Option(help="Write the access token to this new file, 0600.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Have a user let you trade for them: the third-party steps up to the access token.

    Settings come from the IBKR_ADAPTER_ variables; the options go before them. The access token and
    its secret are printed, or written with --save, and kept nowhere else.
    """
    given = {
        "consumer_key": consumer_key,
        "signature_key": str(signature_key) if signature_key else None,
        "encryption_key": str(encryption_key) if encryption_key else None,
        "realm": realm,
        "base_url": base_url,
        "ca_file": str(ca_file) if ca_file else None,
        "auth_method": AuthMethod.OAUTH1A.value,
    }
    with exit_codes():
        if save is not None:
            keymaking.refuse_to_overwrite(save.parent, (save.name,))
        settings = Settings.from_env(overridden=given)
        with authorizing(settings) as login:
            request_token = login.request_token(_soon(), callback=callback)
            sys.stderr.write(
                "Have the user open this address, log in and agree:\n\n"
                f"  {authorize_address(request_token)}\n\n"
                "IBKR then sends them to the registered address with oauth_verifier=... at its end.\n"
                "Paste the verifier, or that whole address: "
            )
            sys.stderr.flush()
            # Not by a prompt of the library's, which writes a blank to standard output.
            found = login.exchange(request_token, _verifier(sys.stdin.readline()), _soon())
        _check(found.secret, settings)
        told: dict[str, Any] = {"access_token": found.token, "access_token_secret": found.secret}
        if found.is_paper is not None:
            told["is_paper"] = found.is_paper
        if save is not None:
            keymaking.write_all(save.parent, {save.name: json.dumps(told, indent=2).encode() + b"\n"})
            told = {
                "saved": str(save),
                **({"is_paper": found.is_paper} if found.is_paper is not None else {}),
            }
        if as_json:
            typer.echo(json.dumps(told))
        else:
            for name, value in told.items():
                typer.echo(f"{name} = {value}")


def _check(secret: str, settings: Settings) -> None:
    """Say whether the encryption key opens the secret; what IBKR gave is told in any case."""
    if settings.encryption_key is None:
        return
    try:
        unseal(secret, private_key(settings.encryption_key, "encryption_key"))
    except ValueError as wrong:
        sys.stderr.write(
            f"ibkr-adapter: the access token's secret cannot be opened with encryption_key: {wrong}."
            " Look which public key is registered with IBKR.\n"
        )


def _soon() -> float:
    return SystemClock().monotonic() + STEP_WITHIN


def _verifier(pasted: str) -> str:
    """Take the verifier out of what a person copied."""
    text = pasted.strip()
    if "oauth_verifier=" in text:
        query = urlsplit(text).query or text.lstrip("?")
        text = (parse_qs(query).get("oauth_verifier") or [""])[0].strip()
    if not text or not text.isascii() or not text.isalnum():
        raise ConfigurationError(
            "that is no verifier; nothing was sent.",
            remedy="Copy what stands behind oauth_verifier= in the address, whole, and begin again.",
        )
    return text
