import builtins
import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import executor_support as support
import numpy as np
import pytest
from executor_support import GENOTYPES, VICTIM, Make, noise
from problems import drive, median_of, problem

from spikenas._util.errors import ConfigError, RunError, ScoreError
from spikenas._util.threads import threads
from spikenas.config import ExecutorConfig, FidelityConfig, NetworkConfig, SearchConfig
from spikenas.nas import TrialStore, make_strategy, search
from spikenas.nas.executors import Executor, InProcess, ProcessPool, open_executor
from spikenas.nas.ray_pool import RayPool
from spikenas.scores.engine import ScorerFactory
from spikenas.space import Genotype, InputSpec, Space

EXPECTED = [noise(genotype) for genotype in GENOTYPES]
VICTIM_AT = GENOTYPES.index(VICTIM)


def python_path() -> str:
    """With the support module on it."""
    return os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """A Ray of this module; its workers find the support module."""
    ray = pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", python_path())
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        ray.init("local", num_cpus=3, object_store_memory=80_000_000, include_dashboard=False, log_to_driver=False)
        yield ray
        ray.shutdown()


@pytest.fixture(params=["in-process", "pool", "ray"])
def kind(request: pytest.FixtureRequest) -> str:
    """Every kind of executor."""
    if request.param == "ray":
        request.getfixturevalue("ray")
    return str(request.param)


@pytest.fixture(params=["pool", "ray"])
def pool(request: pytest.FixtureRequest) -> str:
    """The kinds that have workers."""
    if request.param == "ray":
        request.getfixturevalue("ray")
    return str(request.param)


def opened(kind: str, make: Any, workers: int = 2, on_retry: Callable[[str], None] = print) -> Executor:
    settings = ExecutorConfig.model_validate({"kind": kind, "workers": workers})
    return open_executor(settings, make, on_retry)


def run(kind: str, make: Any, workers: int = 2) -> tuple[list[support.Value], BaseException | None]:
    """The results until there is an error, and the error."""
    results: list[Any] = []
    with opened(kind, make, 1 if kind == "in-process" else workers) as executor:
        try:
            for result in executor.evaluate(GENOTYPES):
                results.append(result)
        except Exception as error:
            return results, error
    return results, None


def test_ray_that_is_not_there() -> None:
    pytest.importorskip("ray")
    refused, other = r" \(Connection refused\)$", "; expected HOST:PORT such as 10.0.0.1:6379$"
    addresses = {"localhost:1": refused, "ray://localhost:1": refused, "what ever": other, "a:b": other}
    for address, reason in addresses.items():
        with pytest.raises(RunError, match=f"no Ray to join at '{address}'{reason}"):
            RayPool(Make(noise), 1, address)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_same_results_in_order(kind: str, workers: int) -> None:
    if kind == "in-process" and workers > 1:
        pytest.skip("has one")
    with opened(kind, Make(noise), workers) as executor:
        assert list(executor.evaluate(GENOTYPES)) == EXPECTED
        assert list(executor.evaluate(())) == []
        assert list(executor.evaluate(GENOTYPES[::-1])) == EXPECTED[::-1]


def test_two_at_once_and_one_given_up(kind: str) -> None:
    with opened(kind, Make(noise), 1 if kind == "in-process" else 2) as executor:
        given_up = executor.evaluate(GENOTYPES)
        assert next(given_up) == EXPECTED[0]
        del given_up
        one, other = executor.evaluate(GENOTYPES), executor.evaluate(GENOTYPES[::-1])
        assert list(zip(one, other, strict=True)) == list(zip(EXPECTED, EXPECTED[::-1], strict=True))


def test_errors_arrive_in_their_turn(kind: str) -> None:
    results, error = run(kind, Make(support.raises_score_error))
    assert results == EXPECTED[:VICTIM_AT]
    assert type(error) is ScoreError
    assert str(error) == "no score of this one"
    results, error = run(kind, Make(support.raises_bug))
    assert len(results) == VICTIM_AT
    assert type(error) is ZeroDivisionError
    assert "in raises_bug" in "".join(traceback.format_exception(error))


def test_error_of_making_the_evaluator(kind: str) -> None:
    with pytest.raises(ScoreError, match="unknown score"), opened(kind, support.make_fails, 1) as executor:
        list(executor.evaluate(GENOTYPES))


def test_what_cannot_be_pickled() -> None:
    _, error = run("pool", Make(support.raises_odd_error))
    assert "OddError cannot be pickled" in str(error)
    assert "in raises_odd_error" in "".join(traceback.format_exception(error))
    _, error = run("pool", Make(support.returns_a_function))
    assert "function cannot be pickled" in str(error)
    with pytest.raises((AttributeError, TypeError)):
        ProcessPool(lambda: noise, 1)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_that_dies_changes_nothing(workers: int, tmp_path: Path) -> None:
    told: list[str] = []
    with ProcessPool(Make(support.Dies(tmp_path, times=2)), workers, told.append) as pool:
        assert list(pool.evaluate(GENOTYPES)) == EXPECTED
    assert told == [f"a worker ended (SIGKILL) while it evaluated '{VICTIM}'; another takes its place"] * 2


