import os
import subprocess
import sys
import threading
import time

import pytest
import torch

from spikenas._util.cores import usable_cores
from spikenas._util.threads import threads
from spikenas.data.dataset import in_parallel

WITHOUT = {key: value for key, value in os.environ.items() if key not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}

_UNTIL_OPENMP = """
import os, sys
class Finder:
    def find_spec(name, path=None, target=None):
        if name in ("torch", "numba", "sklearn"):
            sys.exit(os.environ.get("OMP_WAIT_POLICY"))
sys.meta_path.insert(0, Finder)
"""


def _waiting(code: str, **environment: str) -> str:
    """What OpenMP reads when the first package that brings it is imported."""
    command = [sys.executable, "-c", _UNTIL_OPENMP + code]
    return subprocess.run(command, capture_output=True, text=True, env=WITHOUT | environment).stderr.strip()


@pytest.mark.parametrize(
    "first",
    [
        "import spikenas; spikenas.LIF",
        "from spikenas.snn import lif_kernels",
        "import spikenas.cli, spikenas.pipeline.running",
        "from spikenas.nas.process_pool import _serve; import torch",
    ],
)
def test_threads_that_wait_sleep_whatever_is_imported_first(first: str) -> None:
    assert _waiting(first) == "PASSIVE"


def test_what_the_user_says_of_waiting_threads_wins() -> None:
    assert _waiting("import spikenas.snn", OMP_WAIT_POLICY="ACTIVE") == "ACTIVE"


def test_torch_may_be_imported_before() -> None:
    code = "import torch, spikenas; print(spikenas.LIF(2)(torch.full((2, 1, 3), 2.0)).sum().item())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=WITHOUT, check=True)
    assert done.stdout.split() == ["6.0"]


def test_threads_count_for_torch_and_for_whatever_asks_and_are_as_before() -> None:
    before, cores = torch.get_num_threads(), usable_cores()
    with threads(3):
        assert torch.get_num_threads() == 3
        with threads(1):
            assert (torch.get_num_threads(), usable_cores()) == (1, 1)
            with threads(None):
                assert (torch.get_num_threads(), usable_cores()) == (1, 1)
        assert torch.get_num_threads() == 3
        assert usable_cores() == min(3, cores)
    with pytest.raises(ZeroDivisionError), threads(1):
        _ = 1 / 0
    assert (torch.get_num_threads(), usable_cores()) == (before, cores)


def test_decoding_obeys() -> None:
    def threads_of(most: int) -> int:
        seen = set()

        def work(index: int) -> None:
            seen.add(threading.get_ident())
            time.sleep(0.001)

        with threads(most):
            in_parallel(work, 200, None)
        return len(seen)

    assert threads_of(1) == 1
    assert threads_of(8) <= usable_cores()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no CPU affinity on this system")
def test_cores_are_those_that_the_process_may_use() -> None:
    core = min(os.sched_getaffinity(0))
    code = f"""
import os
os.sched_setaffinity(0, [{core}])
from spikenas._util.cores import usable_cores
import torch
print(usable_cores(), torch.get_num_threads())
"""
    unset = {key: value for key, value in WITHOUT.items() if key != "OMP_NUM_THREADS"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=unset, check=True)
    assert done.stdout.split() == ["1", "1"]
