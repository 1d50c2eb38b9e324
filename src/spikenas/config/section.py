"""What a section of a configuration is: a pydantic model. An unknown key is an error, and so is an empty text."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Self

from pydantic import ConfigDict, ValidationError, model_validator

from spikenas._util.errors import ConfigError, SettingError
from spikenas._util.explain import explain
from spikenas._util.model import CheckedModel
from spikenas._util.words import hint


class Section(CheckedModel):
    """A group of settings; its values cannot be changed, `but` makes another one.

    Raises:
        ConfigError: A key is unknown, or a value is wrong.
    """

    model_config = ConfigDict(str_min_length=1)
    following: ClassVar[frozenset[str]] = frozenset()  # keys that follow from others here where they are not set

    def __init__(self, /, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigError(self._first_problem(error, type(self).__name__, {})) from None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        self.follow()
        return self

    def follow(self, known: Collection[str] = ()) -> None:
        """Fill in what follows from other settings here, where it is neither set nor known from elsewhere."""

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]  # it is no part of validating a section in another

    @classmethod
    def parse(
        cls, values: Mapping[str, Any], source: str = "configuration", given: Mapping[str, str] | None = None
    ) -> Self:
        """Build from nested mappings.

        Args:
            values: By section and key.
            source: Where they come from.
            given: For keys such as `train.lr` what they were given by, where that says more than source and key.
        Raises:
            ConfigError: A key is unknown, a type is wrong or a value is out of range; names the first and its place.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ConfigError(cls._first_problem(error, source, given or {})) from None
        except SettingError as error:
            where = (given or {}).get(error.key, f"{source}: {error.key}")
            raise ConfigError(f"{where}: {error.problem}") from None

    def followed(self) -> list[str]:
        """Return the keys whose values are those that follow from others, also where they were written down."""
        values = self.model_dump(exclude=set(self.following))
        usual = type(self).model_validate(values)
        return [key for key in self.following if getattr(usual, key) == getattr(self, key)]

    def but(self, changes: Mapping[str, Any]) -> Self:
        """Return a validated copy with some settings changed.

        Args:
            changes: Values by dotted key, such as `network.channels`; a whole section is replaced under its name.
        Raises:
            ConfigError: A key is unknown or a value is wrong.
        """
        values = self.model_dump(exclude=set(self.following - self.model_fields_set))
        changed = self.parse(with_changes(values, changes), "settings", {key: key for key in changes})
        changed.__pydantic_fields_set__.intersection_update(self.model_fields_set | changes.keys())
        return changed

    def given(self) -> dict[str, Any]:
        """Return what was set, and what is no default."""
        fields = type(self).model_fields
        return {
            key: value
            for key, value in self.model_dump().items()
            if key in self.model_fields_set or (key not in self.following and value != fields[key].get_default())
        }

    @classmethod
    def _first_problem(cls, error: ValidationError, source: str, given: Mapping[str, str]) -> str:
        problem = error.errors()[0]
        keys = [str(part) for part in problem["loc"][:2]]  # what follows is a place in a list, or a type of a union
        key = ".".join(keys)
        where = given.get(key, f"{source}: {key}")
        if problem["type"] != "extra_forbidden":
            return f"{where}: {explain(error)}"
        model: Any = cls
        for part in keys[:-1]:
            model = model.model_fields[part].annotation
        return f"{where}: unknown key, {hint(keys[-1], model.model_fields)}"


def with_changes(values: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested values with some of them changed, by dotted key.

    Raises:
        ConfigError: What should be a section is a value.
    """
    values = {key: dict(value) if isinstance(value, dict) else value for key, value in values.items()}
    for key, value in changes.items():
        place = values
        if not isinstance(key, str):
            raise ConfigError(f"{key!r}: expected a text as key, such as network.channels")
        *sections, last = key.split(".")
        for section in sections:
            place = place.setdefault(section, {})
            if not isinstance(place, dict):
                raise ConfigError(f"{key}: {section} is not a section")
        place[last] = value.given() if isinstance(value, Section) else value
    return values
