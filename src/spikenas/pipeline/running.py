"""The one function that runs stages on a run folder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spikenas._util.errors import ConfigError
from spikenas._util.files import write_text
from spikenas._util.progress import Reporter
from spikenas._util.run_files import ASKED, ENHANCE, STATISTICS, TRIALS
from spikenas._util.threads import threads
from spikenas.pipeline.checking import check_settings
from spikenas.pipeline.data_of_run import check_files, open_task, record_data
from spikenas.pipeline.finishing import check_integers
from spikenas.pipeline.run_folder import RunFolder, is_leader
from spikenas.pipeline.searching import read_decisions, use_statistics
from spikenas.pipeline.settings import Settings, fix
from spikenas.pipeline.settling import changes_by_design, settled
from spikenas.pipeline.stages import STAGES, State, require_input
from spikenas.pipeline.summary import summarise


def run_stages(
    settings: Settings,
    names: Sequence[str] | None,
    report: Reporter,
    command: str,
    target: str | None = None,
    again: bool = False,
) -> dict[str, Any]:
    """Run stages on a run folder; each does nothing when it is done.

    Args:
        settings: What the run is made with, and its folder.
        names: Stages of the table, in its order; None are all that the settings want.
        report: Shows the progress, and says when to stop.
        command: What the history says was asked.
        target: Another device for `deploy` than that of the budget.
        again: Whether the network is trained anew; the training that is there is set aside.
    Returns:
        What was found so far, or, of `enhance` alone, what was decided.
    Raises:
        SpikeNASError: A stage cannot do its work; what is done is kept.
    """
    folder = settings.folder
    config = settings.config.but(changes_by_design(folder, settings.config, settings.asked))
    if not is_leader() and tuple(names or ()) != ("train",):
        raise ConfigError("several processes can only train: 'spikenas search' first, then launch 'spikenas train'")
    wanted = (
        [stage.name for stage in STAGES.values() if stage.wanted(State(folder, config))] if names is None else names
    )
    if names:
        require_input(STAGES[names[0]], folder)
    check_settings(config)
    only_enhance = tuple(wanted) == ("enhance",)
    with threads(config.threads):
        if "enhance" in wanted and settings.asked:
            with RunFolder(folder) as run, run.recording("enhance", command):
                task = STAGES["enhance"].function()(run, settings.asked, config, report, anew=only_enhance)
        else:
            task = open_task(folder, config)
        if {"enhance", "search"} & set(wanted) and not config.searches_designs:
            task = task.sized()
        with RunFolder(folder) as run:
            if "quantise" in wanted:
                check_integers(run, task)
            if settings.asked and config.searches_designs and not run.has(TRIALS):
                (run / ENHANCE).mkdir(exist_ok=True)
                write_text(run / ASKED, settings.asked.dump(given=True))
            fix(run, task.config, again)
            if is_leader():
                record_data(run, task, report)
            task = settled(run, task)
            if run.has(STATISTICS):
                use_statistics(run, task)
            state = State(folder, task.config)
            if any(not STAGES[name].done(state) for name in ("search", "train") if name in wanted):
                check_files(run, task, report)
            for name in wanted:
                if name != "enhance":
                    with run.recording(name, command):
                        options = {"target": target} if name == "deploy" else {}
                        STAGES[name].function()(run, task, report, **options)
                if name == "search":
                    task = settled(run, task)
            return dict(read_decisions(run)) if only_enhance else summarise(run, task)
