"""The figures of evaluation: XTREME's nine tasks in all their languages, beside a `Trainer.predict` for each.

    python benchmarks/evaluation.py [rows a language, 200 otherwise] [repeats, 3 otherwise]

xtr makes the stages of `xtr evaluate` for models that are in its store: it checks their files, loads each once,
encodes, predicts, decodes, scores and publishes. Hugging Face's trainer, at its default batch of 8, loads a model
a task, encodes and predicts rows padded to 128 tokens, questions to 384; its logits are decoded off the clock.
BUCC is predicted on dev, too, where its threshold is fitted. They take turns; a ratio is that of medians.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import (
    AutoModel,
    AutoModelForQuestionAnswering,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    Trainer,
    TrainingArguments,
)

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.figures import Figure, keep
from benchmarks.grid_data import write_grid
from benchmarks.xtreme_data import TASKS, write_encoder, write_tests
from xtr.catalogue.lookup import find_task
from xtr.catalogue.task import Split, Task
from xtr.data.rows import Row
from xtr.data.source import Source
from xtr.families.family import Example, HeadSettings
from xtr.families.registry import family_of, head_id
from xtr.model.encoder import load_encoder, load_tokenizer, save_encoder
from xtr.spec.sweep import (
    ComputeSpec,
    DataSpec,
    EvaluateSettings,
    ModelSpec,
    Pair,
    PairsSpec,
    PerWorker,
    SearchSpec,
    StagesSpec,
    StorageSpec,
    SweepSpec,
    TrainSettings,
)
from xtr.stages.path import Paths
from xtr.stages.run import Runner
from xtr.stages.scoring import RAW, with_calibrations
from xtr.stages.stage import EvaluateStage, TrainStage
from xtr.stages.work import ENCODER, HEADS, source_of

PEER = "a Trainer.predict a task and language"
GOAL, THREADS = 5.0, 2
LENGTH, QUESTION_LENGTH = 128, 384
LAYER = 3
QUESTIONS = ("squad_v1", "tydiqa")

Part = tuple[str, Split, str]
Predictions = dict[Part, list[Any]]


@dataclass(frozen=True)
class Scene:
    """Where data, the start and the peer's models lie."""

    folder: Path

    def spec(self, root: Path) -> SweepSpec:
        """Describe the sweep whose winners are evaluated."""
        longer = {name: {"max_length": QUESTION_LENGTH} for name in QUESTIONS}
        target = TrainSettings.model_validate({"max_length": LENGTH, "tasks": longer})
        return SweepSpec(
            version=1,
            name="evaluation",
            model=ModelSpec(name=str(self.folder / "encoder")),
            pairs=PairsSpec(intermediate=(), target=TASKS),
            stages=StagesSpec(
                target=target, evaluate=EvaluateSettings(layer=LAYER, retrieval_max_length=LENGTH)
            ),
            search=SearchSpec(),
            compute=ComputeSpec(per_worker=PerWorker(CPU=THREADS)),
            data=DataSpec(source="official", official_root=str(self.folder / "data")),
            storage=StorageSpec(root=str(root)),
        )


def set_scene(folder: Path, n_rows: int) -> Scene:
    """Write data and an encoder, and the peer's models with heads of the same weights as ours."""
    write_grid(folder / "data", scale=1e-9)
    write_tests(folder / "data", n_rows)
    write_encoder(folder / "encoder")
    for name in ("mnli", "pawsx", "udpos", "panx", *QUESTIONS):
        task, encoder = find_task(name), load_encoder(str(folder / "encoder"))
        head = drawn_head(task, encoder)
        kind, own = PEERS[task.family]
        model = kind.from_pretrained(folder / "encoder", num_labels=max(2, len(task.labels)))
        model.load_state_dict({own.get(name, name): w for name, w in head.state_dict().items()}, strict=False)
        model.save_pretrained(folder / "peer" / name)
    return Scene(folder)


