"""This is where one trial's stages are made in this process, on this machine's processor or GPU, without Ray.

    spec = load_sweep(Path("sweeps/demo.yaml"))
    params = {"intermediate.learning_rate": 3e-4, "intermediate.epochs": 1, "intermediate.fraction": 0.5,
              "target.learning_rate": 3e-4, "target.epochs": 2}
    make_alone(spec, Trial(Pair("squad_v1", "tydiqa"), params)).select    -> {"exact_match": 0.2, "f1": 0.31}

A stage has the key that a sweep gives it, so what one has made the other reads. Needs torch, transformers,
pydantic and pyyaml; of the rest of xtr's libraries only FAISS, and only for retrieval.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field

from xtr.catalogue.lookup import find_task
from xtr.errors import InputError, Problem, suggest
from xtr.fingerprint import JSON
from xtr.model.world import World
from xtr.spec.budget import written_dimensions
from xtr.spec.notation import write_dimension
from xtr.spec.space import Fixed, Value, complaint
from xtr.spec.sweep import Pair, PerWorker, SweepSpec
from xtr.stages.path import Path, Paths, evaluated_languages
from xtr.stages.run import Outcome, Runner
from xtr.stages.stage import EvaluateStage, TrainStage

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Trial:
    """Which trial of a sweep: a pair, the values of its dimensions, and the seed of its training.

    Attributes:
        params: by the dimensions' names in the sweep file; those that are numbers there need none.
        seed: None takes the sweep's.
    """

    pair: Pair
    params: Mapping[str, Value] = field(default_factory=dict)
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """One stage of the path: what it is, where it lies, and what it took now.

    Attributes:
        what: `train tydiqa`, `evaluate tydiqa test sw`.
        made: how it was made, by whoever made it: hardware, precision, seconds.
    """

    what: str
    key: str
    folder: str
    reused: bool
    steps: int
    tokens: int
    seconds: float
    scores: dict[str, float]
    made: dict[str, JSON]


@dataclass(frozen=True, slots=True)
class Alone:
    """What the stages of one trial came to.

    Attributes:
        select: mean metric values on the split that a search may see, in [0, 1].
    """

    pair: Pair
    params: dict[str, Value]
    seed: int
    device: str
    stages: tuple[Made, ...]
    select: dict[str, float]

    def document(self) -> dict[str, JSON]:
        """Write it in JSON's terms."""
        return {"schema_version": SCHEMA_VERSION, **asdict(self)}


