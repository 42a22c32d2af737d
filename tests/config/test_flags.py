"""Settings that are true or false, as people write them in a fleet file."""

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, TypeAdapter

from fleet_tui.config import models

FLAGS = [
    (model.__name__, name, Annotated[field.annotation, *field.metadata, "as it is"])
    for model in vars(models).values()
    if isinstance(model, type) and issubclass(model, BaseModel)
    for name, field in model.model_fields.items()
    if "bool" in str(field)
]


def test_there_are_some() -> None:
    assert "keep_sessions" in {name for _, name, _ in FLAGS}


@pytest.mark.parametrize(("model", "name", "kind"), FLAGS, ids=lambda value: str(value)[:40])
def test_each_is_read_from_the_words_of_a_file(model: str, name: str, kind: Any) -> None:
    read: TypeAdapter[object] = TypeAdapter(kind, config={"strict": True})
    assert read.validate_python("true") is True, (model, name)
    assert read.validate_python("false") is False, (model, name)
