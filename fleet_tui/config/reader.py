"""YAML text to a tree of nodes that know their line and column, safe on any bytes.

Nothing is constructed while parsing: the C parser's events are walked once with every limit
checked, so bombs, endless nesting, tags and aliases end in a message before they cost anything.
Scalars stay text (YAML 1.1 would turn ``no`` into false, ``22:22`` into 1342 and ``010`` into 8);
they are interpreted where the expected type is known.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import assert_never

import yaml

from fleet_tui.config.problems import Position, ProblemSeverity, Source, visible

MAX_FILE_BYTES = 1_048_576
MAX_DEPTH = 32
TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"
_TOO_DEEP_FOR_YAML = "exceeded maximum nesting depth"
"""PyYAML from 6.0.4 on raises this for 1,000 brackets, before it returns the first of them."""

MAX_EVENTS = 200_000
MAX_KEY_CHARS = 256

_BOM = "\ufeff"
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Anything but a printable character of YAML 1.2 (section 5.1)."""
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Loc = tuple[str | int, ...]
"""A way into the tree: keys and positions."""


@dataclass(slots=True)
class Scalar:
    """A single value, not interpreted."""

    mark: Position
    width: int
    text: str
    plain: bool
    """Written without quotes."""

    @property
    def is_null(self) -> bool:
        """Whether nothing was written, or a null."""
        return self.plain and self.text in _NULLS


@dataclass(slots=True)
class Sequence:
    """A list."""

    mark: Position
    width: int
    items: "list[Node]" = field(default_factory=list)


@dataclass(slots=True)
class Mapping:
    """Named values, in the file's order."""

    mark: Position
    width: int
    entries: "dict[str, Entry]" = field(default_factory=dict)


Node = Scalar | Sequence | Mapping


@dataclass(slots=True)
class Entry:
    """A key and its value."""

    key: Scalar
    value: Node


def decode(name: str, data: bytes) -> Source:
    """Bytes of a file as a Source; never raises. The Source has the problems.

    UTF-8 only. A byte order mark is dropped with a note.
    """
    if len(data) > MAX_FILE_BYTES:
        source = Source(name, "")
        source.error(None, f"the file is larger than {MAX_FILE_BYTES // 1024} KiB")
        return source
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as broken:
        source = Source(name, data[: broken.start].decode("utf-8"))
        source.error(
            source.mark_at(len(source.text)),
            f"must be UTF-8: byte {broken.start} is 0x{data[broken.start]:02x}",
            hint=_encoding_hint(data),
        )
        return source
    source = Source(name, text.removeprefix(_BOM))
    if text.startswith(_BOM):
        source.add(
            ProblemSeverity.NOTE, Position(1, 1), "the byte order mark at the start was skipped"
        )
    return source


def read(source: Source) -> Node | None:
    """The tree of a file's one document, or None if it has none; never raises.

    Problems go to the source. After an error of syntax there is no tree; after a duplicate key the
    first one stands, so that the rest of the file can still be judged.
    """
    forbidden = _FORBIDDEN.search(source.text)
    if forbidden:
        _refuse_character(source, forbidden)
        return None
    if not source.text.strip():
        return None
    try:
        return _Builder(source).build(yaml.parse(source.text.encode(), Loader=_PARSER))
    except yaml.MarkedYAMLError as broken:
        where = broken.problem_mark or broken.context_mark
        said = ", ".join(part for part in (broken.context, broken.problem) if part)
        mark = source.within(Position(where.line + 1, where.column + 1)) if where else None
        if _TOO_DEEP_FOR_YAML in said:
            source.error(mark, TOO_DEEP)
        else:
            source.error(mark, f"not valid YAML: {visible(said)}", hint=_syntax_hint(source, mark))
    except yaml.YAMLError as broken:
        source.error(None, f"not valid YAML: {visible(str(broken))}")
    except _Stop:
        pass
    return None


def step(node: Node | None, part: str | int) -> Node | None:
    """The child of a node under a key or at a position, if any."""
    match node:
        case Mapping() if isinstance(part, str) and part in node.entries:
            return node.entries[part].value
        case Sequence() if isinstance(part, int) and part < len(node.items):
            return node.items[part]
        case Mapping() | Sequence() | Scalar() | None:
            return None
        case _:
            assert_never(node)


def find(node: Node | None, loc: Loc) -> Node | None:
    """The node at the end of a way, or the last one that exists on it."""
    for part in loc:
        inner = step(node, part)
        if inner is None:
            break
        node = inner
    return node


def find_key(node: Node | None, loc: Loc) -> Node | None:
    """The key that ends a way; the value itself where it ends in a list or nowhere."""
    parent = find(node, loc[:-1])
    last = loc[-1] if loc else ""
    if isinstance(parent, Mapping) and isinstance(last, str) and last in parent.entries:
        return parent.entries[last].key
    return find(node, loc)


def written(node: Node | None, loc: Loc) -> bool:
    """Whether the file has all of a way, valid or not."""
    for part in loc:
        node = step(node, part)
    return node is not None