def make_alone(
    spec: SweepSpec,
    trial: Trial,
    *,
    device: str = "auto",
    evaluate: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Alone:
    """Make the stages of one trial exist, one after the other, in this process.

    Args:
        device: `cpu`, `cuda`, or `auto` for the GPU where there is one.
        evaluate: score the trained target on `stages.evaluate.split` in every language, too.
        say: told of each stage as it is there.

    Raises:
        InputError: the sweep has no such pair, a dimension has no value, or there is no such device.
    """
    pair, params = trial.pair, settled_params(spec, trial)
    seed = spec.search.training_seed if trial.seed is None else trial.seed
    world = World.here(device)
    runner = Runner(_on_this_machine(spec, world), here=world)
    path = Paths(spec, runner.source).path(pair, params, seed)
    made = [_told(_trained(runner, stage), say) for stage in path.training]
    selected = [_told(each, say) for each in _evaluated(runner, path.select)]
    select = _mean([each.scores for each in selected]) if path.select else made[-1].scores
    made += selected
    if evaluate:
        made += [_told(each, say) for each in _evaluated(runner, _in_every_language(runner, pair, path))]
    return Alone(pair, params, seed, world.device, tuple(made), select)


def settled_params(spec: SweepSpec, trial: Trial) -> dict[str, Value]:
    """Give every dimension that a pair can use its value: the one given, or the number that the file fixes.

    Raises:
        InputError: all problems at once.
    """
    pair, given, known = trial.pair, trial.params, spec.pairs.pairs()
    if pair not in known:
        names = [f"{each.intermediate}:{each.target}" for each in known]
        received = f"{pair.intermediate}:{pair.target}"
        hint = suggest(received, names)
        raise InputError(Problem("no such pair in this sweep", "pair", received, ", ".join(names), hint))
    space = {**spec.search.space, **{name: Fixed(value) for name, value in given.items()}}
    problems = [
        Problem(each.what, f"param {name}", each.received, each.allowed, each.hint)
        for name in given
        if (each := complaint(name, space[name])) is not None
    ]
    searched = spec.model_copy(update={"search": spec.search.model_copy(update={"space": space})})
    used = written_dimensions(searched, pair)
    unread = [name for name in given if name not in used]
    if not problems:
        problems += [Problem("this pair has no such stage", f"param {name}") for name in unread]
    problems += [
        Problem(
            "this dimension varies: say a value",
            f"param {name}",
            allowed=str(write_dimension(each)),
            hint=f"{name}=VALUE",
        )
        for name, each in used.items()
        if not isinstance(each, Fixed)
    ]
    if problems:
        raise InputError(problems)
    return {name: each.value for name, each in used.items() if isinstance(each, Fixed)}


def read_params(texts: Iterable[str]) -> dict[str, Value]:
    """Read `target.epochs=2`; what a name can take is checked where it is used.

    Raises:
        InputError: one is no name and number.
    """
    params: dict[str, Value] = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            params[name.strip()] = int(value)
        except ValueError:
            try:
                params[name.strip()] = float(value)
            except ValueError:
                hint = "target.learning_rate=3e-5"
                problem = Problem("not a value of a dimension", "param", text, "NAME=NUMBER", hint)
                raise InputError(problem) from None
    return params


def read_pair(text: str) -> Pair:
    """Read `squad_v1:tydiqa`; what stands before the last colon is the intermediate, none where there is none."""
    intermediate, _, target = text.rpartition(":")
    return Pair(intermediate or "none", target)


def alone_text(alone: Alone) -> str:
    """Say in the end what the trial came to."""
    scores = ", ".join(f"{name} {100 * value:.1f}" for name, value in alone.select.items())
    return f"{alone.pair.intermediate} > {alone.pair.target}, seed {alone.seed}, on select: {scores}"


def _on_this_machine(spec: SweepSpec, world: World) -> SweepSpec:
    """Say of the sweep's workers what is true here, since that goes into manifests: one, with or without a GPU."""
    one = PerWorker(CPU=spec.compute.per_worker.CPU, GPU=int(world.device != "cpu"))
    return spec.model_copy(
        update={
            "compute": spec.compute.model_copy(update={"workers": 1, "min_workers": None, "per_worker": one})
        }
    )


def _trained(runner: Runner, stage: TrainStage) -> Made:
    outcome = runner.train(stage)
    return _made(runner, f"train {stage.task}", outcome, outcome.scores_after(stage.settings.epochs))


def _evaluated(runner: Runner, stages: tuple[EvaluateStage, ...]) -> list[Made]:
    outcomes = runner.evaluate(stages)
    return [
        _made(runner, f"evaluate {stage.task} {stage.split} {stage.language}", outcome, outcome.scores)
        for stage, outcome in zip(stages, outcomes, strict=True)
    ]


def _in_every_language(runner: Runner, pair: Pair, path: Path) -> tuple[EvaluateStage, ...]:
    task, split = find_task(pair.target_task), runner.spec.stages.evaluate.split
    languages = evaluated_languages(runner.spec, runner.source, task, split)
    paths = Paths(runner.spec, runner.source)
    return paths.evaluations(path.end, path.target, task, split, languages)


def _made(runner: Runner, what: str, outcome: Outcome, scores: dict[str, float]) -> Made:
    manifest = runner.store.read(outcome.key)
    assert manifest is not None
    return Made(
        what,
        outcome.key,
        runner.store.uri(outcome.key),
        outcome.reused,
        outcome.steps,
        outcome.tokens,
        round(outcome.seconds, 3),
        scores,
        manifest.made,
    )


def _told(made: Made, say: Callable[[str], None]) -> Made:
    took = "stored" if made.reused else f"{made.steps} steps, {made.seconds:.1f} s, {made.made['precision']}"
    scores = "  ".join(f"{name} {100 * value:.1f}" for name, value in made.scores.items())
    say(f"{made.what:<32} {made.key[:8]}  {took:<26} {scores}")
    return made


def _mean(scores: list[dict[str, float]]) -> dict[str, float]:
    return {name: sum(each[name] for each in scores) / len(scores) for name in scores[0]} if scores else {}
