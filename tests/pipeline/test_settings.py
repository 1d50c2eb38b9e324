"""Where the settings of a run come from: the same words give the same configuration, whoever says them."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomli_w

import spikenas as sn
from spikenas._util.errors import ConfigError, RunError
from spikenas.cli import options as opt
from spikenas.cli.options import Given
from spikenas.config import BudgetConfig, Config, DataConfig, SpaceConfig
from spikenas.pipeline.run_folder import RunFolder
from spikenas.pipeline.settings import Settings, fix
from spikenas.targets import find_target
from spikenas.training.epochs import read_log

ALL = (
    *(opt.DATASET, *opt.IMAGES, *opt.SIZES, opt.TARGET, *opt.NETWORK, opt.WEIGHT_BITS, opt.SPACE, opt.OPS),
    *(*opt.SEARCH, *opt.EXECUTOR, *opt.ENHANCEMENT, opt.EPOCHS, *opt.QUANTISE, opt.SEED, opt.DEVICE, opt.SET),
)


def by_options(**values: object) -> Config:
    given = Given.of(ALL, {option.name: values.get(option.name) for option in ALL})
    return Config().but(given.words, given.sources)


WORDS = [
    ({"target": "stm32f405"}, {"budget.target": "stm32f405"}),
    ({"target": "rp2040", "ram": "10KiB"}, {"budget.target": "rp2040", "budget.ram": "10KiB"}),
    ({"space": "spikenas-bench"}, {"space.name": "spikenas-bench"}),
    ({"space": "spikenas-bench", "data": "cifar100"}, {"space.name": "spikenas-bench", "data.name": "cifar100"}),
    ({"space": "spikenas-bench", "channels": "8"}, {"space.name": "spikenas-bench", "network.channels": 8}),
    ({"space": "snasnet", "ops": "skip,conv1x1"}, {"space.name": "snasnet", "space.ops": ["skip", "conv1x1"]}),
    ({"seed": 3, "by": "train", "seeds": 7}, {"seed": 3, "enhancement.by": "train", "enhancement.seeds": 7}),
    (
        {"set_": ["budget.target=stm32f103", "space.name=snasnet"]},
        {"budget.target": "stm32f103", "space.name": "snasnet"},
    ),
]


@pytest.mark.parametrize(("options", "keys"), WORDS, ids=lambda one: str(one)[:60])
def test_python_toml_and_options_give_the_same_for_the_same_words(
    options: dict[str, object], keys: dict[str, object], tmp_path: Path
) -> None:
    nested: dict[str, dict[str, object]] = {}
    for key, value in keys.items():
        section, _, name = key.rpartition(".")
        (nested.setdefault(section, {}) if section else nested)[name] = value  # type: ignore[assignment]
    (tmp_path / "my.toml").write_text(tomli_w.dumps(nested))
    made = [by_options(**options), Config().but(keys), Config.parse(nested), Config.load(tmp_path / "my.toml")]
    assert len({config.dump() for config in made}) == 1
    assert len({config.dump(given=True) for config in made}) == 1
    stored = tmp_path / "config.toml"
    stored.write_text(made[0].dump())
    assert Config.load(stored) == made[0], "what is stored is complete, and what follows from it stays the same"


def test_a_benchmark_has_its_network_for_each_data_set() -> None:
    votes = {
        name: Config(space=SpaceConfig(name="spikenas-bench"), data=DataConfig(name=name)).network.votes
        for name in ("cifar10", "cifar100", "tinyimagenet:x", "digits")
    }
    assert votes == {"cifar10": 10, "cifar100": 5, "tinyimagenet:x": 5, "digits": 10}
    assert Config.parse({"space": {"name": "spikenas-bench:tinyimagenet"}}).network.hidden == 4096
    with pytest.raises(ConfigError, match="spikenas-bench has cifar10, cifar100, tinyimagenet"):
        Config.parse({"space": {"name": "spikenas-bench:mnist"}})
    with pytest.raises(ConfigError, match="snasnet is one space for all data"):
        Config.parse({"space": {"name": "snasnet:cifar10"}})


def test_another_target_has_its_own_limits(tmp_path: Path) -> None:
    first = Config(budget=BudgetConfig(target="stm32f405", params=5000))
    for config in (first, Config.parse(first.model_dump())):
        other = config.but({"budget.target": "stm32f103"})
        assert other.budget.flash == find_target("stm32f103").flash_left
        assert other.budget.ram == find_target("stm32f103").ram_left
        assert (other.network.core, other.budget.params) == ("cortex-m3", 5000)
        assert config.but({"budget.flash": "10KiB"}).but({"budget.target": "stm32f746"}).budget.flash == 10 * 1024


def test_a_limit_beyond_a_target_s_is_that_of_a_larger_one() -> None:
    """Whatever is changed on the way; the stored file has what counts."""
    small, large = (find_target(name).flash_left or 0 for name in ("stm32f103", "stm32h743"))
    limit = (small + large) // 2
    config = Config(budget=BudgetConfig(target="stm32f103", flash=limit)).but({"train.lr": 0.2}).but({"seed": 1})
    assert config.budget.flash == small
    assert config.but({"budget.target": "stm32h743"}).budget.flash == limit
    assert config.but({"budget.target": "stm32h743"}).but({"budget.target": "stm32f103"}).budget.flash == small
    assert config.but({"budget.flash": "10KiB", "budget.target": "stm32h743"}).budget.flash == 10 * 1024
    assert config.but({"budget.target": None}).budget.flash == limit
    assert Config.parse(config.model_dump()).budget == config.budget


def test_but_changes_what_is_named_and_checks_it() -> None:
    config = Config().but({"network.channels": 16, "train.lr": 0.2})
    assert (config.network.channels, config.train.lr, config.network.cells) == (16, 0.2, 2)
    assert config.but({"network": config.network.but({"cells": 3})}).network.cells == 3
    assert Config().network.channels == "auto", "nothing is changed in place"
    with pytest.raises(ConfigError, match=r"network\.chanels: unknown key, did you mean 'channels'"):
        config.but({"network.chanels": 3})
    with pytest.raises(ConfigError, match=r"train\.lr: expected more than 0"):
        config.but({"train.lr": -1})
    with pytest.raises(ConfigError, match="cells: expected at least 1"):
        config.network.but({"cells": 0})


def test_a_section_keeps_what_follows_from_other_sections() -> None:
    network = Config(budget=BudgetConfig(target="stm32f103")).network
    assert network.but({"cells": 1}).core == network.core == "cortex-m3"


def test_a_file_of_one_s_own_is_decided_as_options_are(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text('[data]\nname = "digits"\n')
    named = Settings.of(tmp_path / "r", tmp_path / "my.toml", {"seed": 1})
    said = Settings.of(tmp_path / "r", None, {"seed": 1, "data.name": "digits"})
    assert named.config == said.config
    assert named.asked == said.asked
    assert named.asked is not None
    assert Settings.of(None, tmp_path / "my.toml", {}).folder == Path("runs/digits")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "config.toml").write_text(Config(seed=4).dump())
    resumed = Settings.of(None, tmp_path / "old" / "config.toml", {})
    assert (resumed.folder, resumed.config.seed, resumed.asked) == (tmp_path / "old", 4, None)


def test_task_takes_the_same_words() -> None:
    task = sn.Task("digits", target="stm32f103", ram="8KiB", seed=3, settings={"network.cells": 1})
    asked = by_options(data="digits", target="stm32f103", ram="8KiB", seed=3, cells=1)
    assert task.asked == asked


def test_what_a_space_was_decided_by_is_fixed_with_it(tmp_path: Path) -> None:
    for name in ("trials.db", "space.json"):
        (tmp_path / name).touch()
    with RunFolder(tmp_path) as run:
        fix(run, Config())
        fix(run, Config().but({"enhancement.enabled": False}))
        with pytest.raises(RunError, match=r"was made without enhancement\.by, not 'train'"):
            fix(run, Config().but({"enhancement.by": "train"}))
        (tmp_path / "space.json").unlink()
        fix(run, Config().but({"enhancement.by": "train"}))


BOARD = 'title = "My board"\nsource = "its manual"\ncore = "cortex-m0"\nflash = "64KiB"\nram = "24KiB"\n'


def test_a_complete_file_needs_no_device_and_does_not_follow_a_changed_one(tmp_path: Path) -> None:
    board = tmp_path / "board.toml"
    board.write_text(BOARD)
    config = Config().but({"budget.target": str(board)})
    assert (config.budget.flash, config.network.core) == (65536, "cortex-m0")
    (tmp_path / "config.toml").write_text(config.dump())
    board.write_text(BOARD.replace("64KiB", "32KiB"))
    assert Config.load(tmp_path / "config.toml").budget.flash == 65536
    board.unlink()
    assert Config.load(tmp_path / "config.toml") == config
    other = Config.load(tmp_path / "config.toml").but({"train.epochs": 3})
    assert (other.budget.flash, other.network.core) == (65536, "cortex-m0")


def test_names_in_one_change_are_read_together() -> None:
    config = Config().but({"network.votes": 7})
    once = config.but({"space.name": "spikenas-bench", "data.name": "cifar100"})
    assert (
        once.network.votes
        == config.but({"data.name": "cifar100"}).but({"space.name": "spikenas-bench"}).network.votes
        == 5
    )


@pytest.mark.slow
def test_a_training_goes_on_with_more_time_and_not_with_less(tmp_path: Path) -> None:
    timed = {
        "network.cells": 1,
        "network.channels": 4,
        "network.neuron": "ilif",
        "network.timesteps": 1,
        "train.time": "1s",
        "threads": 1,
    }

    def train(**changes: object) -> int:
        settings = timed | {f"train.{key}": value for key, value in changes.items()}
        sn.train(sn.Task("digits", settings=settings), "0-3:conv3x3", out=tmp_path / "r", progress=False)
        return len(read_log(tmp_path / "r" / "train.csv"))

    first = train()
    assert train() == first
    assert train(time=1.5) > first
    for other in ({"time": 0.5}, {"time": None}):
        with pytest.raises(RunError, match=r"was trained with train\.time = 1\.5, not (0\.5|None); choose another"):
            train(**other)
    with pytest.raises(ConfigError, match=r"train\.time: expected a time such as 20m, 1h30m or 90s"):
        sn.Task("digits", settings={"train.time": "soon"})