PEERS: Mapping[str, tuple[Any, Mapping[str, str]]] = {
    "pair": (
        AutoModelForSequenceClassification,
        {
            f"{ours}.{kind}": f"classifier.{theirs}.{kind}"
            for ours, theirs in (("dense", "dense"), ("out", "out_proj"))
            for kind in ("weight", "bias")
        },
    ),
    "tagging": (
        AutoModelForTokenClassification,
        {"out.weight": "classifier.weight", "out.bias": "classifier.bias"},
    ),
    "span": (
        AutoModelForQuestionAnswering,
        {"out.weight": "qa_outputs.weight", "out.bias": "qa_outputs.bias"},
    ),
}
"""The peer's class for a family, and its names of our head's weights."""


def drawn_head(task: Task, encoder: Any) -> nn.Module:
    """Draw a head whose outputs differ well."""
    torch.manual_seed(1)
    head = family_of(task).head(encoder, task, HeadSettings())
    for weights in head.parameters():
        nn.init.normal_(weights, std=0.3)
    return head


def wanted(runner: Runner) -> list[EvaluateStage]:
    """List the evaluations of every task in all its languages."""
    paths, stages = Paths(runner.spec, runner.source), []
    for name in TASKS:
        path, task = paths.path(Pair("none", name), {}, 1), find_task(name)
        stages += paths.evaluations(path.end, path.target, task, "test", task.languages)
    return stages


def store_models(runner: Runner, stages: Sequence[EvaluateStage]) -> None:
    """Put models into the store as if they had been trained."""
    for parent in {stage.parent.key: stage.parent for stage in stages}.values():
        if isinstance(parent, TrainStage):
            [part] = parent.parts
            task, encoder = find_task(part.task), load_encoder(runner.spec.model.name)
            with runner.store.workspace(parent.key) as folder:
                save_encoder(encoder, folder / ENCODER)
                (folder / HEADS).mkdir()
                save_file(
                    drawn_head(task, encoder).state_dict(), folder / HEADS / f"{head_id(task)}.safetensors"
                )
                runner.store.publish(parent, folder, {"epochs": []}, {})


def ours(scene: Scene, root: Path) -> tuple[float, Predictions]:
    """Evaluate into an empty store; return the seconds and what was predicted."""
    spec = scene.spec(root)
    store_models(Runner(spec), wanted(Runner(spec)))
    began = time.perf_counter()
    runner = Runner(spec)
    stages = wanted(runner)
    runner.evaluate(stages)
    seconds = time.perf_counter() - began
    predictions = {}
    for stage in with_calibrations(stages):
        lines = (runner.store.folder(stage.key) / RAW).read_text().splitlines()
        answers = [answer(find_task(stage.task), json.loads(line)) for line in lines]
        predictions[stage.task, stage.split, stage.language] = answers
    return seconds, predictions


def answer(task: Task, prediction: Any) -> Any:
    """Keep of a prediction what is answered, not how sure the model is."""
    if task.family == "span" or (task.family == "mining" and prediction is not None):
        return prediction[0]
    return list(prediction) if task.family == "tagging" else prediction


class Pooled(nn.Module):
    """XTREME's sentence vectors: the mean of a hidden state over all that is no padding."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
        """Pool one hidden state."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask, output_hidden_states=True)
        mask = attention_mask.unsqueeze(-1).float()
        return {"logits": (states.hidden_states[LAYER] * mask).sum(1) / mask.sum(1)}


def parts_of(name: str) -> Iterator[Part]:
    """List a task's splits and languages that are predicted."""
    task = find_task(name)
    for split in ("test", *([task.calibration] if task.calibration else [])):
        yield from ((name, split, language) for language in task.languages)


