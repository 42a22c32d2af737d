"""The JSON Schema of ``fleet.yaml``, for editors; made from the models, so it cannot lag."""

from fleet_tui.config.models import FleetFile

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def fleet_schema() -> dict[str, object]:
    """JSON Schema (draft 2020-12) of fleet files, version 1.

    Editors see values after YAML's own typing, so numbers are allowed where digits are read. What
    only the loader can know (names that must exist, secrets) is left to ``fleet-tui check``.
    """
    schema = FleetFile.model_json_schema()
    return {"$schema": DIALECT, "title": "fleet.yaml, version 1", **_named(schema)}


def _named(schema: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in schema.items() if key != "title"}
