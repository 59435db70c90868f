"""Two processes race for one key, fifty times; in half of the rounds the one that holds it is killed.

    python benchmarks/race.py [--rounds 50] [--store FOLDER]

What each process makes differs, so that a mixture of both would show. A round is won when one content is there,
whole, and everybody who lives has read that content. Takeover is counted from the kill to the other's claim, in
heartbeats, on the machine's one monotonic clock.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.figures import Figure, keep
from xtr.spec.sweep import ModelSpec, PairsSpec, SearchSpec, StorageSpec, SweepSpec
from xtr.stages.stage import PretrainStage
from xtr.stages.store import StageStore
from xtr.stages.work import store_of

FILES, WORK_S = 5, 0.5


@dataclass(frozen=True)
class Round:
    """How a round ended: what was committed, what the living have read, and seconds from kill to claim."""

    committed: str | None
    read: tuple[str, ...]
    living: int
    takeover_s: float | None

    @property
    def won(self) -> bool:
        """One content, and it is what everybody has read."""
        return self.committed is not None and self.read == (self.committed,) * self.living


def open_store(where: str) -> StageStore:
    """Open the store that a sweep with this `storage.root` has."""
    pairs = PairsSpec(intermediate=("mnli",), target=("tatoeba",))
    storage = StorageSpec(root=where)
    spec = SweepSpec(
        version=1,
        name="race",
        model=ModelSpec(name="demo"),
        pairs=pairs,
        search=SearchSpec(),
        storage=storage,
    )
    return store_of(spec)


def race(where: str, number: int, notes: Path, *, kill: bool) -> Round:
    """Let two processes make one stage; kill the holder some time after its claim, where that is asked."""
    stage, rng = PretrainStage(f"race {number}", number, 1.0), random.Random(number)
    notes.mkdir()
    racers = [fork_racer(where, stage, notes, for_ever=kill) for _ in range(2)]
    killed_at = None
    if kill:
        holder = wait_for_claim(notes)
        time.sleep(rng.uniform(0, 2 * open_store(where).place.store.heartbeat_s))
        killed_at = time.monotonic()
        os.kill(holder, signal.SIGKILL)
    for pid in racers:
        os.waitpid(pid, 0)
    claims = [json.loads(path.read_text()) for path in notes.glob("claim-*")]
    read = tuple(path.read_text() for path in notes.glob("read-*"))
    takeover = max(claims) - killed_at if killed_at is not None and len(claims) == 2 else None
    manifest = open_store(where).open(stage.key)
    return Round(None if manifest is None else str(manifest.result["by"]), read, 2 - kill, takeover)


def fork_racer(where: str, stage: PretrainStage, notes: Path, *, for_ever: bool) -> int:
    """Start a process that makes a stage unless another does; the first of two works for ever, if asked."""
    pid = os.fork()
    if pid:
        return pid
    try:
        make(open_store(where), stage, notes, for_ever=for_ever)
    finally:
        os._exit(0)


def make(store: StageStore, stage: PretrainStage, notes: Path, *, for_ever: bool) -> None:
    """Do what every process does that needs a stage: claim it, make and publish it, or read it."""
    me = str(os.getpid())
    lease = store.claim(stage.key)
    if lease is not None:
        with lease, store.workspace(stage.key) as folder:
            first = not list(notes.glob("claim-*"))
            write(notes / f"claim-{me}", repr(time.monotonic()))
            for number in range(FILES):
                (folder / f"part-{number}").write_text(f"{me}\n" * 1000)
                time.sleep(3600 if for_ever and first and number == FILES // 2 else WORK_S / FILES)
            store.publish(stage, folder, {"by": me}, {})
    manifest = store.open(stage.key)
    if manifest is not None:
        write(notes / f"read-{me}", content(store, stage, str(manifest.result["by"])))


def content(store: StageStore, stage: PretrainStage, by: str) -> str:
    """Read who has made the files; more than one name means a mixture."""
    names = {by}
    for number in range(FILES):
        names |= set((store.folder(stage.key) / f"part-{number}").read_text().split())
    return " and ".join(sorted(names))


def wait_for_claim(notes: Path) -> int:
    while not (claims := list(notes.glob("claim-*"))):
        time.sleep(0.005)
    return int(claims[0].name.removeprefix("claim-"))


def write(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}")
    partial.write_text(text)
    partial.rename(path)


def figures(rounds: list[Round], heartbeat_s: float) -> list[Figure]:
    beats = [each.takeover_s / heartbeat_s for each in rounds if each.takeover_s is not None]
    n, killed = len(rounds), sum(each.living == 1 for each in rounds)
    won = sum(each.won for each in rounds)
    figures = [
        Figure(f"rounds of {n} with one committed content, none lost", won, "", str(n), won == n),
        Figure(f"taken over, of {killed} killed holders", len(beats), "", str(killed), len(beats) == killed),
    ]
    for name, value in {"median": statistics.median(beats), "longest": max(beats)}.items():
        figures.append(Figure(f"from kill to takeover, {name}", value, "beats", "at most 2", value <= 2))
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--store", help="a folder or another root that storage.root may name")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        where, notes = options.store or f"{scratch}/store", Path(scratch)
        rounds = [race(where, n, notes / f"round-{n}", kill=n % 2 == 1) for n in range(options.rounds)]
        heartbeat_s = open_store(where).place.store.heartbeat_s
    keep("race", f"python benchmarks/race.py --rounds {options.rounds}", figures(rounds, heartbeat_s))
