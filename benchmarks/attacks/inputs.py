"""Part a: mutated input of every parser and file reader, in process."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from attacks.attempt import WrongError, command_line, fresh, judge_command
from attacks.corpus import Corpus, pictures
from attacks.mutate import MUTATE, NUMBERS, VALUES, WORDS, flip_bits, mutate_bytes, mutate_text
from attacks.record import Step
from attacks.results import check_trials, odd_events, read_table, values_of
from spikenas import Genotype, Model, Op, Task
from spikenas.bench.results import ResultFile
from spikenas.cli.options import SET, Given
from spikenas.config import Config, DataConfig
from spikenas.data import Manifest
from spikenas.deployment.nir import read_nir
from spikenas.enhancement.analysis_file import read_analysis
from spikenas.interface.functions import load
from spikenas.nas.store import TrialStore, read_trials
from spikenas.pipeline.run_folder import RunFolder
from spikenas.pipeline.searching import take_statistics
from spikenas.reporting import load_run
from spikenas.reporting.page import render
from spikenas.space.texts import parse_input, read_genotype, read_genotypes
from spikenas.targets import find_target
from spikenas.training.checkpoint import load_tensors
from spikenas.training.epochs import read_log

RUN_FILES = (
    *("config.toml", "best.json", "space.json", "statistics.json", "data.json", "quantise.json", "evaluation.json"),
    *(
        "firmware/stm32f103/footprint.json",
        "manifest.csv",
        "history.jsonl",
        "train.csv",
        "trials.db",
        "enhance/config.toml",
    ),
    *("enhance/analysis/analysis.json", "mistakes.png", "front.csv"),
)
STAGES = ("report", "evaluate", "quantise", "deploy", "train", "search", "enhance", "run")
GENOTYPES = (
    *("0-1:skip 0-2:conv3x3 0-3:avgpool3x3 1-2:none 1-3:conv1x1 2-3:conv3x3@0.5", "0-3:conv3x3"),
    *("nodes=3 0-1:skip 0-2:skip 1-2:conv3x3", "0-3:conv3x3 / 0-1:skip 1-3:conv3x3", "0-1:conv3x3 2-1:skip 1-3:skip"),
    *("0100 0010 0001 0000", "0130 0020 0001 0000", "0-1:dwconv3x3@1.5 1-3:conv7x7"),
)
IDS = ("15624", "7", "012340")
OPS = ("skip", "conv3x3", "conv3x3@0.5", "avgpool3x3", "none", "dwconv3x3", "conv1x1@1.5", "conv7x7@2")
SETTINGS = ("1", "0.5", "true", '"auto"', '"96KiB"', "1.2M", "[1, 2]", '["skip"]', "{a = 1}", "cmrr", "none")


class Inputs:
    """The attacks of part a, by kind.

    Args:
        corpus: What they begin from.
        room: Folder in which they work.
        rng: Makes the source of choices of a kind and a number.
    """

    def __init__(self, corpus: Corpus, room: Path, rng: Callable[[str, int], random.Random]) -> None:
        self.corpus, self.room, self.rng = corpus, room, rng

    @cached_property
    def kinds(self) -> dict[str, tuple[int, Callable[[random.Random], object]]]:
        """Return for each kind how many a full campaign has, and the function that does one."""
        run, data = self.corpus.run, self.corpus.data
        read: dict[str, tuple[int, Callable[[random.Random], object]]] = {
            "text of a configuration": (9000, self._configuration),
            "--set": (14000, self._setting),
            "text of a genotype": (14000, self._genotype),
            "text of an op, shape or number": (7000, self._text),
            "file of genotypes": (2000, self._genotypes),
            "target": (4000, partial(self._file, data / "board.toml", lambda path: find_target(str(path)))),
            "statistics.json": (3000, partial(self._file, run / "statistics.json", self._read_statistics)),
            "manifest.csv": (3000, partial(self._file, run / "manifest.csv", Manifest.load)),
            "train.csv": (3000, partial(self._file, run / "train.csv", read_log)),
            "trials.db": (3000, self._trials),
            "analysis.json": (3000, partial(self._file, run / "enhance/analysis/analysis.json", self._read_analysis)),
            "results.csv": (3000, partial(self._file, self.corpus.folder / "compare/results.csv", ResultFile)),
            "table.csv": (4000, partial(self._file, data / "table.csv", read_table)),
            "bench.csv": (4000, partial(self._file, data / "bench.csv", read_table)),
            "train_process.txt": (3000, self._logs),
            "network.nir": (1500, partial(self._weights, run / "network.nir", read_nir)),
            "model.safetensors": (3000, partial(self._weights, run / "model.safetensors", load)),
            "checkpoint.safetensors": (3000, partial(self._weights, run / "checkpoint.safetensors", load_tensors)),
            "quantised.safetensors": (3000, partial(self._weights, run / "quantised.safetensors", load)),
            "picture in a folder": (8000, self._picture),
            "picture to predict": (3000, self._predicted),
            "value to predict": (1000, self._value),
            "events.npz": (4000, self._events),
            "IDX": (3000, partial(self._idx, "idx")),
            "IDX, compressed": (2000, partial(self._idx, "gz")),
            "TinyImageNet's texts": (3000, self._tiny),
            "names of a data folder": (800, self._tree),
        }
        for name in RUN_FILES:
            read[f"run with {name}"] = (700, partial(self._run, name))
        read["stage on a damaged run"] = (600, self._stage)
        return read

    def attack(self, kind: str, number: int) -> object:
        """Do one."""
        return self.kinds[kind][1](self.rng(kind, number))

    def set_up(self) -> None:
        """Load what the attacks share."""
        torch.set_num_threads(1)
        fresh(self.room)
        self._small_run()
        _ = self._model

    # Texts

    def _configuration(self, rng: random.Random) -> None:
        text = mutate_text((self.corpus.run / "config.toml").read_text(), rng)
        path = self._write("config.toml", text.encode(errors="surrogatepass"))
        self._comes_back(Config.load(path))

    def _setting(self, rng: random.Random) -> None:
        key = rng.choice(self._keys) if rng.random() < 0.95 else mutate_text(rng.choice(self._keys), rng)
        value = rng.choice((*NUMBERS, *WORDS, *SETTINGS))
        if rng.random() < 0.3:
            value = mutate_text(value, rng)
        given = Given.of((SET,), {"set_": [f"{key}={value}"]})
        self._comes_back(Config().but(given.words, given.sources))

    def _comes_back(self, config: Config) -> None:
        """Check that a configuration that was accepted can be written, and is read as the same."""
        path = self._write("written.toml", config.dump().encode())
        if Config.load(path).model_dump(mode="json") != config.model_dump(mode="json"):
            raise WrongError(f"a configuration that reads differently once written: {config.given()}")

    @cached_property
    def _keys(self) -> list[str]:
        def walk(values: dict[str, Any], before: str) -> Iterator[str]:
            for key, value in values.items():
                yield from walk(value, f"{before}{key}.") if isinstance(value, dict) else [f"{before}{key}"]

        return list(walk(Config().model_dump(), ""))

    def _genotype(self, rng: random.Random) -> None:
        space = rng.choice((None, None, "spikenas-bench", "snasnet"))
        text = mutate_text(rng.choice(IDS if space == "spikenas-bench" else GENOTYPES), rng)
        found = read_genotype(text, space, rng.choice((None, None, None, 1, 2, 3)))
        if Genotype.parse(str(found)) != found or Genotype.parse(str(found)).canonical != found.canonical:
            raise WrongError(f"{text!r} is read as {found}, which is read as {Genotype.parse(str(found))}")

    def _text(self, rng: random.Random) -> None:
        match rng.randrange(4):
            case 0:
                op = Op.parse(mutate_text(rng.choice(OPS), rng))
                if Op.parse(str(op)) != op:
                    raise WrongError(f"{op} is read as {Op.parse(str(op))}")
            case 1:
                parse_input(
                    mutate_text(rng.choice(("3x32x32", "1x8x8", "2x16x16")), rng), rng.choice((0, 2, 10, 10**9))
                )
            case _:
                key = rng.choice(
                    ("budget.flash", "budget.ram", "budget.params", "network.channels", "network.stem_stride")
                )
                text = mutate_text(rng.choice(("96KiB", "0.5 MB", "1.2M", "500k", "16", "auto", "1e3", "1000000")), rng)
                self._comes_back(Config().but({key: text}, {key: "--option"}))

    def _genotypes(self, rng: random.Random) -> None:
        text = mutate_text("# found\n\n" + "\n".join(GENOTYPES) + "\n", rng)
        list(read_genotypes(self._write("genotypes.csv", text.encode(errors="surrogatepass")), Genotype.parse))

    # Files that are read alone

    def _write(self, name: str, raw: bytes) -> Path:
        path = self.room / name
        path.write_bytes(raw)
        return path

    def _file(self, source: Path, read: Callable[[Path], object], rng: random.Random) -> None:
        read(self._write(source.name, MUTATE[source.suffix](source.read_bytes(), rng)))

    def _read_analysis(self, path: Path) -> None:
        config = Config.load(self.corpus.run / "enhance/config.toml")
        read_analysis(path, config, "cmrr")

    def _read_statistics(self, path: Path) -> None:
        with RunFolder(path.parent) as run:
            take_statistics(run, self._task)

    @cached_property
    def _task(self) -> Task:
        return Task.of(Config.load(self.corpus.run / "config.toml"))

    def _trials(self, rng: random.Random) -> None:
        path = self._write("trials.db", self._damaged_trials(rng))
        for suffix in ("-journal", "-wal"):
            (self.room / f"trials.db{suffix}").unlink(missing_ok=True)
        found = read_trials(path)
        check_trials(found)
        with TrialStore(path) as store:
            check_trials(list(store))

    def _damaged_trials(self, rng: random.Random) -> bytes:
        import sqlite3

        raw = (self.corpus.run / "trials.db").read_bytes()
        if rng.random() < 0.5:
            return mutate_bytes(raw, rng)
        path = self._write("changed.db", raw)
        connection = sqlite3.connect(path, isolation_level=None)
        columns = [row[1] for row in connection.execute("PRAGMA table_info(trials)")]
        for _ in range(rng.choice((1, 1, 3))):
            value = rng.choice((None, -1, 0, 10**18, 0.5, float("inf"), "x", "", b"x", "\x00", "0-3:conv3x3", "scored"))
            row, column = rng.randrange(4), rng.choice(columns)
            try:
                connection.execute(f'UPDATE OR REPLACE trials SET "{column}" = ? WHERE position = ?', (value, row))
                if rng.random() < 0.1:
                    connection.execute(f'ALTER TABLE trials DROP COLUMN "{column}"')
            except sqlite3.Error:
                continue
        connection.close()
        return path.read_bytes()

    def _logs(self, rng: random.Random) -> None:
        folder = fresh(self.room / "logs", self.corpus.data / "logs" / "cifar10")
        path = folder / rng.choice(("0", "31")) / "train_process.txt"
        path.write_bytes(MUTATE[".txt"](path.read_bytes(), rng))
        read_table(folder)

    # Weights

    def _weights(self, source: Path, read: Callable[[Path], object], rng: random.Random) -> None:
        raw = source.read_bytes()
        changed = flip_bits(raw, rng) if rng.random() < 0.6 else mutate_bytes(raw, rng)
        found = read(self._write(source.name, changed))
        if changed != raw and values_of(found) != self._original(source, read):
            raise WrongError("loads, with other values than were saved")

    def _original(self, source: Path, read: Callable[[Path], object]) -> object:
        known: dict[Path, object] = self.__dict__.setdefault("_originals", {})
        if source not in known:
            known[source] = values_of(read(source))
        return known[source]

    @cached_property
    def _model(self) -> Model:
        model = load(self.corpus.run / "model.safetensors")
        assert isinstance(model, Model)
        return model

    # Data

    def _picture(self, rng: random.Random) -> None:
        folder = fresh(self.room / "pictures", self.corpus.data / "pictures")
        for _ in range(rng.choice((1, 1, 3))):
            name, raw = rng.choice(self._pictures)
            changed = mutate_bytes(raw, rng) if rng.random() < 0.9 else raw
            (folder / rng.choice("ab") / f"{rng.randrange(9)}-{name}").write_bytes(changed)
        settings = {"skip_broken": rng.random() < 0.5, "image_size": rng.choice((None, 8, 24))}
        self._open(f"{folder}", settings)

    def _open(self, name: str, settings: dict[str, Any]) -> None:
        data = Task.of(Config(data=DataConfig(name=name, **settings))).dataset
        for split in (data.train, data.validation, data.test):
            items = split.fetch(range(len(split)))
            if items.shape[-3:] != data.shape or not np.isfinite(items).all():
                raise WrongError(f"items of shape {items.shape} for {data.shape}, or not finite")

    @cached_property
    def _pictures(self) -> list[tuple[str, bytes]]:
        return list(pictures().items())

    def _predicted(self, rng: random.Random) -> None:
        name, raw = rng.choice(self._pictures)
        changed = mutate_bytes(raw, rng)
        found: Any = self._model.predict(self._write(name, changed))
        if not all(0 <= value <= 1 for value in found.probabilities.values()):
            raise WrongError(f"probabilities {found.probabilities}")

    def _value(self, rng: random.Random) -> None:
        shape = tuple(rng.choice((0, 1, 2, 3, 8, 9)) for _ in range(rng.randrange(6)))
        dtype = rng.choice(("uint8", "int64", "float32", "float64", "bool", "complex64", "U3", "O", "float16", "int8"))
        array = np.zeros(shape, dtype)
        if array.size and dtype not in ("U3", "O", "bool") and rng.random() < 0.3:
            array.flat[0] = rng.choice((np.nan, np.inf, -1, 255, 1e30)) if "int" not in dtype else 100
        what = rng.choice((array, array, array, [array], array.tolist(), rng.choice(VALUES), rng.choice(WORDS)))
        self._model.predict(what)

    def _events(self, rng: random.Random) -> None:
        folder = fresh(self.room / "events", self.corpus.data / "events")
        path = folder / rng.choice("ab") / f"{rng.randrange(6)}.npz"
        raw = path.read_bytes()
        path.write_bytes(mutate_bytes(raw, rng) if rng.random() < 0.7 else odd_events(path, rng))
        self._open(f"events:{folder}", {"skip_broken": rng.random() < 0.5})

    def _idx(self, name: str, rng: random.Random) -> None:
        folder = fresh(self.room / name, self.corpus.data / name)
        path = rng.choice(sorted(folder.iterdir()))
        path.write_bytes(mutate_bytes(path.read_bytes(), rng))
        self._open(f"idx:{folder}", {})

    def _tiny(self, rng: random.Random) -> None:
        folder = fresh(self.room / "tiny", self.corpus.data / "tiny")
        path = folder / rng.choice(("wnids.txt", "words.txt", "val/val_annotations.txt"))
        path.write_bytes(MUTATE[".txt"](path.read_bytes(), rng))
        self._open(f"tinyimagenet:{folder}", {})

    def _tree(self, rng: random.Random) -> None:
        """Folders and files of odd names, empty ones, links, and splits in odd places."""
        folder = fresh(self.room / "tree")
        sources = sorted((self.corpus.data / "pictures").rglob("*.png"))
        names = (
            b"a",
            b"b",
            b"c\n",
            b"\xff\xfe",
            b"[b]",
            b"test",
            b"train",
            b"Train",
            b"VAL",
            b"valid",
            b".x",
            b" ",
            b"e" * 200,
        )
        root = os.fsencode(folder)
        for _ in range(rng.randrange(1, 5)):
            parts = [rng.choice(names) for _ in range(rng.choice((1, 1, 2, 3)))]
            inside = os.path.join(root, *parts)
            os.makedirs(inside, exist_ok=True)
            for k in range(rng.choice((0, 1, 3, 8))):
                path = os.path.join(inside, rng.choice((b"%d.png", b"\xe9%d.png", b"a\n%d.PNG", b"%d.txt", b"%d")) % k)
                match rng.randrange(12):
                    case 0:
                        os.path.lexists(path) or os.makedirs(path)
                    case 1:
                        not os.path.lexists(path) and os.symlink(rng.choice((b"nowhere", path, b"..")), path)
                    case 2:
                        not os.path.isdir(path) and not os.path.islink(path) and Path(os.fsdecode(path)).write_bytes(
                            b""
                        )
                    case _:
                        not os.path.lexists(path) and shutil.copy(os.fsencode(rng.choice(sources)), path)
        self._open(str(folder), {"skip_broken": rng.random() < 0.5})

    # Run folders

    def _small_run(self) -> Path:
        folder = fresh(self.room / "run", self.corpus.run)
        (folder / "report.html").unlink()
        return folder

    def _damage(self, folder: Path, name: str, rng: random.Random) -> None:
        path = folder / name
        if name == "trials.db":
            path.write_bytes(self._damaged_trials(rng))
        else:
            path.write_bytes(MUTATE.get(path.suffix, mutate_bytes)(path.read_bytes(), rng))

    def _run(self, name: str, rng: random.Random) -> None:
        folder = self.room / "run"
        try:
            self._damage(folder, name, rng)
            found = load_run(folder)
            repr(found)
            found._repr_html_()
            if rng.random() < 0.2:
                render([found])
        finally:
            shutil.copy(self.corpus.run / name, folder / name)

    def _stage(self, rng: random.Random) -> Step:
        folder = fresh(self.room / "staged", self.corpus.run)
        names = rng.sample(
            (*RUN_FILES, "model.safetensors", "checkpoint.safetensors", "quantised.safetensors"), rng.choice((1, 1, 2))
        )
        for name in names:
            self._damage(folder, name, rng)
            if rng.random() < 0.05:
                (folder / name).unlink()
        stage = rng.choice(STAGES)
        options = [str(folder)] if stage == "report" else ["--out", str(folder), "--quiet"]
        if stage in ("train", "run") and rng.random() < 0.3:
            (folder / "model.safetensors").unlink(missing_ok=True)
        ended = command_line([stage, *options], lambda: True)
        return judge_command("", 0, ended, f"{stage} with damaged {', '.join(names)}")
