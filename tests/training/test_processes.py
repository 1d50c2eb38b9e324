"""Several processes train one network, each with its share of the items."""

import subprocess
import sys
from pathlib import Path

import pytest

from spikenas._util.run_files import LOG
from spikenas.training.epochs import read_log
from support import SMALL, Main

_LIVING_THREADS = """
import atexit, os
from pathlib import Path


def names():
    return [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]


atexit.register(lambda: any("gloo" in name for name in names()) and os._exit(9))
from spikenas.__main__ import main

main()
"""  # such a thread may abort the process while the interpreter ends


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
def test_two_processes_learn_what_one_does(run: Main, tmp_path: Path, threads: int) -> None:
    for folder in ("one", "two"):
        search = ("search", *SMALL, "--set", "search.evaluations=2", "--channels", 12, "--out", folder)
        assert run(*search)[0] == 0
    command = ("train", "--epochs", 15, "--set", f"threads={threads}", "--quiet", "--out")
    assert run(*command, "one", "--set", "train.batch=256")[0] == 0
    program = tmp_path / "program.py"
    program.write_text(_LIVING_THREADS)
    launched = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", str(program))
    told = subprocess.run(
        [*launched, *map(str, command), "two", "--set", "train.batch=128"],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    one, two = (read_log(tmp_path / folder / LOG) for folder in ("one", "two"))
    assert len(two) == len(one) == 15
    assert one[-1].validation_accuracy > 0.8
    assert two[-1].validation_accuracy > one[-1].validation_accuracy - 0.1
