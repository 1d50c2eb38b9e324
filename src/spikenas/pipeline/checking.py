"""Check what can be checked of settings before anything is written, opened or computed."""

from __future__ import annotations

from importlib.util import find_spec

from spikenas._util.errors import ConfigError, RunError
from spikenas._util.paths import user_path
from spikenas.config import Config
from spikenas.data import find_source
from spikenas.nas.executors import check_executor
from spikenas.nas.strategies import STRATEGIES
from spikenas.scores import SCORES, TRAINING
from spikenas.space.ops import Op


def check_settings(config: Config) -> None:
    """Check that what is named is there: ops, strategy, scores, data, device, packages; without torch on the CPU.

    Raises:
        ConfigError: The strategy or a folder is not there, a package is not installed, or a front has no axis.
        DataError: There are no such data.
        GenotypeError: An op is unknown.
        RunError: PyTorch cannot compute on the device.
        ScoreError: A score is unknown.
    """
    for op in config.space.ops:
        Op.parse(op)
    STRATEGIES.check(config.search.strategy)
    SCORES.check(config.search.score)
    if config.enhancement.by is not None:
        SCORES.check(config.enhancement.by, TRAINING)
    if config.search.front == "synops" and not config.network.is_spiking:
        raise ConfigError("search.front: relu neurons send no spikes, so there are no synops; params, flash or ram")
    if config.enhancement.analysis is not None and not user_path(config.enhancement.analysis).exists():
        raise ConfigError(f"{config.enhancement.analysis}: no such folder; 'spikenas analyze' makes one")
    find_source(config.data.name)
    check_machine(config)


def check_machine(config: Config) -> None:
    """Check that this machine has what is computed on and with.

    Raises:
        ConfigError: TensorBoard is asked for and not installed, or the executor is none.
        RunError: PyTorch cannot compute on the device, or in the precision that is asked for, or Ray is not installed.
    """
    if config.train.tensorboard and not (find_spec("tensorboard") or find_spec("tensorboardX")):
        raise ConfigError("train.tensorboard: TensorBoard is not installed; pip install 'spikenas[tensorboard]'")
    check_executor(config.executor)
    check_device(config.device)
    if config.train.precision in ("bf16", "fp16"):
        import torch

        from spikenas.training.precision import precision_of

        precision_of(config.train.precision, torch.device(config.device), config.network.neuron)


def check_device(device: str) -> None:
    """Check that PyTorch can compute there; where that is the CPU, without loading it.

    Raises:
        RunError: It cannot.
    """
    if device == "cpu":
        return
    import torch

    try:
        torch.zeros(1, device=device).item()
    except Exception:  # PyTorch's kinds of device differ in what they raise, and in what they try to import
        available = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
        raise RunError(f"device {device!r} cannot be used by PyTorch here; available: {', '.join(available)}") from None
