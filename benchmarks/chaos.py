"""Kill a small sweep at a hundred named points, give the same command again, and compare with an undisturbed run.

    python benchmarks/chaos.py [--kills 100] [--first 0] [--folder FOLDER]
    python benchmarks/chaos.py --schedule driver.leased:1:kill,store.before_rename:2:stop

Kill n is drawn by seed n: a point (xtr/faults.py), which of its hits, whom it ends and how many trials run at
once. Ended is the process that is there, the driver, or every process of the run as when a machine loses power;
now and then a second fault awaits the run that goes on, and the last lines of journal and trials are torn. A
folder keeps the kills that were done, so the same command goes on. Commands run as `xtr run` does, in processes
forked from this one, which has imported the libraries already: that saves seven of a run's seconds. A schedule of
one's own makes one sweep suffer all its faults, each of which has to strike.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.figures import Figure, keep
from xtr.analysis.records.trials import read_trials
from xtr.faults import DRIVER, FOLDER, POINTS, SCHEDULE, STRUCK
from xtr.fingerprint import canonical_json, digest, file_digest

SWEEP = """
version: 1
name: chaos
model: {name: demo}
pairs:
  intermediate: [squad_v1]
  target: [tydiqa, tatoeba]
stages:
  intermediate:
    {learning_rate: 5e-4, epochs: 1, batch_size: 16, max_length: 96, tasks: {squad_v1: {examples: 48}}}
  target: {epochs: 2, batch_size: 16, max_length: 96, tasks: {tydiqa: {examples: 48}}}
  evaluate: {batch_size: 64, layer: 0, max_rows: 24}
search:
  space:
    intermediate.learning_rate: {choice: [5e-4, 1e-3]}
    target.learning_rate: {log_float: [2e-4, 2e-3]}
    target.epochs: {int: [1, 2]}
  trials_per_pair: 3
  generation: 2
  early_stopping: {rung_epochs: 1, keep: 0.5}
  confirm: {top: 1, seeds: [2]}
compute: {checkpoint_every_steps: 1}
data: {source: demo, demo_scale: 0.03}
"""
AGENTS = ("ray::DashboardAgent", "ray::RuntimeEnvAgent", "dashboard/agent.py", "runtime_env/agent/main.py")
"""Ray's own, which notice the end of a killed node by themselves, after a minute."""
AGENTS_S, OTHERS_S = 120.0, 60.0
RUN_S = 900.0
EVERY = ",".join(f"{point}:1000000000:raise" for point in POINTS)
"""A schedule that never strikes, but counts the hits."""


@dataclass(frozen=True)
class Kill:
    """What happens to one sweep: `schedule` is XTR_FAULT's, its runs take turns in `concurrency`.

    Attributes:
        torn: whether each kill leaves half a line in journal and trials.
        all_strike: whether a fault that does not strike is a mistake.
    """

    seed: int
    schedule: str
    concurrency: tuple[int, ...]
    torn: bool
    all_strike: bool = False

    @classmethod
    def draw(cls, seed: int, hits: dict[str, int]) -> Kill:
        rng = random.Random(seed)
        points = list(POINTS)
        point = points[seed % len(points)]  # every point in turn
        faults = [f"{point}:{rng.randint(1, hits[point])}:{rng.choice(('kill', 'killdriver', 'stop'))}"]
        if rng.random() < 0.2:
            second = rng.choice([each for each in points if each != point])
            faults.append(f"{second}:{rng.randint(1, hits[second])}:{rng.choice(('killdriver', 'stop'))}")
        return cls(seed, ",".join(faults), (rng.choice((1, 2, 3)),), rng.random() < 0.25)

    def __str__(self) -> str:
        width = ", ".join(map(str, self.concurrency))
        return f"seed {self.seed}  {self.schedule}  concurrency {width}" + "  torn" * self.torn

    def at_once(self) -> Kill:
        """The same at the first hits, for points that this machine has met less often than the undisturbed run."""
        return replace(self, schedule=re.sub(r":\d+:", ":1:", self.schedule))


@dataclass
class Verdict:
    """What a kill came to; the faults that struck and everything that was not as it should be."""

    seed: int
    kill: str
    struck: list[str] = field(default_factory=list)
    runs: int = 0
    seconds: float = 0.0
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Result:
    """What must not depend on kills: trials, leaderboard, and every stage's files by their hashes."""

    trials: str
    leaderboard: str
    stages: dict[str, str]


# -- one command -------------------------------------------------------------------------------------------


