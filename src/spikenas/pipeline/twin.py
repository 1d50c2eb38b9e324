"""The twin of a run: an ordinary network of the same plan, for comparison, in a run folder of its own inside the run's.

It has relu neurons and 8-bit activations in the place of spikes, trains on the same items for the same time, and keeps
the files that every run has, so that all that reads a run reads it too.
"""

from __future__ import annotations

from spikenas._util.progress import Reporter
from spikenas._util.run_files import CONFIG
from spikenas.memory import sizes
from spikenas.pipeline.data_of_run import record_data
from spikenas.pipeline.run_folder import RunFolder
from spikenas.pipeline.settings import fix
from spikenas.pipeline.stages import STAGES, State, load_config
from spikenas.records import BEST_FILE
from spikenas.space.genotype import Genotype
from spikenas.task import Task

_STAGES = ("train", "quantise", "evaluate")


def make_twin(run: RunFolder, task: Task, report: Reporter) -> None:
    """Train the twin of a run's network, make integers of it, and evaluate it, unless it is done.

    Where the run has a target, the firmware of the twin is written too.

    Raises:
        RunError: The integers cannot hold it, or its files are damaged.
    """
    state = State(run.folder, task.config)
    if STAGES["twin"].done(state):
        return
    best, twin = BEST_FILE.read(run.folder), state.twin
    own = task.with_config(twin.config)
    own.statistics = task.statistics
    genotype = Genotype.parse(best["genotype"])
    own_report = Reporter(report.console, report.interrupted, "twin:")
    with RunFolder(twin.folder) as folder:
        fix(folder, twin.config, again=_is_of_another(twin, best["genotype"]))
        record_data(folder, own, Reporter())
        without_race = {key: value for key, value in best.items() if key not in ("design", "race")}
        BEST_FILE.write(folder.folder, {**without_race, **sizes(own.cost(genotype))})
        for name in (*_STAGES, "deploy") if task.config.budget.target else _STAGES:
            with folder.recording(name, f"spikenas {name} --out {folder.folder}"):
                STAGES[name].function()(folder, own, own_report)


def _is_of_another(twin: State, genotype: str) -> bool:
    """Whether what is in the folder was trained with another plan or for another time."""
    if not twin.has(CONFIG):
        return False
    before, best = load_config(twin.folder), twin.values(BEST_FILE)
    same = (before.network, before.train) == (twin.config.network, twin.config.train)
    return not same or best is None or best["genotype"] != genotype
