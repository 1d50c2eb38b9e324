from pathlib import Path

import pytest

from spikenas._util.errors import RunError
from spikenas.config import Config
from spikenas.pipeline.finishing import check_integers
from spikenas.pipeline.run_folder import RunFolder
from spikenas.task import Task


def test_a_tau_is_refused_only_where_there_are_membranes(tmp_path: Path) -> None:
    with RunFolder(tmp_path) as folder:
        task = Task.of(Config().but({"network.tau": 400.0}))
        check_integers(folder, task)
        with pytest.raises(RunError, match=r"network.tau: integer neurons have a tau of at most 32 timesteps, got 400"):
            check_integers(folder, task.but({"network.timesteps": 2}))
        with pytest.raises(RunError, match=r"network.tau: integer neurons have a tau of at most 32 timesteps, got 400"):
            check_integers(folder, task.but({"network.neuron": "lif", "network.timesteps": 1}))