def fork(work: Callable[[], object], folder: Path, environment: dict[str, str], log: Path) -> int:
    """Run something in a process and session of its own, with its output in a file; return its process id."""
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        os.setsid()
        os.chdir(folder)
        os.environ.update(environment, **{DRIVER: str(os.getpid())})
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(output, 1)
        os.dup2(output, 2)
        work()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def xtr(*arguments: str) -> Callable[[], object]:
    """A command of xtr, to be called in a process of its own."""

    def command() -> None:
        from xtr.cli import main

        sys.argv = ["xtr", *arguments]
        main()

    return command


def run_until_end(place: Path, faults: Path, schedule: str, concurrency: int) -> tuple[int, str, int]:
    """Give the command once; when a fault makes a process stand still, end all of the run at once.

    Returns:
        The exit code (negative: the signal that ended the driver), what was printed, and the driver's process id.
    """
    log = place / f"log-{len(list(place.glob('log-*')))}"
    environment = {FOLDER: str(faults), SCHEDULE: schedule}
    command = xtr("run", "chaos.yaml", "--set", f"search.concurrent_trials={concurrency}")
    already = n_stopped(faults)
    pid = fork(command, place, environment, log)
    deadline = time.monotonic() + RUN_S
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status), log.read_text(), pid
        if n_stopped(faults) > already or time.monotonic() > deadline:
            for each in processes(pid, faults):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(each, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            late = "" if time.monotonic() < deadline else "\nTIME IS OVER"
            return os.waitstatus_to_exitcode(status), log.read_text() + late, pid
        time.sleep(0.02)


def n_stopped(faults: Path) -> int:
    return sum(line.split()[2] == "stop" for line in struck(faults))


def struck(faults: Path) -> list[str]:
    path = faults / STRUCK
    return path.read_text().splitlines() if path.exists() else []


def processes(session: int, faults: Path) -> dict[int, str]:
    """The living processes of a run, by id: those of its session, and those that carry its environment."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            mine = int(fields[3]) == session or str(faults).encode() in (folder / "environ").read_bytes()
            if mine and fields[0] != "Z" and int(folder.name) != os.getpid():
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found[int(folder.name)] = f"{fields[19]} {command}"  # with its time of birth: ids come again
    return found


# -- what is compared --------------------------------------------------------------------------------------


def result_of(place: Path, output: str) -> Result:
    rows = [asdict(row) for row in read_trials(place / "runs/sweeps/chaos")]
    rows.sort(key=lambda row: (row["intermediate"], row["target"], row["number"]))
    for row in rows:
        del row["detail"]  # which stages were reused, and seconds
    stages = {
        path.parent.name: digest(json.loads(path.read_text())["files"])
        for path in (place / "runs/stages").glob("*/manifest.json")
    }
    return Result("\n".join(map(canonical_json, rows)), leaderboard(output), stages)


def leaderboard(output: str) -> str:
    found = re.search(r"leaderboard of .*(?=this run made)", output, re.DOTALL)
    return found[0] if found else ""


def births(place: Path) -> dict[str, tuple[int, int]]:
    """Finished stages by key: which file their manifest is, and when it was written."""
    paths = (place / "runs/stages").glob("*/manifest.json")
    return {path.parent.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}


def partial_files(place: Path) -> list[str]:
    """Look for anything under a final name that is not whole."""
    root, found = place / "runs", []
    whole: list[tuple[Path, Callable[[dict[str, dict[str, str]]], dict[str, str]]]] = []
    whole += [(each / "manifest.json", lambda text: text["files"]) for each in (root / "stages").glob("*")]
    whole += [
        (each / "progress.json", lambda text: text["sha256"]) for each in (root / "progress").glob("*/step-*")
    ]
    for path, files in whole:
        try:
            hashes = files(json.loads(path.read_text()))
            if any(file_digest(path.parent / name) != sha for name, sha in hashes.items()):
                found.append(f"{path.parent} is not what it says")
        except (OSError, ValueError, KeyError) as error:
            found.append(f"{path}: {error}")
    found += [f"{path} is torn" for path in (root / "leases").glob("[!.]*") if not _is_json(path)]
    spec = root / "sweeps/chaos/spec.yaml"
    if spec.exists() and not spec.read_text().endswith("\n"):
        found.append(f"{spec} is torn")
    return found


def _is_json(path: Path) -> bool:
    try:
        return "token" in json.loads(path.read_text())
    except FileNotFoundError:  # given back meanwhile
        return True
    except ValueError:
        return False


# -- one kill ----------------------------------------------------------------------------------------------


def suffer(kill: Kill, prepared: Path, place: Path, expected: Result) -> tuple[Verdict, dict[int, str]]:
    """Run, be killed, run again until the end; return what was wrong and which agents of Ray still have to end."""
    began, verdict = time.monotonic(), Verdict(kill.seed, str(kill))
    shutil.copytree(prepared, place)
    faults, agents, born, code, output = place / "faults", dict[int, str](), births(place), 1, ""
    while code != 0 and verdict.runs < 3 + kill.schedule.count(":"):
        n_struck = len(struck(faults))
        width = kill.concurrency[verdict.runs % len(kill.concurrency)]
        code, output, pid = run_until_end(place, faults, kill.schedule, width)
        verdict.runs += 1
        verdict.struck = struck(faults)
        if code != 0 and len(verdict.struck) == n_struck:
            verdict.wrong.append(f"exit code {code} without a fault:\n{output}")
            break
        verdict.wrong += partial_files(place)
        now = births(place)
        verdict.wrong += [
            f"stage {key} was made twice" for key, birth in born.items() if now.get(key) != birth
        ]
        born = now
        agents |= await_end(pid, faults, verdict.wrong)
        if code != 0 and kill.torn:
            tear(place)
    if code == 0:
        verdict.wrong += differences(expected, result_of(place, output))
        verdict.wrong += [
            f"the lease of {path.name} is left, and its stage is not there"
            for path in (place / "runs/leases").glob("[!.]*")
            if path.name not in born
        ]
        if (place / "runs/sweeps/chaos/driver.lease").exists():
            verdict.wrong.append("the driver's lease is left")
    if kill.all_strike and len(verdict.struck) != len(kill.schedule.split(",")):
        verdict.wrong.append("some faults did not strike")
    verdict.seconds = round(time.monotonic() - began, 1)
    return verdict, agents


def await_end(pid: int, faults: Path, wrong: list[str]) -> dict[int, str]:
    """Wait for what a run has started to end; return those of Ray's agents that take their minute."""
    deadline = time.monotonic() + OTHERS_S
    while True:
        left = processes(pid, faults)
        others = {each: name for each, name in left.items() if not any(agent in name for agent in AGENTS)}
        if not others:
            return left
        if time.monotonic() > deadline:
            wrong += [f"process {each} is left: {name}" for each, name in others.items()]
            return left
        time.sleep(0.1)


def tear(place: Path) -> None:
    """Leave a half line behind, as a loss of power does."""
    folder = place / "runs/sweeps/chaos"
    for name, half in {"study.journal": '{"op_code": 4, "wor', "trials.jsonl": '{"index":0,"inter'}.items():
        if (folder / name).exists():
            with (folder / name).open("a") as file:
                file.write(half)


def differences(expected: Result, got: Result) -> list[str]:
    wrong = []
    if got.trials != expected.trials:
        pairs = zip(expected.trials.splitlines(), got.trials.splitlines(), strict=False)
        changed = [f"  - {one}\n  + {other}" for one, other in pairs if one != other]
        wrong.append("other trials:\n" + "\n".join(changed))
    if got.leaderboard != expected.leaderboard:
        wrong.append(f"another leaderboard:\n{got.leaderboard}")
    if got.stages != expected.stages:
        keys = {
            key for key in expected.stages | got.stages if expected.stages.get(key) != got.stages.get(key)
        }
        wrong.append(f"other stages: {', '.join(sorted(keys))}")
    return wrong


# -- all of them -------------------------------------------------------------------------------------------


def prepare(folder: Path) -> tuple[Path, Result, dict[str, int]]:
    """Make what all runs share (world, encoder, MLflow's tables) and the undisturbed run; once a folder."""
    prepared, whole = folder / "prepared", folder / "whole"
    if not (whole / "done").exists():
        for each in (prepared, whole):
            shutil.rmtree(each, ignore_errors=True)
        prepared.mkdir(parents=True)
        (prepared / "chaos.yaml").write_text(SWEEP)
        pid = fork(_prepare_root, prepared, {}, folder / "log-prepare")
        assert os.waitpid(pid, 0)[1] == 0, (folder / "log-prepare").read_text()
        shutil.copytree(prepared, whole)
        code, output, _ = run_until_end(whole, whole / "faults", EVERY, 2)
        assert code == 0, output
        (whole / "done").write_text(output)
    hits = {point: (whole / "faults" / point).stat().st_size for point in POINTS}
    return prepared, result_of(whole, (whole / "done").read_text()), hits


def _prepare_root() -> None:
    from mlflow import MlflowClient

    from xtr.data.open import open_source
    from xtr.spec.load import load_sweep
    from xtr.stages.path import Paths
    from xtr.stages.run import Runner
    from xtr.track.where import tracking_uri

    spec = load_sweep(Path("chaos.yaml"), [])
    Runner(spec).ensure_start(Paths(spec, open_source(spec.data, Path("runs").resolve())).start)
    Path("mlruns").mkdir(exist_ok=True)
    MlflowClient(tracking_uri(spec)).search_experiments()


def kill_many(folder: Path, kills: Callable[[dict[str, int]], list[Kill]], agents_s: float) -> list[Verdict]:
    """Do the kills that the folder does not have yet; then wait for Ray's agents."""
    prepared, expected, hits = prepare(folder)
    kept = folder / "kills.jsonl"
    lines = kept.read_text().splitlines() if kept.exists() else []
    done = {each["seed"]: Verdict(**each) for each in map(json.loads, lines)}
    agents: dict[int, str] = {}
    asked = kills(hits)
    for kill in asked:
        if kill.seed in done:
            continue
        place = folder / f"kill-{kill.seed}"
        for each in (kill, kill.at_once()):
            shutil.rmtree(place, ignore_errors=True)
            verdict, left = suffer(each, prepared, place, expected)
            agents |= left
            if verdict.struck:
                break
        done[kill.seed] = verdict
        told = "\n".join(verdict.wrong) or "as undisturbed"
        print(f"{verdict.kill}  {verdict.runs} runs, {verdict.seconds:.0f} s: {told}", flush=True)
        with kept.open("a") as file:
            file.write(canonical_json(asdict(verdict)) + "\n")
        if not verdict.wrong:
            shutil.rmtree(place)
    for name in outlive(agents, agents_s):
        print(f"left behind: {name}")
        verdict.wrong.append(f"left behind: {name}")
    return [done[kill.seed] for kill in asked]


def outlive(agents: dict[int, str], agents_s: float) -> list[str]:
    """Wait for processes to end; name those that do not."""
    if not agents_s:
        return []
    deadline = time.monotonic() + agents_s
    while agents and time.monotonic() < deadline:
        agents = {pid: name for pid, name in agents.items() if _lives(pid, name)}
        time.sleep(0.5)
    return list(agents.values())


def _lives(pid: int, name: str) -> bool:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] != "Z" and fields[19] == name.split()[0]


