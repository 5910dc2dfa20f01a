"""Write docs/endpoints.md: every call of the trading API, and which method makes it.

Nothing is looked up by hand. The source is read for who names an endpoint and who calls whom, from the
methods of the exchange and its desks down; a new method shows as soon as it is there.
``tests/operations.tsv`` has what IBKR's two published descriptions list.

    python -m tests.endpoint_page           # writes the page
    python -m tests.endpoint_page --check   # only says whether it is up to date
"""

from __future__ import annotations

import ast
import re
import sys
from collections import deque
from functools import cache
from pathlib import Path

import attrs

from ibkr_adapter.wire import endpoints
from ibkr_adapter.wire.endpoints import ENDPOINTS, Endpoint

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "ibkr_adapter"
PAGE = ROOT / "docs" / "endpoints.md"
OPERATIONS = Path(__file__).with_name("operations.tsv")
# These make calls for everybody; what they call by themselves is the session's own business.
PLUMBING = frozenset(
    {"SessionKeeper", "Client", "Brokerage", "Opening", "Transport", "Turns", "Auth", "Conversation"}
)
NAMES = {id(value): name for name, value in vars(endpoints).items() if isinstance(value, Endpoint)}
MOST_SHOWN = 4

# What has no method of its own, and why.
BY_REQUEST: dict[str, str] = {
    "SECDEF_SEARCH_POSTED": "the same search as the GET, which `ibkr.contracts` makes",
    "FA_PRESETS": "presets of advisers: their figures have no source but one example",
    "FA_PRESETS_SET": "as above, and it changes how every later order is allocated",
    **dict.fromkeys(
        (
            "FA_MODELS",
            "FA_MODEL_POSITIONS",
            "FA_MODEL_SUMMARY",
            "FA_MODEL_ACCOUNTS",
            "FA_MODEL_SAVE",
            "FA_MODEL_INVEST",
            "FA_MODEL_INVESTED",
            "FA_MODEL_SUBMIT",
            "FA_MODEL_PRESET",
            "FA_MODEL_PRESET_SAVE",
        ),
        "models of advisers: no answer of the real service is known, so nothing typed could be held against one",
    ),
}
# What logging in, and keeping the session, calls by itself.
BY_ITSELF: dict[str, str] = {
    "TICKLE": "the keeper of the session, once a minute",
    "AUTH_STATUS": "opening and restoring the session",
    "SSODH_INIT": "opening and restoring the session",
    "ACCOUNTS": "opening the session; `ibkr.session.accounts` has the answer",
    "PORTFOLIO_ACCOUNTS": "before the first portfolio call; `ibkr.portfolio.accounts` has the answer",
    "SUPPRESS": "opening the session, by `suppress_messages`",
    "CONTRACT_INFO": "`ibkr.contracts.resolve`, for what cannot be traded",
    "REPLY": "answering IBKR's questions to an order, by the policy of the settings",
    "OAUTH_REQUEST_TOKEN": "`ibkr-adapter oauth1a authorize`",
    "OAUTH_ACCESS_TOKEN": "`ibkr-adapter oauth1a authorize`",
    "OAUTH_LIVE_SESSION_TOKEN": "logging in by OAuth 1.0a",
    "OAUTH2_TOKEN": "logging in by OAuth 2.0",
    "OAUTH2_SSO_SESSION": "logging in by OAuth 2.0",
    "WEBSOCKET": "the stream",
}


@attrs.define(eq=False)
class Method:
    """One function: the endpoints that it names, and what it calls."""

    node: ast.FunctionDef
    named: set[str] = attrs.field(factory=set)


@attrs.define
class Kind:
    """One class: its bases, its methods, and what its attributes are."""

    name: str
    bases: list[str]
    methods: dict[str, Method] = attrs.field(factory=dict)
    fields: dict[str, ast.expr] = attrs.field(factory=dict)
    made: dict[str, ast.expr] = attrs.field(factory=dict)


def _annotated(node: ast.expr | None) -> str | None:
    """The first class that an annotation names."""
    if node is None:
        return None
    words = [
        found.id if isinstance(found, ast.Name) else str(found.value)
        for found in ast.walk(node)
        if isinstance(found, ast.Name) or (isinstance(found, ast.Constant) and isinstance(found.value, str))
    ]
    return next((word for word in words if word in kinds()), None)


@cache
def _trees() -> list[ast.Module]:
    paths = sorted(PACKAGE.rglob("*.py"))
    left_out = ("simulator", "wire", "model", "cli", "host", "transport")
    return [
        ast.parse(path.read_text("utf-8"))
        for path in paths
        if path.relative_to(PACKAGE).parts[0] not in left_out
    ]


