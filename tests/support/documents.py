"""The shape of what ``--json`` prints: where its objects stand and what each is made of."""

import json
from pathlib import Path

GOLDEN = Path(__file__).parent.parent / "cli" / "documents.json"

Shape = dict[str, list[str]]
"""Where an object stands, such as ``.tasks[].spec`` -> its keys in order."""

TAGS = ("type", "kind")
"""Keys that say which of several kinds an object is; where it stands ends with ``<kind>`` then."""
TAGGED = (".reply", ".event")


def shape_of(document: object) -> Shape:
    """Every object in a document. Of those whose keys are data (an agent's labels, counts by
    priority) only that they are there."""
    found: Shape = {}

    def add(value: object, at: str) -> None:
        match value:
            case dict():
                own = at.rpartition(".")[2]
                if own in ("labels", "env") or own.startswith("by_") or "_by_" in own:
                    return
                if at.endswith(TAGGED):
                    at += f"<{next(value[tag] for tag in TAGS if tag in value)}>"
                assert found.setdefault(at, sorted(value)) == sorted(value), at
                for key, inner in value.items():
                    add(inner, f"{at}.{key}")
            case list():
                for inner in value:
                    add(inner, f"{at}[]")
            case _:  # a plain value
                pass

    add(document, "")
    return found


def schema_of(document: object) -> str:
    """``tasks/1``."""
    assert isinstance(document, dict)
    return str(document["schema"]).removeprefix("fleet-tui/")


def golden() -> dict[str, Shape]:
    """Schema -> shape."""
    made: dict[str, Shape] = json.loads(GOLDEN.read_text())
    return made


def assert_known(*documents: object) -> None:
    """Their objects are made of what they always were. Which optional parts and kinds of events
    there are depends on the moment, so it is not asked; a part that is new is a new key of what
    holds it."""
    known = golden()
    for document in documents:
        shape, expected = shape_of(document), known[schema_of(document)]
        other = {at: keys for at, keys in shape.items() if expected.get(at, keys) != keys}
        assert other == {}, f"{schema_of(document)} is not as in {GOLDEN.name}"
