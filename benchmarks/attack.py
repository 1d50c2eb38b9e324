"""A campaign against spikenas: mutated input in process, mutated command lines, kills, and faults of the machine.

    python benchmarks/attack.py --folder F     # all of it, which takes hours; after a kill the same command goes on
    python benchmarks/attack.py --short        # two minutes, every kind
    python benchmarks/attack.py --folder F --again "model.safetensors" 17   # one step, with its traceback
    python benchmarks/attack.py --folder F --table docs/reliability.md      # writes the table into the page

The exit status is 1 where anything was found. Everything follows from the seed; a step is known by its kind and number.
Needs Linux. Where it is not run as root, what needs mounts or another user is left out.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))

PARTS = ("inputs", "lines", "kills", "faults")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all of them when absent")
    parser.add_argument("--folder", type=Path, help="of the record and its corpus; a temporary one when absent")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--share", type=float, default=1.0, help="of the full numbers of each kind")
    parser.add_argument("--kind", help="only kinds whose name has this text in it")
    parser.add_argument("--short", action="store_true", help="every kind, about two minutes")
    parser.add_argument("--again", nargs=2, metavar=("KIND", "NUMBER"), help="repeat one step and show its traceback")
    parser.add_argument("--table", type=Path, help="page whose marked place gets the table; nothing is attacked")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that disks are unmounted
    if asked.folder:
        sys.exit(campaign(asked, asked.folder.resolve()))
    with tempfile.TemporaryDirectory(prefix="attack-") as folder:
        sys.exit(campaign(asked, Path(folder)))


def campaign(asked: argparse.Namespace, folder: Path) -> int:
    """Run the parts that are asked for; returns the exit status."""
    from attacks.plan import Campaign
    from attacks.record import Record
    from attacks.table import report, write_table

    if asked.table:
        write_table(asked.table, Record(folder, asked.seed))
        return 0
    git = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    commit = subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
    record = Record(folder, asked.seed, None if asked.again else commit)
    began = time.perf_counter()
    attacks = Campaign(record, asked.short, asked.share, asked.kind)
    attacks.corpus.make()
    if asked.again:
        attacks.again(asked.again[0], int(asked.again[1]))
        return 0
    for part in asked.parts or PARTS:
        attacks.run(part)
    found = report(record, time.perf_counter() - began)
    return 1 if found else 0


if __name__ == "__main__":
    main()
