"""The process of the command line: its signals and its streams."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from support import SMALL

COMMAND = [sys.executable, "-m", "spikenas"]
GENOTYPES = "0-3:skip\n0-1:conv3x3 1-3:skip\n"
Start = Callable[..., "subprocess.Popen[str]"]


def as_in_a_shell() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Begins a command in a process of its own."""
    begun: list[subprocess.Popen[str]] = []

    def begin(*arguments: object, **options: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            preexec_fn=as_in_a_shell,
            **options,  # type: ignore[call-overload]
        )
        begun.append(process)
        return process

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


def shell(folder: Path, script: str) -> tuple[int, str, str]:
    """What a shell makes of a script in which `spikenas` is the command line."""
    program = f'spikenas() {{ {" ".join(COMMAND)} "$@"; }}\n{script}'
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, cwd=folder, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("moment", [0.1, 0.25, 0.5])
def test_ctrl_c_while_the_commands_are_imported_is_one_line(start: Start, moment: float) -> None:
    process = start("run", *SMALL, "--out", "r")
    time.sleep(moment)
    while process.poll() is None and not _handles_signals(process.pid):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err in ("spikenas: interrupted\n", "spikenas: interrupted; the same command goes on from r\n")


def _handles_signals(pid: int) -> bool:
    """Whether the process has come to its first lines; what comes before is Python's."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "status", "said"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_a_second_signal_in_training_ends_it_at_once_in_one_line(
    start: Start, tmp_path: Path, number: signal.Signals, status: int, said: str
) -> None:
    process = start("run", *SMALL, "--no-enhance", "--epochs", 500, "--set", "threads=1", "--out", "r")
    while process.poll() is None and not (tmp_path / "r" / "train.csv").exists():
        time.sleep(0.01)
    process.send_signal(number)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == status
    assert err in (f"spikenas: {said}\n", f"spikenas: {said}; the same command goes on from r\n")


@pytest.mark.slow
def test_ctrl_c_ends_the_workers_of_a_pool_too(start: Start, tmp_path: Path) -> None:
    process = start(
        *("search", *SMALL, "--workers", 2, "--strategy", "random", "--evaluations", 1_000_000, "--out", "r")
    )
    while process.poll() is None and not (tmp_path / "r" / "trials.db").exists():
        time.sleep(0.01)
    time.sleep(1)
    for _ in range(3):
        process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)  # waits for the workers, which hold the pipe of standard error
    assert process.returncode == 130
    assert len(err.splitlines()) == 1


def test_a_tool_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    script = tmp_path / "emulates.py"
    script.write_text(
        "from spikenas._util.process import run_tool, set_up\nset_up()\n"
        "run_tool(['sh', '-c', 'touch begun; exec sleep 999'])\n",
        encoding="utf-8",
    )
    process = subprocess.Popen([sys.executable, script], cwd=tmp_path, stderr=subprocess.PIPE)
    while process.poll() is None and not (tmp_path / "begun").exists():
        time.sleep(0.01)
    (tool,) = psutil.Process(process.pid).children()
    process.terminate()
    assert process.communicate(timeout=60) == (None, b"spikenas: terminated\n")
    tool.wait(10)
    assert process.returncode == 143


@pytest.mark.parametrize(
    "pipeline", ["targets | head -1", "targets --json | true", "--help | true", "estimate 0-3:skip 2>&1 | true"]
)
def test_a_closed_pipe_is_no_error(tmp_path: Path, pipeline: str) -> None:
    status, _, err = shell(tmp_path, f"spikenas {pipeline}; exit ${{PIPESTATUS[0]}}")
    assert (status, err) == (0, "")


def test_a_status_says_what_became_of_the_work_though_nobody_reads_the_messages(tmp_path: Path) -> None:
    status, _, _ = shell(tmp_path, "spikenas run --data nowhere 2>&1 | true; exit ${PIPESTATUS[0]}")
    assert status == 2
    assert shell(tmp_path, "spikenas targets 2>&- >/dev/null")[0] == 0
    assert shell(tmp_path, "spikenas targets 2>/dev/full >/dev/null")[0] == 0
    assert shell(tmp_path, "spikenas targets <&- >/dev/null")[0] == 0


@pytest.mark.parametrize(
    "command",
    [
        "targets",
        "targets --json",
        "--help",
        "--version",
        "estimate 0-3:skip",
        "show 0-3:skip",
        "estimate --genotypes g",
    ],
)
def test_output_that_cannot_be_written_is_one_line(tmp_path: Path, command: str) -> None:
    (tmp_path / "g").write_text(GENOTYPES, encoding="utf-8")
    full = shell(tmp_path, f"spikenas {command} > /dev/full")
    assert full == (2, "", "spikenas: standard output: No space left on device\n")
    closed = shell(tmp_path, f"spikenas {command} >&-")
    assert closed == (2, "", "spikenas: standard output: Bad file descriptor\n")


@pytest.mark.parametrize("locale", ["LC_ALL=C PYTHONUTF8=0", "PYTHONIOENCODING=ascii"])
def test_a_name_that_is_not_utf_8_is_shown_by_its_bytes(tmp_path: Path, locale: str) -> None:
    status, out, err = shell(tmp_path, f"export {locale}; spikenas evaluate --out $'no\\xff\\xfe\\x1b[2Jthing'")
    assert (status, out) == (2, "")
    assert err.startswith("spikenas: no\\xff\\xfe\\x1b[2Jthing: no run folder;")
    assert len(err.splitlines()) == 1
