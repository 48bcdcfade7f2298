"""What every manifest is made of: strict models, names, shares, and rules over columns."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Identifier = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]{0,62}$")]


class Model(BaseModel):
    """Immutable, and strict: an unknown key or a wrong type is an error, never a guess."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Bound(Model):
    """A column within limits, both included."""

    column: str
    at_least: float | None = None
    at_most: float | None = None


class Rule(Model):
    """A document whose column lies beyond the limit is dropped, with the rule's name as the reason."""

    name: Identifier
    column: str
    above: float | None = Field(default=None, description="the limit; a larger value fails")
    below: float | None = Field(default=None, description="the limit; a smaller value fails")
    when: list[Bound] = Field(default=[], description="what must hold as well, or the rule does not judge")
    only: list[Identifier] = Field(default=[], description="the categories that it judges; none: every one")
    categories: dict[Identifier, float | None] = Field(default={}, description="other limits; null: it does not judge")
    off: bool = Field(default=False, description="it judges only where a recipe gives it a limit")
    why: str = Field(description="what an engineer would say of such a document, or why the rule is off")

    @model_validator(mode="after")
    def _one_limit(self) -> Rule:
        if (self.above is None) == (self.below is None):
            raise ValueError("give either above or below")
        return self

    @property
    def limit(self) -> float:
        """The limit where no category has another."""
        return self.above if self.above is not None else self.below  # type: ignore[return-value]

    def with_limit(self, limit: float) -> Rule:
        """The rule with another limit for every category, and on."""
        side = "above" if self.below is None else "below"
        return self.model_copy(update={side: limit, "categories": {}, "off": False})


Limits = dict[Identifier, float | None]
