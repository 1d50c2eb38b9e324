from __future__ import annotations

from pathlib import Path

import pytest

from programs import Case
from spikenas._util.errors import ConfigError
from spikenas.config import BudgetConfig, Config, NetworkConfig
from spikenas.memory.fitting import Need, fits, needs
from spikenas.memory.model import footprint
from spikenas.space import Genotype, InputSpec, make_plan
from spikenas.targets import TARGETS, CoreMemory, Target, find_target


def test_a_microcontroller_has_flash_and_ram_for_its_own_code() -> None:
    plan = Case("0-3:conv3x3", size=16, channels=8).plan
    device = Target(
        name="d", title="D", source="", core="rv32", flash=8192, ram=9000, runtime_flash=1024, runtime_ram=2000
    )
    cost = footprint(Case("0-3:conv3x3", size=16, channels=8, core="rv32").plan)
    assert needs(plan, device) == [Need("flash", cost.flash_bytes, 7168), Need("ram", cost.ram_bytes, 7000)]
    assert [need.over for need in needs(plan, device)] == [
        max(0, cost.flash_bytes - 7168),
        max(0, cost.ram_bytes - 7000),
    ]


def test_cores_by_neurons_and_by_synapses() -> None:
    """A stem map of 8x8x3, one convolution of 3x3 on it, the head: two layers of 192 neurons, and the outputs."""
    plan = Case("0-3:conv3x3", size=8).plan
    synapses = 9 * 3 * 3 * 64
    by_neurons = Target(name="n", title="N", source="", kind="neuromorphic", cores=(CoreMemory(neurons=100),) * 4)
    assert needs(plan, by_neurons) == [Need("cores", 2 + 2 + 1, 4)]
    one = CoreMemory(neurons=1000, synapse_bytes=synapses // 3)
    by_synapses = Target(name="s", title="S", source="", kind="neuromorphic", cores=(one,) * 5)
    assert needs(plan, by_synapses) == [
        Need("cores", 3 + 1 + 1, 5)
    ]  # a third of the synapses, rounded down, is too few
    assert fits(needs(plan, by_synapses))


def test_a_hidden_layer_behind_a_pooling_counts_its_synapses() -> None:
    plan = Case("0-3:conv3x3 / 0-3:conv3x3", kind="snasnet", size=8).plan
    one = CoreMemory(neurons=10**6, synapse_bytes=64)
    device = Target(name="s", title="S", source="", kind="neuromorphic", cores=(one,))
    (need,) = needs(plan, device)
    layers = {layer.name: layer for layer in plan.layers}
    hidden = layers["head.lif"].size * layers["head.hidden"].shape[0]
    convs = sum(layer.weights * layer.shape[1] * layer.shape[2] for layer in plan.layers if layer.kind == "conv")
    stem = layers["stem.conv"].weights * 64
    assert need.needed >= (hidden + convs - stem) // 64


def test_a_layer_for_each_core_that_holds_it() -> None:
    """Stem and convolution have 2 and 3 x 2^(4 + 2) kernel words, the last layer 3 x 2^2; maps 3 x 2^(3 + 3) words."""
    plan = Case("0-3:conv3x3", size=8).plan
    large, small = CoreMemory(kernel_words=192, neuron_words=192), CoreMemory(kernel_words=12, neuron_words=3)

    def chip(*cores: CoreMemory) -> Target:
        return Target(name="c", title="C", source="", kind="neuromorphic", cores=cores)

    assert needs(plan, chip(small, large, large)) == [Need("layers", 3, 3)]
    assert needs(plan, chip(large, large, small)) == [Need("layers", 3, 3)]  # whatever the order of the cores
    assert needs(plan, chip(large, small, small)) == [Need("layers", 3, 2)]
    tight = CoreMemory(kernel_words=191, neuron_words=192)
    assert needs(plan, chip(small, tight, large)) == [Need("layers", 3, 3)]  # the stem, with 128 words, goes there
    assert needs(plan, chip(small, tight, tight)) == [Need("layers", 3, 2)]


@pytest.mark.parametrize("chip", ["loihi", "speck"])
@pytest.mark.parametrize("neuron", ["ilif", "relu"])
def test_chips_of_binary_spikes_have_no_other_neurons(chip: str, neuron: str) -> None:
    settings = NetworkConfig(cells=1, channels=3, neuron=neuron)
    plan = make_plan(Genotype.parse("0-3:conv3x3"), settings, InputSpec(2, 8, 8, 3))
    assert needs(plan, find_target(chip)) == [Need("neurons", 2 * 3 * 64, 0)]
    assert not fits(needs(plan, find_target(chip)))


def test_every_profile_leaves_something() -> None:
    for target in TARGETS.values():
        assert target.source.startswith("https://")
        if target.kind == "microcontroller":
            assert target.flash_left is not None
            assert target.ram_left is not None
            assert 0 < target.flash_left < target.flash
            assert 0 < target.ram_left < target.ram
        else:
            assert target.cores


def test_what_the_notes_say() -> None:
    left = {name: (find_target(name).flash, find_target(name).ram) for name in ("stm32f405", "stm32h743", "stm32f103")}
    assert left == {
        "stm32f405": (1 << 20, 128 << 10),
        "stm32h743": (2 << 20, 512 << 10),
        "stm32f103": (128 << 10, 20 << 10),
    }
    assert sum(core.count for core in find_target("loihi").cores) == 128
    assert [core.kernel_words for core in find_target("speck").cores] == [
        1024 * k for k in (16, 16, 16, 32, 32, 64, 64, 16, 16)
    ]


def test_a_target_is_limits_and_a_core() -> None:
    config = Config.parse({"budget": {"target": "rp2040", "ram": "10KiB"}})
    assert config.network.core == "cortex-m0"
    assert config.budget.ram == 10 * 1024
    assert config.budget.flash == find_target("rp2040").flash_left
    assert config.but({"budget.target": "stm32f405"}).budget.flash == find_target("stm32f405").flash_left
    assert config.but({"budget.target": "stm32f405"}).network.core == "cortex-m4"
    with pytest.raises(ConfigError, match="has no firmware"):
        Config.parse({"budget": {"target": "loihi"}})
    with pytest.raises(ConfigError, match="did you mean 'rp2040'"):
        Config(budget=BudgetConfig(target="rp204"))


BOARD = 'title = "My board"\nsource = "its manual"\ncore = "cortex-m0"\nflash = "64KiB"\nram = "24KiB"\n'


def test_a_device_of_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "board.toml").write_text(BOARD)
    found = find_target(str(tmp_path / "board.toml"))
    assert (found.name, found.flash_left, found.core) == ("board", 65536, "cortex-m0")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOARD + "flsh = 3\n", "flsh: unknown key"),
        (BOARD.replace("cortex-m0", "z80"), "core: expected 'cortex-m0'"),
        (BOARD.replace('flash = "64KiB"\n', ""), "a microcontroller has flash and ram"),
        (BOARD.replace('title = "My board"\n', ""), "title: "),
        ("flash = ", "not valid TOML"),
    ],
)
def test_a_file_that_describes_no_device(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "board.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        find_target(str(tmp_path / "board.toml"))
    assert str(caught.value).startswith(f"{tmp_path / 'board.toml'}: {said}")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        find_target(str(tmp_path / "board.toml"))