def test_a_candidate_that_kills_three_workers(pool: str, tmp_path: Path) -> None:
    told: list[str] = []
    with opened(pool, Make(support.Dies(tmp_path, times=3)), 2, told.append) as executor:
        results = executor.evaluate(GENOTYPES)
        assert list(itertools.islice(results, VICTIM_AT)) == EXPECTED[:VICTIM_AT]
        with pytest.raises(RunError, match=f"candidate '{VICTIM}': 3 workers ended") as caught:
            next(results)
        assert "\n" not in str(caught.value)
        assert list(executor.evaluate(GENOTYPES)) == EXPECTED
    assert len(told) == 3
    for line in told:
        assert f"while it evaluated '{VICTIM}'; another takes its place" in line
        assert "\n" not in line


def test_an_idle_worker_that_dies() -> None:
    told: list[str] = []
    with ProcessPool(Make(support.process_number), 2, told.append) as pool:
        numbers = {int(result.score) for result in pool.evaluate(GENOTYPES)}
        assert os.getpid() not in numbers
        for number in numbers:
            os.kill(number, signal.SIGKILL)
        assert numbers.isdisjoint(int(result.score) for result in pool.evaluate(GENOTYPES))
        assert len(told) == len(numbers)
        assert all("(SIGKILL)" in line for line in told)


def test_workers_that_never_get_ready() -> None:
    told: list[str] = []
    pool = ProcessPool(support.make_dies, 2, told.append)
    with pytest.raises(RunError, match=r"before they are ready \(exit status 3\)"), pool:
        list(pool.evaluate(GENOTYPES))
    assert len(told) == 2


