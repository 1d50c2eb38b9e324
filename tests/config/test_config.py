from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from spikenas._util.errors import ConfigError, GenotypeError
from spikenas._util.files import read_toml
from spikenas.cli.options import DATASET, EPOCHS, EXECUTOR, NETWORK, OPS, SEARCH, SEED, SET, SIZES, SPACE, TARGET, Given
from spikenas.config import BudgetConfig, Config, NetworkConfig, TrainConfig
from spikenas.space import Genotype, InputSpec
from spikenas.space.texts import parse_input, read_genotype, read_genotypes

QUICK = settings(max_examples=60, deadline=None)
FINITE = {"allow_nan": False, "allow_infinity": False}


OPTIONS = (DATASET, *SIZES, TARGET, *EXECUTOR, *NETWORK, SPACE, OPS, *SEARCH, EPOCHS, SEED, SET)


def options(base: Config | None = None, **given: Any) -> Config:
    read = Given.of(OPTIONS, {option.name: given.get(option.name) for option in OPTIONS})
    return (base or Config()).but(read.words, read.sources)


def assigned(*assignments: str) -> Config:
    return options(set_=list(assignments))


def sections() -> st.SearchStrategy[dict[str, Any]]:
    def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
        return st.fixed_dictionaries({}, optional=fields)

    names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
    positive = st.floats(1e-6, 100, **FINITE)
    return some(
        seed=st.integers(0, 2**32 - 1),
        threads=st.integers(1, 64),
        data=some(name=names, root=names, image_size=st.integers(1, 512), validation_share=st.floats(0.01, 0.99)),
        network=some(
            kind=st.sampled_from(["compact", "snasnet"]),
            channels=st.one_of(st.just("auto"), st.integers(1, 512)),
            tau=st.floats(1.001, 1e3),
            v_reset=st.floats(-10, 0, **FINITE),
            v_threshold=positive,
            weight_bits=st.sampled_from([2, 4, 8]),
        ),
        budget=some(params=st.integers(1, 10**12), flash=st.integers(1, 10**12), ram=st.sampled_from(["96KiB", "1MB"])),
        space=some(ops=st.lists(st.sampled_from(["skip", "conv3x3@0.5", "none"])), feedback=st.booleans()),
        search=some(previous=st.sampled_from(["fixed", "same"]), refine=st.integers(0, 9)),
        fidelity=some(channels=st.integers(1, 64), repeats=st.integers(1, 9)),
        train=some(lr=positive, flip=st.booleans(), crop=st.integers(0, 8), tensorboard=st.booleans()),
    )


@QUICK
@given(sections())
def test_toml_round_trip(values: dict[str, Any]) -> None:
    config = Config.parse(values)
    assert Config.parse(tomllib.loads(config.dump())) == config


def test_a_value_that_is_absent_by_choice_survives_the_round_trip() -> None:
    """TOML has no null, so that the width of the network itself is a word."""
    config = Config.parse({"fidelity": {"channels": "network"}})
    assert config.fidelity.channels == "network"
    assert Config.parse(tomllib.loads(config.dump())) == config


def test_defaults() -> None:
    config = Config.parse({})
    assert config == Config()
    assert (config.network.kind, config.network.channels, config.network.timesteps) == ("compact", "auto", 1)
    assert (config.network.neuron, config.network.levels) == ("ilif", 7)
    assert (config.network.tau, config.network.v_threshold) == (4 / 3, 1.0)
    assert config.space.ops == ("skip", "conv3x3")
    assert config.budget == BudgetConfig()


def recipe(config: Config) -> tuple[str, float, float, int | None]:
    return config.train.optimiser, config.train.lr, config.train.momentum, config.train.batch


PUBLISHED = ("sgd", 0.1, 0.9, 64)