def figures(verdicts: list[Verdict]) -> list[Figure]:
    """Sum verdicts up."""
    n, faults = len(verdicts), sum(len(each.struck) for each in verdicts)
    counts = {
        "other trials, another leaderboard or other stages": ("other", "another"),
        "finished stages done again": ("stage ",),
        "a part of a file under its final name": ("/",),
        "a process or a lease left behind": ("process", "left behind", "the lease", "the driver's"),
        "anything wrong": ("",),
    }
    table = [Figure("faults that struck", faults, "", f"at least {n}", faults >= n)]
    for name, words in counts.items():
        wrong = sum(any(line.startswith(words) for line in each.wrong) for each in verdicts)
        table.append(Figure(f"of {n} killed sweeps: {name}", wrong, "", "0", not wrong))
    return table


def clean_environment(scratch: Path) -> None:
    """Leave out of this process's environment what would lead xtr or Ray elsewhere."""
    for name in [each for each in os.environ if each.startswith(("RAY_", "MLFLOW_", "XTR_FAULT"))]:
        del os.environ[name]
    # Hundreds of runs: their sessions go with the folder, and socket paths have 107 bytes at most.
    os.environ |= {"RAY_TMPDIR": str(scratch), "HF_HUB_OFFLINE": "1"}


def warm() -> None:
    """Import what a run imports; started is nothing, so that a fork takes no thread apart."""
    import mlflow  # noqa: F401
    import ray.tune  # noqa: F401

    import xtr.cli
    import xtr.search.searcher
    import xtr.search.sweep
    import xtr.search.trial  # noqa: F401


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where runs lie; what it holds is not done again")
    parser.add_argument("--schedule", help="faults as XTR_FAULT has them, all for one sweep")
    parser.add_argument("--keep", action="store_true", help="write the figures under results/")
    parser.add_argument(
        "--agents", type=float, default=AGENTS_S, help="seconds for Ray's own agents to end; 0 does not look"
    )
    options = parser.parse_args()

    def asked(hits: dict[str, int]) -> list[Kill]:
        if options.schedule:
            return [Kill(0, options.schedule, (1, 2, 3), torn=True, all_strike=True)]
        return [Kill.draw(seed, hits) for seed in range(options.first, options.first + options.kills)]

    with tempfile.TemporaryDirectory(prefix="xtr-", ignore_cleanup_errors=True) as scratch:
        clean_environment(Path(scratch))
        warm()
        table = figures(
            kill_many((options.folder or Path(scratch) / "chaos").absolute(), asked, options.agents)
        )
    if options.keep:
        keep("chaos", f"python benchmarks/chaos.py --kills {options.kills}", table)
    sys.exit(any(not figure.met for figure in table))
