"""The configuration of a run: its sections, what follows from what, and its file."""

from spikenas.config.config import Config
from spikenas.config.named import BENCH, NAMED_SPACES, find_space
from spikenas.config.sections import (
    DEFAULT_THRESHOLD,
    BudgetConfig,
    DataConfig,
    EnhancementConfig,
    ExecutorConfig,
    FidelityConfig,
    Fit,
    NetworkConfig,
    QuantiseConfig,
    SearchConfig,
    ShortTrainingConfig,
    SpaceConfig,
    TrainConfig,
)

__all__ = [
    "BENCH",
    "DEFAULT_THRESHOLD",
    "NAMED_SPACES",
    "BudgetConfig",
    "Config",
    "DataConfig",
    "EnhancementConfig",
    "ExecutorConfig",
    "FidelityConfig",
    "Fit",
    "NetworkConfig",
    "QuantiseConfig",
    "SearchConfig",
    "ShortTrainingConfig",
    "SpaceConfig",
    "TrainConfig",
    "find_space",
]
