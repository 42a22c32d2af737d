"""A tree of nodes to a validated :class:`FleetFile`, every problem with its line and column."""

from collections.abc import Mapping as MappingABC
from dataclasses import dataclass
from typing import get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from fleet_tui.config import expand, secrets
from fleet_tui.config.models import FleetFile
from fleet_tui.config.problems import Source, did_you_mean, visible
from fleet_tui.config.reader import Loc, Mapping, Node, Scalar, Sequence, find, find_key
from fleet_tui.config.values import Expanded, Unacceptable, shown
from fleet_tui.core.text.redaction import is_token

_STAND_IN = {"version": "1", "fleet": "fleet"}
"""Allows the rest of a file to be validated whatever these two contain."""
_LEFT_OUT = "left-out"
MAX_DEPTH = 8
"""Of a value within the others; none is deeper."""
_MAY_BE_EMPTY = frozenset({"hosts", "pools", "agents"})
_ADVICE = {
    "include": "include is not supported in version 1: one fleet is one file",
    "proxy_command": "a fleet file never carries commands for this machine; use jump: <host>, or "
    "ProxyCommand in your own ~/.ssh/config",
    "ssh_options": "SSH options belong into ~/.ssh/config; only jump, user, port, identity, "
    "known_hosts and connect_timeout can be said here",
    "forward_agent": "agents are never forwarded",
    "client": "isolate: <client> reserves an agent for clients",
    "user": "the login belongs to a host: hosts.<name>.user, or defaults.user",
    "jump": "jump belongs to a host: hosts.<name>.jump, or defaults.jump",
    "identity": "identity belongs to a host: hosts.<name>.identity, or defaults.identity",
}
_ADVICE["proxycommand"] = _ADVICE["proxy_command"]
_ADVICE["ssh_args"] = _ADVICE["ssh_options"]


@dataclass(frozen=True, slots=True)
class Valid:
    """The valid part of a file."""

    file: FleetFile
    whole: bool
    """False if something had to be left out; such a file only serves to find more problems."""


def validate(source: Source, root: Node, env: MappingABC[str, str]) -> Valid | None:
    """The file's content, or its valid part; the problems go to ``source``.

    None if nothing useful is left. Never raises.
    """
    if not isinstance(root, Mapping):
        source.error(root.mark, "expected keys such as version, fleet and agents")
        return None
    plain = _Plain(source, env).value(root, ())
    assert isinstance(plain, dict)
    try:
        return Valid(FleetFile.model_validate(plain), whole=not source.errors)
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False, include_input=True)
    for error in errors:
        if source.full:
            source.error(None, error["type"])
        else:
            _translate(source, root, error)
        _leave_out(plain, error["loc"])
    for _ in range(MAX_DEPTH):
        try:
            return Valid(FleetFile.model_validate({**plain, **_STAND_IN}), whole=False)
        except ValidationError as invalid:
            # Missing or removed parts may make the whole invalid.
            for error in invalid.errors(include_url=False, include_input=False):
                _leave_out(plain, error["loc"][:-1])
    return None


def _leave_out(plain: object, loc: Loc) -> None:
    """Remove the subject of an error from the plain values."""
    way = loc[:-1] if loc[-1:] == ("[key]",) else loc
    for at, part in enumerate(way):
        inner = None
        if isinstance(plain, dict):
            inner = plain.get(part)
            if not isinstance(inner, dict | list) or at == len(way) - 1:
                plain.pop(part, None)
                return
        elif isinstance(plain, list) and isinstance(part, int) and part < len(plain):
            # Positions must stay, or the next error would be taken for another's.
            inner = plain[part]
            if not isinstance(inner, dict | list) or at == len(way) - 1:
                plain[part] = _LEFT_OUT
                return
        plain = inner


def dotted(loc: Loc) -> str:
    """``agents.a1.capabilities[0]``."""
    said = ""
    for part in loc:
        said += f"[{part}]" if isinstance(part, int) else f".{part}"
    return said.removeprefix(".")


