"""The whole configuration of a run, complete as soon as it is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import tomli_w
from pydantic import Field, PrivateAttr, model_validator

from spikenas._util.errors import ConfigError, SettingError
from spikenas._util.files import read_toml
from spikenas._util.paths import user_path
from spikenas._util.units import Duration
from spikenas.config.budget_section import SPEED, BudgetConfig
from spikenas.config.design_sections import DesignsConfig, RaceConfig
from spikenas.config.named import find_space, is_space, network_of
from spikenas.config.section import Section, with_changes
from spikenas.config.sections import (
    SNASNET_RECIPE,
    DataConfig,
    EnhancementConfig,
    ExecutorConfig,
    FidelityConfig,
    NetworkConfig,
    QuantiseConfig,
    SearchConfig,
    ShortTrainingConfig,
    SpaceConfig,
    TrainConfig,
)
from spikenas.targets import TARGETS, limits_of

SEARCH_SHARE = 0.25  # of the time of a run, for the search of its design; the training has the rest
_ANY = object()


class Config(Section):
    """One run. `Config.load` reads it, `dump` writes it back.

    What follows from other settings is filled in when it is made, by whomever: a target's limits and core, the ops of a
    named space and the network of a benchmark for its data set. Such values count as not set.
    """

    seed: int = Field(0, ge=0, lt=2**32)
    device: str = Field("cpu", description="as PyTorch names it: cpu, cuda, cuda:1, mps")
    threads: int | None = Field(
        None, ge=1, le=1_024, description="CPU threads, or workers, side by side; absent: all cores"
    )
    time: Duration | None = Field(
        None, description="of the search of designs and the training together; the training has what is left"
    )
    twin: bool = Field(False, description="train the same plan with relu neurons too, for as long, for comparison")
    data: DataConfig = DataConfig()
    network: NetworkConfig = NetworkConfig()
    budget: BudgetConfig = BudgetConfig()
    space: SpaceConfig = SpaceConfig()
    designs: DesignsConfig = DesignsConfig()
    enhancement: EnhancementConfig = EnhancementConfig()
    search: SearchConfig = SearchConfig()
    race: RaceConfig = RaceConfig()
    fidelity: FidelityConfig = FidelityConfig()
    short_training: ShortTrainingConfig = ShortTrainingConfig()
    executor: ExecutorConfig = ExecutorConfig()
    train: TrainConfig = TrainConfig()
    quantise: QuantiseConfig = QuantiseConfig()
    _beyond: dict[str, Any] = PrivateAttr(default_factory=dict)  # limits asked for that a target's are below

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for section, values in self._following():
            old: Section = getattr(self, section)
            new = old.model_copy()
            for key, (value, rule) in values.items():
                is_set = key in old.model_fields_set
                given = getattr(old, key) if is_set else None
                taken = rule(given, value)
                new.__dict__[key] = taken
                if given != taken and given is not None and rule is _least:
                    self._beyond[f"{section}.{key}"] = given
                if is_set and taken == value:
                    new.__pydantic_fields_set__.discard(key)
            new.follow(values)
            self.__dict__[section] = new
        if self.network.kind == "snasnet" and self.fidelity.neuron not in ("lif", "network"):
            raise SettingError("fidelity.neuron", f"snasnet has lif neurons, got {self.fidelity.neuron}")
        if self.twin and not self.network.is_spiking:
            raise SettingError("twin", "the network itself has relu neurons, so it is its own twin")
        if self.network.kind == "snasnet" and self.twin:
            raise SettingError("twin", "snasnet has lif neurons alone; a twin is one of the network compact")
        if self.searches_designs and self.network.kind == "snasnet":
            raise SettingError("time", "designs are networks of the kind compact; snasnet is searched by cells")
        self._require_speed()
        if self.train.spike_penalty and not self.network.is_spiking:
            raise SettingError("train.spike_penalty", "relu neurons send no spikes; take 0")
        return self

    def _require_speed(self) -> None:
        """Check that what limits of time and energy need is known of the device."""
        needed = {"instructions": (), "latency": ("clock", "cycles"), "energy": ("clock", "cycles", "power")}
        for limit, keys in needed.items():
            if getattr(self.budget, limit) is None:
                continue
            if not self.budget.counts_instructions:
                raise SettingError(
                    f"budget.{limit}",
                    f"expected a device whose instructions are known, not {self.budget.target}, whose processor is "
                    "none of those that are measured; leave it out, or name another --target",
                )
            if missing := [key for key in keys if getattr(self.budget, key) is None]:
                at = " at this clock" if missing == ["power"] and "clock" in self.budget.model_fields_set else ""
                other = f", not {self.budget.target}{at}; name another" if self.budget.target else "; name a"
                wanted = " and ".join(f"budget.{key}" for key in missing)
                raise SettingError(
                    f"budget.{limit}",
                    f"expected a device whose {', '.join(missing)} {'are' if len(missing) > 1 else 'is'} known{other} "
                    f"--target, set {wanted}, or limit --instructions",
                )

    def _following(self) -> Iterator[tuple[str, dict[str, tuple[Any, Callable[[Any, Any], Any]]]]]:
        """By section and key what other settings say, and what becomes of it beside a value that is set."""
        found: dict[str, dict[str, tuple[Any, Callable[[Any, Any], Any]]]] = {}
        if self.space.name is not None:
            found["space"] = {"ops": (find_space(self.space.name).ops, _given)}
            found["network"] = {key: (value, _given) for key, value in self._named_network().items()}
        if self.budget.target is not None and not self._is_whole:
            limits, speed, core = limits_of(self.budget.target)
            if self.budget.clock not in (None, speed["clock"]):
                speed["power"] = None  # which is that of the target's own clock
            found["budget"] = {key: (value, _least) for key, value in limits.items()}
            found["budget"] |= {key: (value, _given) for key, value in speed.items()}
            found.setdefault("network", {})["core"] = (core, lambda given, value: value)
        yield from found.items()
        if self.searches_designs:
            yield "search", {"strategy": ("random", _given), "score": ("capacity", _given)}
        by_muon = self.train.optimiser == "muon" and "optimiser" in self.train.model_fields_set
        if self.network.kind == "snasnet" and not by_muon:
            yield "train", {key: (value, _given) for key, value in SNASNET_RECIPE.items()}

    @property
    def searches_designs(self) -> bool:
        """Whether the search decides designs, by a race, rather than the cells of a network of fixed settings."""
        return self.search_seconds is not None or self.race.epochs is not None

    @property
    def for_designs(self) -> list[str]:
        """Keys that are set and that no search but one of designs reads."""
        sections = {"designs": self.designs, "race": self.race}
        return [f"{name}.{key}" for name, section in sections.items() for key in section.given()]

    @property
    def search_seconds(self) -> float | None:
        """Time of the search of designs; None where that is not limited by a time."""
        return self.search.time or (None if self.time is None else SEARCH_SHARE * self.time)

    @property
    def _is_whole(self) -> bool:
        """Whether all that a device decides is there, as in a file written before; the device's own may be gone."""
        decided = {"flash", "ram"} <= self.budget.model_fields_set and "core" in self.network.model_fields_set
        return decided and self.budget.target not in TARGETS

    def _named_network(self) -> dict[str, Any]:
        return network_of(self.space.name, self.data.name) if self.space.name is not None else {}

    @classmethod
    def load(cls, path: str | Path) -> Config:
        """Read a TOML file.

        Raises:
            ConfigError: It is not there, not TOML, or not a configuration.
        """
        return cls.parse(read_toml(user_path(path)), str(path))

    def but(self, changes: Mapping[str, Any], given: Mapping[str, str] | None = None) -> Config:
        """Return a validated and completed copy with some settings changed.

        A training is as long as its epochs or its time say, whichever was set last.

        Args:
            changes: Values by dotted key, such as `network.channels`; a whole section is replaced under its name.
            given: For keys what they were given by, for messages.
        Raises:
            ConfigError: A key is unknown, a value is wrong, or both epochs and a time are given.
        """
        given = {key: key for key in changes} | dict(given or {})
        values = self.model_dump(exclude_unset=True)
        if changes.get("train.time") is not None:
            if changes.get("train.epochs") is not None:
                raise ConfigError(f"{given['train.epochs']} and {given['train.time']}: give one of them")
            values.get("train", {}).pop("epochs", None)
        elif changes.get("train.epochs") is not None:
            changes = {**changes, "train.time": None}
        if "budget.target" in changes:
            values = self._without_limits(values)
            if changes["budget.target"] == self.budget.target and self.budget.target not in TARGETS:
                for key in SPEED:  # its file may have changed
                    values.get("budget", {}).pop(key, None)
        for section in {str(key).partition(".")[0] for key in changes} & {"network", "train"}:
            for key in getattr(self, section).followed():
                values.get(section, {}).pop(key, None)
        values = with_changes(values, self._beyond)
        name = changes.get("space.name")
        if isinstance(name, str) and is_space(name):
            values.get("space", {}).pop("ops", None)
            for key in network_of(name, changes.get("data.name", self.data.name)):
                values.get("network", {}).pop(key, None)
        return self.parse(with_changes(values, changes), "settings", given)

    def like(self, other: Config, keys: Iterable[str]) -> Config:
        """Return a copy with some settings, by dotted key, as another configuration has them, where it has them set."""
        values = with_changes(self.model_dump(exclude_unset=True), self._beyond)
        changes = {}
        for key in keys:
            section, _, name = key.partition(".")
            values.get(section, {}).pop(name, None)
            if name in getattr(other, section).model_fields_set:
                changes[key] = other.value(key)
        return self.parse(with_changes(values, changes))

    def _without_limits(self, values: dict[str, Any]) -> dict[str, Any]:
        """The values that were set, without what the target decided, where that can still be told."""
        try:
            limits, speed, core = limits_of(self.budget.target) if self.budget.target else ({}, {}, None)
        except ConfigError:  # a file of the user's that is gone: its limits stay
            return values
        sections: dict[str, dict[str, Any]] = {"budget": {**limits, **speed}, "network": {"core": core}}
        return {
            name: {k: v for k, v in value.items() if sections[name].get(k, _ANY) != v} if name in sections else value
            for name, value in values.items()
        }

    @property
    def sections(self) -> list[str]:
        """Names of the sections."""
        return [name for name in type(self).model_fields if isinstance(getattr(self, name), Section)]

    def value(self, key: str) -> Any:
        """Return a setting by its dotted key."""
        found: Any = self
        for part in key.split("."):
            found = getattr(found, part)
        return found

    def is_decided(self, key: str) -> bool:
        """Say whether a setting was asked for, by itself or by the name of a space."""
        section, _, name = key.partition(".")
        if name in getattr(self, section).model_fields_set or (key == "network.cells" and self.network.widths):
            return True
        if section == "space":
            return name == "ops" and self.space.name is not None
        return section == "network" and name in self._named_network()

    def __repr__(self) -> str:
        return f"Config.parse({self.model_dump(exclude_unset=True)})"

    def dump(self, given: bool = False) -> str:
        """Return the configuration as TOML, absent values left out; with `given` only what was set."""
        return tomli_w.dumps(self.model_dump(exclude_none=True, exclude_unset=given, mode="json"))


def _given(given: Any, value: Any) -> Any:
    return value if given is None else given


def _least(given: int | None, value: int | None) -> int | None:
    limits = [limit for limit in (given, value) if limit is not None]
    return min(limits, default=None)