@pytest.mark.parametrize("values", [{"network": {"kind": "snasnet"}}, {"space": {"name": "spikenas-bench"}}], ids=str)
def test_networks_of_the_papers_are_trained_as_they_were(values: dict[str, Any]) -> None:
    config = Config.parse(values)
    assert (config.network.kind, config.network.neuron, config.network.timesteps) == ("snasnet", "lif", 5)
    assert recipe(config) == PUBLISHED
    assert Config.parse(tomllib.loads(config.dump())) == config
    assert recipe(config.but({"train.epochs": 3})) == PUBLISHED
    assert recipe(config.but({"train.lr": 0.3, "train.batch": 16})) == ("sgd", 0.3, 0.9, 16), "what is set stays"
    assert recipe(config.but({"train.optimiser": "sgd"})) == PUBLISHED
    assert recipe(config.but({"train.optimiser": "muon"})) == ("muon", 0.1, 0.6, None)


def test_the_recipe_goes_with_the_kind_of_network() -> None:
    published = Config().but({"network.kind": "snasnet"})
    assert recipe(published) == PUBLISHED
    back = published.but({"network.kind": "compact"})
    assert recipe(back) == recipe(Config()) == ("muon", 0.1, 0.6, None)
    assert (back.network.neuron, back.network.timesteps) == ("ilif", 1)


def test_rate_and_momentum_follow_the_optimiser() -> None:
    by_sgd = Config.parse({"train": {"optimiser": "sgd"}})
    assert recipe(by_sgd) == recipe(Config().but({"train.optimiser": "sgd"})) == ("sgd", 0.8, 0.9, None)
    assert recipe(by_sgd.but({"train.optimiser": "muon"})) == ("muon", 0.1, 0.6, None)
    assert recipe(by_sgd.but({"train.epochs": 3})) == ("sgd", 0.8, 0.9, None)
    assert recipe(Config.parse(tomllib.loads(by_sgd.dump()))) == ("sgd", 0.8, 0.9, None)
    assert {"lr", "momentum"}.isdisjoint(tomllib.loads(by_sgd.dump(given=True))["train"]), "nobody set them"
    for key, expected in (("lr", ("sgd", 0.05, 0.9, None)), ("momentum", ("sgd", 0.8, 0.05, None))):
        one = Config.parse({"train": {"optimiser": "sgd", key: 0.05}})
        assert recipe(one) == expected
        assert getattr(one.but({"train.optimiser": "muon"}).train, key) == 0.05, "what is set stays"
    section = TrainConfig().but({"optimiser": "sgd"})
    assert (section.lr, section.momentum) == (0.8, 0.9)
    again = section.but({"optimiser": "muon"})
    assert (again.lr, again.momentum) == (0.1, 0.6)


def test_sizes_and_counts_take_units() -> None:
    budget = Config.parse({"budget": {"params": "1.2M", "flash": "96KiB", "ram": 131_072}}).budget
    assert (budget.params, budget.flash, budget.ram) == (1_200_000, 98_304, 131_072)


