"""What a user can do wrong, one class for each place to look."""


class SpikeNASError(Exception):
    """Wrong input or an impossible request: one line that says what, where, and what would be right."""


class ConfigError(SpikeNASError):
    """A setting, an option or a combination of them that cannot be meant."""


class SettingError(ConfigError):
    """A value of one setting that names nothing there is.

    Args:
        key: Of the configuration, such as `budget.target`.
        problem: What is wrong with its value, and what would be right.
    """

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key = key
        self.problem = problem


class GenotypeError(SpikeNASError):
    """A genotype, op or plan that cannot be read or built."""


class DataError(SpikeNASError):
    """Images, labels or folders that cannot be used as they are."""


class BudgetError(SpikeNASError):
    """A memory budget that no network of the space meets."""


class NothingFoundError(SpikeNASError):
    """A search that ended without a network that fits and has a score."""


class ScoreError(SpikeNASError):
    """Activations that no score can be computed from, or an unknown score."""


class RunError(SpikeNASError):
    """A run folder, checkpoint or device that does not fit what was asked."""


class DivergedError(RunError):
    """A training whose loss is no longer finite."""


class DeployError(SpikeNASError):
    """Firmware that cannot be built or run, or a device that a network does not fit."""