@cache
def kinds() -> dict[str, Kind]:
    """Every class of the library above its wire."""
    found: dict[str, Kind] = {}
    for tree in _trees():
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
                kind = found[node.name] = Kind(node.name, bases)
                for item in node.body:
                    if isinstance(item, ast.FunctionDef):
                        kind.methods[item.name] = Method(item, _named(item))
                    elif isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                        kind.fields[item.target.id] = item.annotation
    for kind in found.values():
        start = kind.methods.get("__init__")
        if start is not None:
            _learn(kind, start.node)
    return found


def _learn(kind: Kind, start: ast.FunctionDef) -> None:
    """Note what ``__init__`` puts into the attributes."""
    arguments = [*start.args.args, *start.args.kwonlyargs]
    about = {argument.arg: argument.annotation for argument in arguments if argument.annotation is not None}
    for node in ast.walk(start):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Attribute):
            kind.fields.setdefault(node.target.attr, node.annotation)
            if node.value is not None:
                kind.made[node.target.attr] = node.value
        if isinstance(node, ast.Assign):
            value = node.value
            if isinstance(value, ast.Name) and value.id in about:
                value = about[value.id]
            for target in node.targets:
                if isinstance(target, ast.Attribute):
                    kind.made[target.attr] = node.value
                    kind.fields.setdefault(target.attr, value)


def _named(node: ast.AST) -> set[str]:
    known = set(NAMES.values())
    return {
        found.attr
        for found in ast.walk(node)
        if isinstance(found, ast.Attribute)
        and isinstance(found.value, ast.Name)
        and found.value.id == "endpoints"
        and found.attr in known
    }


def lineage(name: str) -> list[Kind]:
    """A class and what it is made from, the nearest first."""
    kind = kinds().get(name)
    if kind is None:
        return []
    return [kind, *(one for base in kind.bases for one in lineage(base))]


def method_of(name: str, method: str) -> tuple[Kind, Method] | None:
    """Where a class has a method from."""
    return next(((kind, kind.methods[method]) for kind in lineage(name) if method in kind.methods), None)


def _type(node: ast.expr, own: str, local: dict[str, str]) -> str | None:
    """Of which class a value is, as far as the source tells."""
    if isinstance(node, ast.Name):
        return own if node.id == "self" else local.get(node.id) or _annotated(node)
    if isinstance(node, ast.Attribute):
        holder = _type(node.value, own, local)
        return _field(holder, node.attr) if holder is not None else None
    if isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute):
            holder = _type(node.func.value, own, local)
            found = method_of(holder, node.func.attr) if holder is not None else None
            return _annotated(found[1].node.returns) if found is not None else None
        return _annotated(node.func)
    return None


@cache
def _field(holder: str, attribute: str) -> str | None:
    for kind in lineage(holder):
        if attribute in kind.fields:
            value = kind.fields[attribute]
            start = kind.methods.get("__init__")
            local = {}
            if start is not None:
                for argument in [*start.node.args.args, *start.node.args.kwonlyargs]:
                    told = _annotated(argument.annotation)
                    if told is not None:
                        local[argument.arg] = told
            return _type(value, kind.name, local) or _annotated(value)
        if attribute in kind.methods:
            return _annotated(kind.methods[attribute].node.returns)
    return None


@cache
def calls(own: str, method: Method) -> set[tuple[str, str]]:
    """Which methods of which classes a method uses."""
    local = {}
    for argument in [*method.node.args.args, *method.node.args.kwonlyargs]:
        told = _annotated(argument.annotation)
        if told is not None:
            local[argument.arg] = told
    for node in ast.walk(method.node):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            told = _type(node.value, own, local)
            if told is not None:
                local[node.targets[0].id] = told
    found = set()
    for node in ast.walk(method.node):
        if isinstance(node, ast.Attribute):
            holder = _type(node.value, own, local)
            if holder is not None and holder not in PLUMBING:
                found.update((one, node.attr) for one in _stand_ins(holder) if method_of(one, node.attr))
            if holder == own and node.attr not in method.named:
                found.update((own, handed) for handed in _handed_on(own, node.attr))
    return found


@cache
def _stand_ins(holder: str) -> list[str]:
    """The classes that a protocol may stand for; any other class stands for itself."""
    kind = kinds()[holder]
    if "Protocol" not in kind.bases:
        return [holder]
    return [
        one.name
        for one in kinds().values()
        if one is not kind and all(method_of(one.name, name) for name in kind.methods)
    ]


def _handed_on(own: str, attribute: str) -> list[str]:
    """The methods that were given to whoever is in an attribute, to be called back."""
    values = [kind.made[attribute] for kind in lineage(own) if attribute in kind.made]
    return [
        node.attr
        for value in values
        for node in ast.walk(value)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
        and method_of(own, node.attr) is not None
    ]


