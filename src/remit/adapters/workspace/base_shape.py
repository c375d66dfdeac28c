"""What the shapes of all kinds of resource are made of."""

from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

Text: TypeAlias = Annotated[str, Field(max_length=1_000)]
Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=200)]
Names: TypeAlias = Annotated[list[Name], Field(max_length=1_000)]
Word: TypeAlias = Annotated[str, Field(max_length=32_768)]
Paths: TypeAlias = Annotated[list[Word], Field(max_length=100)]


class Shape(BaseModel):
    """No conversions, no unknown fields."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