class _Plain:
    """Nodes to plain text, lists and maps, with variables expanded; reports invalid values."""

    def __init__(self, source: Source, env: MappingABC[str, str]) -> None:
        self.source = source
        self.env = env
        self.room = expand.MAX_GROWTH_CHARS

    def value(self, node: Node, loc: Loc) -> object:
        match node:
            case Scalar():
                return self._scalar(node, loc)
            case Sequence():
                return [self.value(each, (*loc, at)) for at, each in enumerate(node.items)]
            case Mapping():
                plain = {}
                for key, entry in node.entries.items():
                    if is_token(key):
                        self._secret(entry.key, loc)
                        continue
                    if _holds_secret(key, entry.value, loc):
                        self._secret(entry.key, (*loc, key))
                        continue
                    plain[key] = self.value(entry.value, (*loc, key))
                return plain

    def _scalar(self, node: Scalar, loc: Loc) -> str | None:
        if node.is_null:
            if not _may_be_empty(loc):
                self._say(node, loc, "has no value", "leave the key out to use the default")
            return None
        try:
            value = expand.expand(node.text, self.env)
            self.room -= max(0, len(value) - len(node.text))
            if self.room < 0:
                raise ValueError("the file's variables add too much text")
        except ValueError as unresolved:
            self._say(node, loc, visible(str(unresolved)), 'write "$$" for a plain dollar sign')
            return Expanded("unresolved")
        if is_token(value):
            self._secret(node, loc)
            return Expanded("secret")
        return value if value is node.text or value == node.text else Expanded(value)

    def _secret(self, node: Scalar, loc: Loc) -> None:
        self._say(
            node,
            loc,
            "secrets do not belong here",
            "write a reference such as token: secret:env:NAME, and change this secret",
        )

    def _say(self, node: Scalar, loc: Loc, message: str, hint: str) -> None:
        self.source.error(node.mark, message, path=dotted(loc), hint=hint, width=node.width)


def _holds_secret(key: str, value: Node, loc: Loc) -> bool:
    """Whether people keep secrets under such a key; labels and variables may have such names."""
    if loc[-1:] in (("env",), ("labels",)) or not isinstance(value, Scalar):
        return False
    return key.lower() in secrets.SECRET_KEYS


def _may_be_empty(loc: Loc) -> bool:
    return len(loc) == 1 or (len(loc) == 2 and loc[0] in _MAY_BE_EMPTY)


def _translate(source: Source, root: Node, error: ErrorDetails) -> None:
    loc: Loc = error["loc"]
    value = error["input"]
    at_key = False
    if loc and loc[-1] == "[key]":
        loc, at_key = loc[:-1], True
    message, hint = _message(error, value, loc)
    if not message:
        return
    missing = error["type"] == "missing"
    point = loc[:-1] if missing else loc
    keyed = at_key or missing or error["type"] == "extra_forbidden"
    node = find_key(root, point) if keyed else find(root, point)
    if keyed and missing and not point:
        node = None
    width = node.width if isinstance(node, Scalar) else 1
    path = dotted(point if missing or at_key or error["type"] == "extra_forbidden" else loc)
    if error["type"] == "extra_forbidden":
        path = dotted(loc[:-1])
    source.error(node.mark if node else None, message, path=path, hint=hint, width=width)


def _message(error: ErrorDetails, value: object, loc: Loc) -> tuple[str, str]:
    """The message and hint; empty for problems that were already reported."""
    if isinstance(value, Expanded) and value in ("unresolved", "secret"):
        return "", ""
    match error["type"]:
        case "value_error":
            reason = error["ctx"]["error"]
            if isinstance(reason, Unacceptable):
                return reason.message, reason.hint
            return str(reason), ""
        case "missing":
            return f'"{loc[-1]}" is missing', ""
        case "extra_forbidden":
            return _unknown_key(str(loc[-1]), loc[:-1])
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"expected a map (key: value), got {shown(value)}", ""
        case "list_type":
            return f"expected a list, got {shown(value)}", ""
        case "string_type":
            return f"expected text, got {shown(value)}", ""
        case "too_long":
            return f"has more than {error['ctx']['max_length']:,} entries", ""
        case _:  # pydantic has many more types, and its own messages for them
            return visible(error["msg"]), ""


def _unknown_key(key: str, parent: Loc) -> tuple[str, str]:
    known = _keys_at(parent)
    message = f'unknown key "{visible(key, limit=64)}"'
    advice = _ADVICE.get(key.lower(), "")
    if advice:
        return message, advice
    suggestion = did_you_mean(key, known)
    return message + suggestion, "" if suggestion else f"known here: {', '.join(sorted(known))}"


def _keys_at(loc: Loc) -> frozenset[str]:
    model: type[BaseModel] = FleetFile
    for part in loc:
        field = model.model_fields.get(part) if isinstance(part, str) else None
        inner = _model_in(field.annotation) if field else None
        model = inner or model
    return frozenset(model.model_fields)


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in get_args(annotation):
        found = _model_in(part)
        if found:
            return found
    return None