@pytest.mark.parametrize(
    ("values", "fragment"),
    [
        ({"train": {"lrr": 1}}, "here: train.lrr: unknown key, did you mean 'lr'?"),
        ({"nettwork": {}}, "here: nettwork: unknown key, did you mean 'network'?"),
        ({"network": {"chanels": 3}}, "network.chanels: unknown key, did you mean 'channels'?"),
        ({"budget": {"zzz": 3}}, "budget.zzz: unknown key, known: target, params, flash, ram"),
        ({"train": {"epochs": "many"}}, "train.epochs: expected a whole number, got 'many'"),
        ({"train": {"epochs": 0}}, "train.epochs: expected at least 1, got 0"),
        ({"train": 3}, "train: expected a section, got 3"),
        ({"seed": 2**32}, "seed: expected less than 4294967296"),
        ({"network": {"tau": 1.0}}, "network.tau: expected more than 1.0, got 1.0"),
        ({"network": {"kind": "big"}}, "network.kind: expected 'compact' or 'snasnet', got 'big'"),
        ({"network": {"kind": "compat"}}, "got 'compat', did you mean 'compact'?"),
        ({"network": {"channels": "atuo"}}, "got 'atuo', did you mean 'auto'?"),
        ({"network": {"weight_bits": 3}}, "network.weight_bits: expected 2, 4 or 8, got 3"),
        ({"network": {"stem_stride": 3}}, "network.stem_stride: expected 1, 2 or 'auto', got 3"),
        ({"budget": {"flash": "96kits"}}, "budget.flash: expected a size such as 96KiB"),
        ({"budget": {"flash": "96kits"}}, "got '96kits'"),
        ({"budget": {"params": "5KiB"}}, "budget.params: expected a count such as 1.2M"),
        ({"budget": {"ram": 0}}, "budget.ram: expected more than 0, got 0"),
        ({"space": {"ops": ["skip", 3]}}, "space.ops: expected a text, got 3"),
        ({"space": {"nodes": 8}}, "space.nodes: expected at most 7, got 8"),
    ],
)
def test_what_is_wrong_and_where(values: dict[str, Any], fragment: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.parse(values, "here")
    assert fragment in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("channels", [0, -4])
def test_a_width_is_positive(channels: int) -> None:
    with pytest.raises(ConfigError, match=r"network\.channels"):
        Config.parse({"network": {"channels": channels}})


def test_a_wrong_width_is_reported_under_its_own_key() -> None:
    with pytest.raises(ConfigError, match=r"network\.channels: .*auto.*got 'wide'"):
        Config.parse({"network": {"channels": "wide"}})


@pytest.mark.parametrize(
    ("section", "key"), [("train", "lr"), ("network", "tau"), ("network", "v_threshold"), ("network", "v_reset")]
)
@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_numbers_are_finite(section: str, key: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"{section}.{key}"):
        Config.parse({section: {key: value}})


@pytest.mark.parametrize("value", ["", "foo", -1, 0.5, 1e99, True, [], [3], {}, date(2026, 1, 1)], ids=repr)
def test_every_wrong_value_is_explained_in_plain_words(value: object) -> None:
    sections = [(name, part) for name, part in Config() if isinstance(part, BaseModel)]
    keys = [f"{name}.{key}" for name, part in sections for key in type(part).model_fields]
    said = []
    for key in ("seed", "device", "threads", "train", *keys):
        *section, last = key.split(".")
        try:
            Config.parse({section[0]: {last: value}} if section else {last: value}, "here")
        except ConfigError as error:
            said.append(str(error).removeprefix(f"here: {key}"))
    for text in said:
        assert re.match(r": (expected (?!another value)|unknown target|no such space)|\.foo: unknown key", text)
        assert not re.search("nput|valid|integer|boolean|string|Value error", text)


def test_a_wrong_option_is_named_as_it_was_given() -> None:
    with pytest.raises(ConfigError, match=r"^--executor: expected 'auto', .* got 'pol', did you mean 'pool'\?$"):
        options(executor="pol")
    with pytest.raises(ConfigError, match=r"^--ray-address: expected a text that is not empty, got ''$"):
        options(ray_address="")
    with pytest.raises(ConfigError, match=r"^--target: unknown target 'rp204', did you mean 'rp2040'"):
        options(target="rp204")
    with pytest.raises(ConfigError, match=r"^--space: no such space 'nope', known: spikenas"):
        options(space="nope")
    with pytest.raises(ConfigError, match=r"^--ops: expected a text that is not empty, got ''$"):
        options(ops="skip,")


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Config().seed = 3  # type: ignore[misc]


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('seed = 3\n[budget]\nflash = "1KiB"\n', encoding="utf-8")
    config = Config.load(path)
    assert (config.seed, config.budget.flash) == (3, 1024)
    path.write_text(config.dump(), encoding="utf-8")
    assert Config.load(path) == config


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        (None, "cannot be read (No such file or directory)"),
        (b"seed = ", "not valid TOML"),
        (b"\xff\xfe", "not a text file in UTF-8"),
        (b"[train]\nlrr = 1\n", "config.toml: train.lrr: unknown key"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, content: bytes | None, fragment: str) -> None:
    path = tmp_path / "config.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        Config.load(path)
    assert str(path) in str(caught.value)
    assert fragment in str(caught.value)


def test_a_bad_file_is_named_when_options_are_given_too(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[train]\nlrr = 1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"config\.toml: train\.lrr"):
        options(Config.load(path), seed=3)


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a regular file"):
        read_toml(tmp_path)


def test_options_are_keys_of_the_configuration() -> None:
    config = options(
        data="cifar10", flash="96KiB", params="1.2M", network="snasnet", cells=2, channels="16", timesteps=3, seed=7
    )
    assert config.data.name == "cifar10"
    assert (config.budget.flash, config.budget.params, config.budget.ram) == (98_304, 1_200_000, None)
    assert (config.network.kind, config.network.channels, config.network.timesteps) == ("snasnet", 16, 3)
    assert config.seed == 7
    assert options(channels="auto").network.channels == "auto"
    assert options(ops="skip, conv1x1,dwconv3x3").space.ops == ("skip", "conv1x1", "dwconv3x3")
    assert options(seed=None, epochs=None) == Config()


def test_named_spaces() -> None:
    assert options(space="snasnet").space.ops == ("none", "skip", "conv1x1", "conv3x3", "avgpool3x3")
    assert options(space="snasnet").network.kind == "compact"
    bench = options(space="spikenas-bench")
    assert bench.space.ops == ("none", "skip", "conv3x3@0.5", "conv3x3@1.0", "conv3x3@1.5")
    assert (bench.network.kind, bench.network.channels, bench.network.cells) == ("snasnet", 128, 2)
    assert options(space="spikenas-bench", channels="8").network.channels == 8
    with pytest.raises(ConfigError, match="--space: no such space 'nope', known: spikenas, snasnet, spikenas-bench"):
        options(space="nope")


@pytest.mark.parametrize(
    ("assignment", "section", "key", "value"),
    [
        ("train.lr=0.05", "train", "lr", 0.05),
        ("train.lr = 5e-2", "train", "lr", 0.05),
        ("train.flip=true", "train", "flip", True),
        ("data.name=cifar10", "data", "name", "cifar10"),
        ('data.name="cifar10"', "data", "name", "cifar10"),
        ("data.name=tinyimagenet:/a b/c=d", "data", "name", "tinyimagenet:/a b/c=d"),
        (r"data.name=C:\new", "data", "name", r"C:\new"),
        ("budget.flash=96KiB", "budget", "flash", 98_304),
        ("budget.params=1.2M", "budget", "params", 1_200_000),
        ('space.ops=["skip", "conv1x1"]', "space", "ops", ("skip", "conv1x1")),
        ("network.channels=auto", "network", "channels", "auto"),
        ("network.channels=24", "network", "channels", 24),
        ("data.name=bücher/日本", "data", "name", "bücher/日本"),
        ("data.name=/data/😀", "data", "name", "/data/😀"),
    ],
)
def test_assignments(assignment: str, section: str, key: str, value: object) -> None:
    assert getattr(getattr(assigned(assignment), section), key) == value


def test_assignments_go_over_options_and_options_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("seed = 1\n[train]\nepochs = 1\nbatch = 1\n", encoding="utf-8")
    config = options(Config.load(path), epochs=2, seed=2, set_=["seed=3"])
    assert (config.seed, config.train.epochs, config.train.batch) == (3, 2, 1)
    assert assigned("seed=3", "seed=4").seed == 4


@pytest.mark.parametrize(
    ("assignments", "fragment"),
    [
        (["train.lr"], "--set train.lr: expected KEY=VALUE, such as train.lr=0.05"),
        (["train.lrr=3"], "train.lrr: unknown key, did you mean 'lr'?"),
        (["train=3", "train.lr=3"], "train.lr: train is not a section"),
        (["train=3"], "--set train: expected a section, got 3"),
        (["=3"], "unknown key"),
        (["train.epochs=many"], "--set train.epochs: expected a whole number, got 'many'"),
        (["data.name="], "--set data.name: expected a text that is not empty"),
        (["executor.address="], "--set executor.address: expected a text that is not empty"),
        (["a.b.c=1"], "a: unknown key"),
    ],
)
def test_bad_assignments(assignments: list[str], fragment: str) -> None:
    with pytest.raises(ConfigError) as caught:
        assigned(*assignments)
    assert fragment in str(caught.value)


def test_a_section_that_is_none_is_refused_with_the_benchmarks_space_too(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("network = 3\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"^[^:]*: network"):
        options(Config.load(path), space="spikenas-bench")


def test_input_shapes() -> None:
    assert parse_input("3x32x48", 10) == InputSpec(3, 32, 48, 10)


@pytest.mark.parametrize("shape", ["3x32", "3x32x0", "axbxc", "3x-1x4", "", "3x32x32x1", "²x3x3"])
def test_bad_input_shapes(shape: str) -> None:
    with pytest.raises(ConfigError, match="expected CHANNELSxHEIGHTxWIDTH such as 3x32x32"):
        parse_input(shape, 10)
    with pytest.raises(ConfigError, match="--classes 0"):
        parse_input("3x32x32", 0)


def test_one_cell_is_put_in_all_places() -> None:
    assert read_genotype("0-3:skip", None, 3) == Genotype.parse("0-3:skip / 0-3:skip / 0-3:skip")
    assert read_genotype("0-3:skip", None, None) == Genotype.parse("0-3:skip / 0-3:skip")
    assert read_genotype("0-3:skip", None, None, default_cells=1) == Genotype.parse("0-3:skip")
    with pytest.raises(GenotypeError, match="has 2 cells, the network 3"):
        read_genotype("0-3:skip / 0-3:skip", None, 3)
    assert read_genotype("2", "spikenas-bench", 2) == Genotype.parse("0-1:conv3x3@0.5 / 0-1:conv3x3@0.5")
    with pytest.raises(GenotypeError, match=r"digits alone are a matrix, .* or in the space spikenas-bench an id"):
        read_genotype("2", None, 2)


def test_genotype_files(tmp_path: Path) -> None:
    path, read = tmp_path / "genotypes.txt", Genotype.parse
    path.write_text("# a comment\n\n0-3:skip\r\n  # another\n  0100 0000 0001 0000 \n", encoding="utf-8")
    assert list(read_genotypes(path, read)) == [
        ("0-3:skip", Genotype.parse("0-3:skip")),
        ("0100 0000 0001 0000", Genotype.parse("0-1:skip 2-3:skip")),
    ]
    path.write_text("0-3:skip\n\n0-3:skipp\n", encoding="utf-8")
    with pytest.raises(GenotypeError, match=r"genotypes.txt, line 3: .*did you mean 'skip'"):
        list(read_genotypes(path, read))
    path.write_text("# nothing\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="no genotypes in it; expected one a line"):
        list(read_genotypes(path, read))
    with pytest.raises(ConfigError, match="cannot be read"):
        list(read_genotypes(tmp_path / "absent.txt", read))
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"genotypes\.txt: not a text file in UTF-8$"):
        list(read_genotypes(path, read))


def test_what_follows_follows_also_where_it_was_written_down() -> None:
    stored = Config.parse(tomllib.loads(Config().dump()))
    assert stored.but({"network.neuron": "lif"}).network.timesteps == 5
    by_sgd = stored.but({"train.optimiser": "sgd"})
    assert (by_sgd.train.lr, by_sgd.train.momentum) == (0.8, 0.9)
    assert stored.but({"train.epochs": 3}).train.lr == 0.1
    chosen = Config.parse(tomllib.loads(Config().but({"train.lr": 0.03}).dump()))
    assert chosen.but({"train.optimiser": "sgd"}).train.lr == 0.03, "what was chosen stays"


def test_a_header_says_everything() -> None:
    whole = NetworkConfig().model_dump()
    assert NetworkConfig.of_header(whole) == NetworkConfig()
    del whole["neuron"]
    with pytest.raises(ConfigError, match="no neuron is named"):
        NetworkConfig.of_header(whole)


def test_a_network_that_does_not_spike_has_no_twin() -> None:
    for network in ({"neuron": "relu"}, {"kind": "snasnet"}):
        with pytest.raises(ConfigError, match="here: twin: "):
            Config.parse({"twin": True, "network": network}, "here")


def test_a_training_is_as_long_as_was_said_last() -> None:
    timed = Config().but({"train.epochs": 5}).but({"train.time": "2m"})
    assert (timed.train.time, timed.train.epochs) == (120, Config().train.epochs)
    assert (back := timed.but({"train.epochs": 7}).train).time is None
    assert back.epochs == 7
    assert Config.parse(tomllib.loads(timed.dump())) == timed
    with pytest.raises(ConfigError, match=r"^train\.epochs and train\.time: give one of them$"):
        Config().but({"train.epochs": 5, "train.time": 60})
