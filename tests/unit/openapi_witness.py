"""Hold an answer against IBKR's own OpenAPI document and say where it differs.

The document is read as it was meant: ``nullable`` is a type, ``oneOf`` is any of (its alternatives
lack what would tell them apart), and a whole number is written as one. A difference is a sentence:
where, what it is, what is documented. Places in lists are ``[]``, account ids and conids ``{}``.
"""

from __future__ import annotations

import functools
import json
import re

from simulator_client import RECORDED

DOCUMENT = RECORDED.parent / "facts" / "ibkr-web-api-openapi-2.28.0.json"
_ID = re.compile(r"(D?[UF]\d+C?(\.\w+)?|\d{3,})")
_METHODS = {"get", "post", "put", "delete"}
_KINDS = {
    "dict": "object",
    "list": "array",
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
}


@functools.cache
def document():
    return json.loads(DOCUMENT.read_text())


@functools.cache
def components():
    return _meant(document()["components"])


def _meant(value):
    """The same schema in plain JSON Schema."""
    if isinstance(value, list):
        return [_meant(one) for one in value]
    if not isinstance(value, dict):
        return value
    made = {key: _meant(one) for key, one in value.items() if key not in {"nullable", "format", "example"}}
    if value.get("nullable") is True and isinstance(value.get("type"), str):
        made["type"] = [value["type"], "null"]
        if "enum" in made:
            made["enum"] = [*made["enum"], None]
    if isinstance(made.get("oneOf"), list):
        made["anyOf"] = made.pop("oneOf")
    return made


def operations():
    """All that is documented beside account management, as ``METHOD path``."""
    return [
        f"{method.upper()} {path}"
        for path, calls in document()["paths"].items()
        for method in calls
        if method in _METHODS and not path.startswith("/gw/")
    ]


def requests(operation):
    """The bodies that are documented as examples of what to send."""
    method, path = operation.split(" ")
    content = document()["paths"][path][method.lower()].get("requestBody", {}).get("content", {})
    return {name: one["value"] for kind in content.values() for name, one in kind.get("examples", {}).items()}


def differences(operation, reply):
    """Where an answer differs from what is documented for its status.

    What the document's own examples do as well is the schema's mistake and not told.
    """
    method, path = operation.split(" ")
    responses = document()["paths"][path][method.lower()]["responses"]
    documented = _followed(responses.get(str(reply.status)))
    if documented is None:
        return {f"status {reply.status} is not documented"}
    bodies = [one for one in documented.get("content", {}).values() if "schema" in one]
    if not bodies:
        return {"there is a body"} if reply.answer.body else set()
    if isinstance(reply.body, bytes):
        return {"the body is no JSON"}
    schema, examples = bodies[0]["schema"], _examples(bodies[0])
    return _of(reply.body, schema).difference(*(_of(one, schema) for one in examples))


def _of(body, schema):
    return set(_compared(body, schema)) | set(_keys(body, schema))


def _followed(value):
    """What a reference is to, or the value itself."""
    while isinstance(value, dict) and "$ref" in value:
        place = document()
        for part in value["$ref"].removeprefix("#/").split("/"):
            place = place[part]
        value = place
    return value


def _examples(content):
    """The documented examples of an answer; one of them is nested once too often."""
    named = {**content.get("examples", {}), **content.get("example", {})}
    return [
        one["value"] for one in map(_followed, named.values()) if isinstance(one, dict) and "value" in one
    ]


def _compared(body, schema):
    from jsonschema import Draft4Validator

    whole = _meant(schema) | {"components": components()}
    for error in Draft4Validator(whole).iter_errors(body):
        yield from _sentences(error)


def _sentences(error):
    """One sentence for an error; for one of several alternatives those of the nearest."""
    if error.validator == "anyOf":
        by_choice = {}
        for one in error.context:
            by_choice.setdefault(one.schema_path[0], []).append(one)
        for one in min(by_choice.values(), key=len, default=[]):
            yield from _sentences(one)
        return
    where = "".join(_step(one) for one in error.absolute_path).lstrip(".") or "the body"
    kind = "null" if error.instance is None else _KINDS[type(error.instance).__name__]
    if error.validator == "type":
        wanted = error.validator_value
        yield f"{where} is {kind}, not {wanted if isinstance(wanted, str) else ' or '.join(wanted)}"
    elif error.validator == "enum":
        yield f"{where} is {error.instance!r}, which is not listed"
    else:
        yield f"{where} breaks {error.validator}"


def _step(part):
    return "[]" if isinstance(part, int) else f".{_named(part)}"


# Which keys there are.


def _keys(body, schema):
    """Keys that are not documented, and documented ones that are nowhere in a list or an object."""
    theirs, ours = {}, {}
    _walk(body, schema, "", theirs, ours)
    for where, keys in ours.items():
        for key in keys - theirs[where]:
            yield f"{where}{key} is not documented".lstrip(".")
        for key in theirs[where] - keys:
            yield f"{where}{key} is missing".lstrip(".")


def _walk(body, schema, where, theirs, ours):
    schema = _resolved(schema, body)
    if isinstance(body, list):
        for one in body:
            _walk(one, schema.get("items", {}), f"{where}[]", theirs, ours)
    if not isinstance(body, dict):
        return
    known = {_named(key): one for key, one in schema.get("properties", {}).items()}
    more = schema.get("additionalProperties")
    if known and more is None:
        theirs.setdefault(f"{where}.", set()).update(known)
        ours.setdefault(f"{where}.", set()).update(map(_named, body))
    for key, one in body.items():
        below = known.get(_named(key), more if isinstance(more, dict) else {})
        _walk(one, below, f"{where}.{_named(key)}", theirs, ours)


def _resolved(schema, body):
    """A schema with its references followed, its parts as one, and the alternative that fits best."""
    if "$ref" in schema:
        return _resolved(_followed(schema), body)
    chosen = [one for key in ("oneOf", "anyOf") for one in schema.get(key, [])]
    if chosen:
        return max((_resolved(one, body) for one in chosen), key=lambda one: _shared(one, body))
    merged = dict(schema)
    for part in (_resolved(one, body) for one in schema.get("allOf", [])):
        merged = {**part, **merged, "properties": part.get("properties", {}) | merged.get("properties", {})}
    return merged


def _shared(schema, body):
    """How many of the documented keys are there."""
    if isinstance(body, list) and body:
        return _shared(_resolved(schema.get("items", {}), body[0]), body[0])
    return len(schema.get("properties", {}).keys() & body.keys()) if isinstance(body, dict) else 0


def _named(key):
    return "{}" if _ID.fullmatch(key) else key