class _Stop(Exception):
    """Ends the walk of the events; its problem is noted already."""


@dataclass(slots=True)
class _Open:
    """A map or list whose end has not come yet."""

    node: Sequence | Mapping
    key: Scalar | None = None
    skip_value: bool = False
    """The value belongs to a key that was refused."""


class _Builder:
    """Walks the events of one document and keeps every limit."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.open: list[_Open] = []
        self.root: Node | None = None
        self.documents = 0

    def build(self, events: Iterator[yaml.Event]) -> Node | None:
        for count, event in enumerate(events):
            assert event.start_mark is not None  # the parser gives every event its place
            mark = Position(event.start_mark.line + 1, event.start_mark.column + 1)
            if count >= MAX_EVENTS:
                self._stop(mark, f"the file holds more than {MAX_EVENTS:,} values")
            self._plain_yaml_only(event, mark)
            match event:
                case yaml.DocumentStartEvent():
                    self.documents += 1
                    if self.documents > 1:
                        self._stop(mark, "a second document starts here; one file is one fleet")
                case yaml.ScalarEvent():
                    self._scalar(event, mark)
                case yaml.SequenceStartEvent():
                    self._begin(Sequence(mark, 1))
                case yaml.MappingStartEvent():
                    self._begin(Mapping(mark, 1))
                case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                    self.open.pop()
                case _:  # begins and ends of the stream and of documents; aliases were refused
                    pass
        return self.root

    def _plain_yaml_only(self, event: yaml.Event, mark: Position) -> None:
        if isinstance(event, yaml.AliasEvent):
            self._stop(
                mark,
                f"aliases are not allowed (line {mark.line})",
                "repeat the value, or put it in defaults or the pool",
            )
        if not isinstance(event, yaml.NodeEvent):
            return
        if event.anchor is not None:
            self._stop(
                mark,
                f"anchors are not allowed (line {mark.line})",
                "repeat the value, or put it in defaults or the pool",
            )
        if getattr(event, "tag", None) is not None:
            self._stop(mark, "tags are not allowed", "write the plain value without the !tag")

    def _scalar(self, event: yaml.ScalarEvent, mark: Position) -> None:
        assert event.start_mark is not None
        assert event.end_mark is not None
        same_line = event.end_mark.line == event.start_mark.line
        width = event.end_mark.column - event.start_mark.column if same_line else 1
        node = Scalar(mark, max(1, width), event.value, not event.style)
        top = self.open[-1] if self.open else None
        if top and isinstance(top.node, Mapping) and top.key is None:
            self._key(top, top.node, node)
        else:
            self._place(node)

    def _key(self, top: _Open, parent: Mapping, key: Scalar) -> None:
        if key.text == "<<" and key.plain:
            self._stop(key.mark, "merge keys are not allowed", "put what is shared in defaults")
        if len(key.text) > MAX_KEY_CHARS:
            self._stop(key.mark, f"a key is longer than {MAX_KEY_CHARS} characters")
        top.key = key
        top.skip_value = key.text in parent.entries
        if top.skip_value:
            first = parent.entries[key.text].key.mark.line
            self.source.error(
                key.mark,
                f'"{visible(key.text)}" is written twice, on lines {first} and {key.mark.line}',
                hint="keep one of them",
                width=key.width,
            )

    def _begin(self, node: Sequence | Mapping) -> None:
        if len(self.open) >= MAX_DEPTH:
            self._stop(node.mark, TOO_DEEP)
        top = self.open[-1] if self.open else None
        if top and isinstance(top.node, Mapping) and top.key is None:
            self._stop(node.mark, "a key must be a plain word, not a list or a map")
        self._place(node)
        self.open.append(_Open(node))

    def _place(self, node: Node) -> None:
        if not self.open:
            self.root = node
            return
        top = self.open[-1]
        if isinstance(top.node, Sequence):
            top.node.items.append(node)
            return
        assert top.key is not None
        if not top.skip_value:
            top.node.entries[top.key.text] = Entry(top.key, node)
        top.key = None

    def _stop(self, mark: Position, message: str, hint: str = "") -> None:
        self.source.error(mark, message, hint=hint)
        raise _Stop


def _refuse_character(source: Source, found: re.Match[str]) -> None:
    offset = len(source.text[: found.start()].encode())
    source.error(
        source.mark_at(found.start()),
        f"must be UTF-8 text: byte {offset} is the control character U+{ord(found.group()):04X}",
    )


def _encoding_hint(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "this looks like UTF-16; save it as UTF-8"
    return "save the file as UTF-8"


def _syntax_hint(source: Source, mark: Position | None) -> str:
    line = source.line(mark.line) if mark else ""
    if "\t" in line:
        return "indent with spaces, not with a tab"
    if "${" in line:
        return 'between { } or [ ] a variable needs quotes: "${NAME}"'
    return "look at the line above too; quote text that holds ': ' or ' #'"
