"""Define what a user can do wrong, with one class for each place where the cause is."""

from spikenas._util.showing import one_line


class SpikeNASError(Exception):
    """The input is wrong or the request is impossible; one line says what, where, and what would be right."""

    def __str__(self) -> str:
        return one_line(super().__str__())


class ConfigError(SpikeNASError):
    """A setting, an option or a combination of them cannot be meant."""


class SettingError(ConfigError):
    """The value of one setting names nothing that exists.

    Args:
        key: Key of the configuration, such as `budget.target`.
        problem: Text that says what is wrong with the value, and what would be right.
    """

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key = key
        self.problem = problem


class GenotypeError(SpikeNASError):
    """A genotype, op or plan cannot be read or built."""


class DataError(SpikeNASError):
    """Images, labels or folders cannot be used as they are."""


class BudgetError(SpikeNASError):
    """No network of the space meets the memory budget."""


class NothingFoundError(SpikeNASError):
    """A search ended without a network that fits and has a score."""


class ScoreError(SpikeNASError):
    """No score can be computed from the activations, or a score is unknown."""


class RunError(SpikeNASError):
    """A run folder, checkpoint or device does not fit what was asked."""


class TooShortError(RunError):
    """A time does not suffice for a few steps of training."""


class NoDifferenceError(DataError):
    """Nothing can be compared, since all networks are equally good or there is but one."""


class DivergedError(RunError):
    """The loss of a training is no longer finite."""


class DeployError(SpikeNASError):
    """Firmware cannot be built or run, or a network does not fit a device."""