def peer(scene: Scene, source: Source) -> tuple[float, Predictions]:
    """Load a model a task and predict each of its languages; return the seconds and what was predicted."""
    seconds, predictions = 0.0, {}
    for name in TASKS:
        task = find_task(name)
        began = time.perf_counter()
        length = QUESTION_LENGTH if task.family == "span" else LENGTH
        if task.training_task is None:
            model: Any = Pooled(AutoModel.from_pretrained(scene.folder / "encoder"))
        else:
            kind, _ = PEERS[task.family]
            model = kind.from_pretrained(scene.folder / "peer" / task.training_task)
        tokenizer = load_tokenizer(str(scene.folder / "encoder"))
        arguments = TrainingArguments(
            output_dir=str(scene.folder / "trainer"), report_to=[], disable_tqdm=True, use_cpu=True
        )
        trainer = Trainer(model=model, args=arguments)
        seconds += time.perf_counter() - began
        for part in parts_of(name):
            rows = source.rows(*(task, *part[1:]))
            began = time.perf_counter()
            examples = family_of(task).encode(rows, task, tokenizer, length)
            logits = trainer.predict([padded(each, length) for each in examples]).predictions  # type: ignore[arg-type]
            seconds += time.perf_counter() - began
            predictions[part] = decoded(task, logits, examples, rows)
    return seconds, predictions


def padded(example: Example, length: int) -> dict[str, list[int]]:
    """Pad an example's one sequence."""
    ids = list(example.sequences[0].input_ids)
    rest = length - len(ids)
    return {"input_ids": ids + [1] * rest, "attention_mask": [1] * len(ids) + [0] * rest}


def decoded(task: Task, logits: Any, examples: Sequence[Example], rows: Sequence[Row]) -> list[Any]:
    """Turn the peer's logits into predictions as ours are."""
    if task.family == "span":
        both = torch.stack([torch.from_numpy(each) for each in logits], dim=-1)
    else:
        both = torch.from_numpy(logits)
    outputs = [
        each[: example.length] if both.dim() == 3 else each.unsqueeze(0)
        for each, example in zip(both, examples, strict=True)
    ]
    return [answer(task, each) for each in family_of(task).decode(outputs, examples, rows, task)]


def main() -> None:
    """Let both take turns, compare what they predict, and keep the ratio."""
    n_rows, repeats = (int(each) for each in (*sys.argv[1:], *("200", "3")[len(sys.argv) - 1 :]))
    torch.set_num_threads(THREADS)
    taken: dict[str, list[float]] = {"xtr": [], "peer": []}
    with tempfile.TemporaryDirectory(prefix="xtr-", ignore_cleanup_errors=True) as scratch:
        scene = set_scene(Path(scratch), n_rows)
        source = source_of(scene.spec(Path(scratch) / "0"))
        for turn in range(repeats):
            seconds, mine = ours(scene, Path(scratch) / str(turn))
            taken["xtr"].append(seconds)
            seconds, theirs = peer(scene, source)
            taken["peer"].append(seconds)
            print({name: round(each[-1], 1) for name, each in taken.items()}, flush=True)
    assert mine.keys() == theirs.keys()
    pairs = [pair for part in mine for pair in zip(mine[part], theirs[part], strict=True)]
    differ = 100 * sum(one != other for one, other in pairs) / len(pairs)
    medians = {name: statistics.median(each) for name, each in taken.items()}
    ratio = medians["peer"] / medians["xtr"]
    what = f"nine tasks, {len(mine)} sets, {len(pairs)} rows"
    figures = [
        Figure(f"evaluation: {what}", ratio, "x", f"at least {GOAL:g}", ratio >= GOAL, PEER),
        Figure("evaluation: xtr, all included", medians["xtr"], "s", "-", True),
        Figure(f"evaluation: {PEER}", medians["peer"], "s", "-", True),
        Figure("evaluation: rows predicted otherwise", differ, "%", "under 0.1", differ < 0.1),
    ]
    keep("evaluation", f"python benchmarks/evaluation.py {n_rows} {repeats}", figures)


if __name__ == "__main__":
    main()