def test_each_result_as_soon_as_it_is_known(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with ProcessPool(Make(support.WaitsFor(tmp_path / "pipe")), 2) as pool:
        results = pool.evaluate(GENOTYPES)
        assert list(itertools.islice(results, VICTIM_AT)) == EXPECTED[:VICTIM_AT]
        (tmp_path / "pipe").open("w").close()
        assert list(results) == EXPECTED[VICTIM_AT:]


def test_nothing_is_left_of_a_closed_pool() -> None:
    with ProcessPool(Make(support.process_number), 2) as pool:
        numbers = {int(result.score) for result in pool.evaluate(GENOTYPES)}
    assert not multiprocessing.active_children()
    for number in numbers:
        with pytest.raises(ProcessLookupError):
            os.kill(number, 0)
    with pytest.raises(RunError, match="closed"):
        next(pool.evaluate(GENOTYPES))


def test_arrays_are_in_memory_once_for_all_workers(pool: str) -> None:
    arrays = np.ones(1, np.uint8), np.arange(300_000.0), np.ones((3, 200_000)), np.zeros((0, 4))
    with opened(pool, Make(support.SumsShared(arrays))) as executor:
        found = {result.score for result in executor.evaluate(GENOTYPES)}
    assert found == {sum(float(array.sum()) for array in arrays)}


def test_a_disk_that_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.TemporaryFile", partial(Path.open, Path("/dev/full"), "wb"))
    with pytest.raises(RunError, match=r"arrays of the workers cannot be written there \(No space left on device\)"):
        ProcessPool(Make(support.SumsShared((np.ones(1_000_000),))), 1)


def test_a_computer_without_a_folder_for_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    with pytest.raises(RunError, match=r"^/nowhere: the arrays of the workers cannot be written there \(No such file"):
        ProcessPool(Make(support.SumsShared((np.ones(8),))), 1)
    with ProcessPool(Make(support.process_number), 1) as pool:
        assert next(pool.evaluate(GENOTYPES)).score > 0


def test_workers_are_light_and_have_one_thread_of_arithmetic() -> None:
    before = os.environ.get("OMP_NUM_THREADS")
    with ProcessPool(Make(support.light), 1) as pool:
        assert next(pool.evaluate(GENOTYPES)).score == 1
    assert os.environ.get("OMP_NUM_THREADS") == before


def test_threads_of_a_worker_are_one_whatever_the_number_here() -> None:
    with threads(2), ProcessPool(Make(support.torch_threads), 1) as pool:
        assert next(pool.evaluate(GENOTYPES)).score == 1


@pytest.mark.parametrize(("number", "kind"), [(1, InProcess), (2, ProcessPool), (None, ProcessPool)])
def test_there_are_no_more_workers_than_threads(
    number: int | None, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: range(3), raising=False)
    with threads(number), open_executor(ExecutorConfig(), Make(noise)) as executor:
        assert type(executor) is kind
        if isinstance(executor, ProcessPool):
            assert len(executor._workers) == (number or 3)


def busy(tmp_path: Path) -> tuple["subprocess.Popen[str]", list[int]]:
    """A process whose two workers are at a candidate, and these workers."""
    script = tmp_path / "busy.py"
    script.write_text(
        "import signal\n"
        "import executor_support as support\n"
        "from spikenas.nas.executors import ProcessPool\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background has none\n"
        "if __name__ == '__main__':\n"
        "    with ProcessPool(support.Make(support.never_ends), 2) as pool:\n"
        "        list(pool.evaluate(support.GENOTYPES))\n"
    )
    process = subprocess.Popen(
        [sys.executable, str(script)],
        env=os.environ | {"PYTHONPATH": python_path()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    return process, [int(process.stdout.readline()) for _ in range(2)]


def test_ctrl_c_ends_workers_quietly(tmp_path: Path) -> None:
    process, workers = busy(tmp_path)
    for worker in workers:
        os.kill(worker, signal.SIGINT)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)  # the workers hold these pipes, so they have ended
    assert process.returncode == -signal.SIGINT
    assert errors.count("Traceback") == 1
    assert errors.endswith("KeyboardInterrupt\n")


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    process, _ = busy(tmp_path)
    process.kill()
    assert process.communicate(timeout=60) == ("", "")


@pytest.mark.parametrize(
    ("settings", "kind"),
    [({"workers": 1}, InProcess), ({"workers": 2}, ProcessPool), ({"kind": "pool", "workers": 1}, ProcessPool)],
)
def test_kind_follows_from_the_settings(settings: dict[str, Any], kind: type) -> None:
    with open_executor(ExecutorConfig.model_validate(settings), Make(noise)) as executor:
        assert type(executor) is kind


def test_settings_that_contradict_each_other() -> None:
    with pytest.raises(ConfigError, match=r"executor\.address: 'here:1' is for executor\.kind ray, not pool"):
        open_executor(ExecutorConfig(kind="pool", address="here:1"), Make(noise))
    with pytest.raises(ConfigError, match=r"executor\.workers: 2 asked, executor\.kind in-process has one"):
        open_executor(ExecutorConfig(kind="in-process", workers=2), Make(noise))


def test_ray_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = builtins.__import__

    def without_ray(name: str, *arguments: Any) -> Any:
        if name == "ray":
            raise ImportError
        return whole(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without_ray)
    with pytest.raises(RunError, match=r"pip install 'spikenas\[ray\]'"):
        open_executor(ExecutorConfig(address="auto"), Make(noise))


def test_a_ray_of_others_is_left_running(ray: Any) -> None:
    with opened("ray", Make(noise), 1) as executor:
        assert list(executor.evaluate(GENOTYPES)) == EXPECTED
    assert ray.is_initialized()


@pytest.mark.slow
def test_a_real_score_is_the_same_in_another_process() -> None:
    images = np.random.default_rng(0).random((8, 1, 8, 8), np.float32)
    network = NetworkConfig(cells=1, channels=4, neuron="lif", timesteps=2)
    fidelity = FidelityConfig(channels=4, batch=8)
    factory = ScorerFactory(("sahd",), network, InputSpec(1, 8, 8, 10), images, None, fidelity)
    scorer = factory()
    with ProcessPool(factory, 2) as pool:
        found = [result.score for result in pool.evaluate(GENOTYPES)]
    assert found == [scorer(genotype).score for genotype in GENOTYPES]


@pytest.mark.parametrize("strategy", ["spikenas", "evolution"])
def test_a_search_is_the_same_when_workers_die(strategy: str, tmp_path: Path) -> None:
    space, settings = Space.of(["skip", "conv3x3"]), SearchConfig(strategy=strategy, evaluations=30, refine=1)
    asked, told = problem(space, median_of(space, "ram")), list[str]()
    expected, trials = drive(make_strategy(settings, asked), evaluations=30)
    victim = next(Genotype.parse(trial.genotype) for trial in trials[5:] if trial.score is not None)
    with (
        ProcessPool(Make(support.Dies(tmp_path, 2, victim)), 2, told.append) as pool,
        TrialStore(tmp_path.with_suffix(".db")) as store,
    ):
        found = search(space, make_strategy(settings, asked), asked.budget, asked.cost, pool, store, 30)
        assert list(store) == trials
    assert found == expected
    assert len(told) == 2


def printed_by(script: Path, text: str) -> str:
    script.write_text(text)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_script_without_a_guard_of_its_main_part_can_start_a_pool(tmp_path: Path) -> None:
    text = (
        "import executor_support as support\n"
        "from spikenas.nas.executors import ProcessPool\n"
        "with ProcessPool(support.Make(support.noise), 2) as pool:\n"
        "    print(len(list(pool.evaluate(support.GENOTYPES))))\n"
    )
    assert printed_by(tmp_path / "script.py", text) == str(len(GENOTYPES))


def test_an_evaluator_of_a_script_itself_is_found_in_a_pool(tmp_path: Path) -> None:
    text = (
        "import executor_support as support\n"
        "from spikenas.nas.executors import ProcessPool\n"
        "def act(genotype):\n"
        "    return support.noise(genotype)\n"
        "if __name__ == '__main__':\n"
        "    with ProcessPool(support.Make(act), 1) as pool:\n"
        "        print(len(list(pool.evaluate(support.GENOTYPES))))\n"
    )
    assert printed_by(tmp_path / "script.py", text) == str(len(GENOTYPES))