@cache
def reached(own: str, name: str) -> dict[str, int]:
    """The endpoints that a method meets, and over how many calls."""
    depths: dict[str, int] = {}
    seen = {(own, name)}
    queue = deque([(own, name, 0)])
    while queue:
        holder, called, depth = queue.popleft()
        found = method_of(holder, called)
        if found is None:
            continue
        for endpoint in found[1].named:
            depths.setdefault(endpoint, depth)
        for further in sorted(calls(holder, found[1])):
            if further not in seen:
                seen.add(further)
                queue.append((*further, depth + 1))
    return depths


def desks() -> dict[str, str]:
    """The typed desks of the exchange: how they are reached, and their classes."""
    return {
        f"ibkr.{name}.": told
        for kind in lineage("IBKRExchange")
        for name, method in kind.methods.items()
        if any(isinstance(one, ast.Name) and one.id == "property" for one in method.node.decorator_list)
        and (told := _annotated(method.node.returns)) is not None
    }


@cache
def methods() -> dict[str, list[str]]:
    """By endpoint, the methods that make the call: the most direct first, the desks before the host's words."""
    found: dict[str, list[tuple[int, int, str]]] = {}
    for place, (prefix, kind) in enumerate({**desks(), "ibkr.": "IBKRExchange"}.items()):
        names = {name for one in lineage(kind) for name in one.methods if not name.startswith("_")}
        for name in sorted(names - (set() if prefix != "ibkr." else {part[5:-1] for part in desks()})):
            for endpoint, depth in reached(kind, name).items():
                found.setdefault(endpoint, []).append((depth, place, f"{prefix}{name}"))
    return {endpoint: [name for _, _, name in sorted(rows)] for endpoint, rows in found.items()}


@attrs.frozen
class Operation:
    """One row of the page."""

    endpoint: str
    title: str
    versions: str
    through: str


def listed() -> dict[tuple[str, str], str]:
    """What the two published descriptions list, by verb and address without names."""
    rows = [line.split("\t") for line in OPERATIONS.read_text("utf-8").splitlines()]
    return {(verb, _bare(path)): versions for verb, path, versions in rows}


def _bare(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


def operations() -> list[Operation]:
    """Every endpoint of the table, with who calls it."""
    known = listed()
    return [
        Operation(
            NAMES[id(endpoint)],
            endpoint.name,
            known.get((endpoint.method, _bare(endpoint.template)), ""),
            through(NAMES[id(endpoint)]),
        )
        for endpoint in ENDPOINTS
    ]


def through(endpoint: str) -> str:
    """How an endpoint is reached, in words; empty where by hand only."""
    if endpoint in BY_ITSELF:
        return BY_ITSELF[endpoint]
    found = methods().get(endpoint, [])
    direct = [name for name in found if name != "ibkr.request"]
    shown = ", ".join(f"`{name}`" for name in direct[:MOST_SHOWN])
    return shown + (" and others" if len(direct) > MOST_SHOWN else "")


HEAD = """# Every call of the API

Written by `python -m tests.endpoint_page` from the source; do not edit it. *Listed* says in which of IBKR's two published
descriptions an operation is. Of several methods the most direct are named; whatever is below, `ibkr.request` reaches every address, signed, paced and
held to the same rules: what changes state is sent once.

"""


def page() -> str:
    """The whole page."""
    rows = operations()
    published = [row for row in rows if row.versions]
    typed = [row for row in published if row.through]
    lines = [
        (
            f"Of {len(published)} published operations {len(typed)} have a method or are made by the session itself;"
            f" {len(published) - len(typed)} go through `ibkr.request`.\n"
        ),
        "## Published operations\n",
        "| operation | listed | made by |",
        "| --- | --- | --- |",
        *(f"| `{row.title}` | {row.versions} | {row.through or '`ibkr.request`'} |" for row in published),
        "\n## Through `ibkr.request` alone, and why\n",
        "| operation | why |",
        "| --- | --- |",
        *(f"| `{row.title}` | {_why(row)} |" for row in published if not row.through),
        "\n## Older ones, in neither description\n",
        "They may be gone; some are still used because nothing published takes their place.\n",
        "| operation | made by |",
        "| --- | --- |",
        *(f"| `{row.title}` | {row.through or '`ibkr.request`'} |" for row in rows if not row.versions),
    ]
    return HEAD + "\n".join(lines) + "\n"


def _why(row: Operation) -> str:
    return BY_REQUEST.get(row.endpoint, "no method yet")


def main(arguments: list[str]) -> int:
    """Write the page, or say whether it is what would be written."""
    written = page()
    if "--check" in arguments:
        return int(PAGE.read_text("utf-8") != written)
    PAGE.write_text(written, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
