"""This is where an exported model tells of itself: a model card as the Hugging Face hub reads it.

The front matter is for machines: what it stands on and how these very weights score. The page is for people: what
it is, how it was chosen and on what, how to load it, what it is not. What is not known is left out, licences above
all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from xtr.analysis.answers.leaderboard import Row
from xtr.analysis.answers.seedscores import ALL_LANGUAGES, LEAST_SEEDS, SeedScore
from xtr.analysis.tables import percent, settings_text
from xtr.catalogue.languages import LANGUAGES
from xtr.catalogue.lookup import find_task
from xtr.catalogue.task import Task
from xtr.fingerprint import JSON
from xtr.spec.dump import to_block
from xtr.spec.expressions import parse_intermediate, parse_target, target_task
from xtr.spec.sweep import SweepSpec

PIPELINES = {
    "AutoModelForSequenceClassification": "text-classification",
    "AutoModelForTokenClassification": "token-classification",
    "AutoModelForQuestionAnswering": "question-answering",
    "AutoModelForMultipleChoice": "multiple-choice",
    "AutoModelForMaskedLM": "fill-mask",
}
"""What the hub calls the work of each of transformers' classes; an encoder alone extracts features."""

USES = {
    "AutoModelForSequenceClassification": (
        'scores = model(**tokenizer("first text", "second text", return_tensors="pt")).logits\n'
    ),
    "AutoModelForTokenClassification": (
        "# The first piece of each word carries its tag.\n"
        'inputs = tokenizer([["some", "words"]], is_split_into_words=True, return_tensors="pt")\n'
        "scores = model(**inputs).logits\n"
    ),
    "AutoModelForQuestionAnswering": (
        'inputs = tokenizer("question", "text with the answer", return_tensors="pt")\n'
        "outputs = model(**inputs)\n"
        "start, end = outputs.start_logits, outputs.end_logits\n"
    ),
    "AutoModelForMultipleChoice": (
        'prompts, choices = ["prompt", "prompt"], ["one choice", "another"]\n'
        'inputs = tokenizer(prompts, choices, padding=True, return_tensors="pt")\n'
        "scores = model(**{name: each[None] for name, each in inputs.items()}).logits\n"
    ),
    "AutoModelForMaskedLM": 'scores = model(**tokenizer("a <mask> text", return_tensors="pt")).logits\n',
}
"""How inputs have to look, which is how they looked in training."""

WITHOUT_HEAD = {
    "retrieval": "XTREME's retrieval needs no head: it pools a hidden state.",
    "mining": "XTREME's mining needs no head: it pools a hidden state.",
    "ranking": "transformers has no head of this form (a scaled cosine), so it is left out: scores below need it.",
}


@dataclass(frozen=True, slots=True)
class Card:
    """What a card is written from.

    Attributes:
        row: the winner's on the leaderboard.
        table: its scores over seeds.
        seed: whose weights these are.
        auto_class: transformers' class that loads them.
        rivals: the other intermediate tasks that were tried.
    """

    spec: SweepSpec
    row: Row
    table: Sequence[SeedScore]
    seed: int
    auto_class: str
    rivals: Sequence[str]

    @property
    def task(self) -> Task:
        """What the model is scored on."""
        return find_task(target_task(self.row.target))

    @property
    def trained_on(self) -> list[Task]:
        """The tasks that it has learnt, in order."""
        links = parse_intermediate(self.row.intermediate).links
        names = [member.task for link in links for member in link.members]
        return [find_task(name) for name in dict.fromkeys([*names, *filter(None, [self.task.training_task])])]

    @property
    def is_synthetic(self) -> bool:
        """Whether it has seen nothing but the demo world."""
        return self.spec.data.source == "demo"

    @property
    def name(self) -> str:
        """A name for people."""
        base = self.spec.model.name.rstrip("/").rpartition("/")[2]
        after = "" if self.row.intermediate == "none" else f" after {self.row.intermediate}"
        return f"{base} for {self.row.target}{after}"


def model_card(card: Card) -> str:
    """Write the whole README.md."""
    parts = [
        f"---\n{to_block(front_matter(card))}---",
        f"# {card.name}",
        _what(card),
        f"## Load it\n\n{_loading(card)}",
        f"## How it was chosen\n\n{_choice(card)}",
        f"## Scores\n\n{_scores(card)}",
        f"## Files\n\n{_files(card)}",
        "## Limits\n\n" + "\n".join(f"- {limit}" for limit in _limits(card)),
    ]
    return "\n\n".join(parts) + "\n"


def front_matter(card: Card) -> dict[str, object]:
    """Say to the hub what it is made of and how it scores; the values are those of these weights, in [0, 1]."""
    codes = {each.language for each in card.table} | {card.spec.stages.source_language}
    languages = [] if card.is_synthetic else sorted(codes & LANGUAGES.keys())
    datasets = [] if card.is_synthetic else _datasets([*card.trained_on, card.task])
    base = card.spec.model.name if _is_hub_id(card.spec.model.name) else None
    known: dict[str, object] = {
        "language": languages,
        "library_name": "transformers",
        "pipeline_tag": PIPELINES.get(card.auto_class, "feature-extraction"),
        "base_model": base,
        "datasets": datasets,
        "metrics": list(dict.fromkeys(each.metric for each in card.table)),
        "tags": ["xtr", "cross-lingual-transfer", "intermediate-task-training"],
        "model-index": [{"name": card.name, "results": _results(card)}],
    }
    return {name: value for name, value in known.items() if value}


def _is_hub_id(name: str) -> bool:
    return name != "demo" and not name.startswith((".", "/", "~")) and name.count("/") <= 1


def _datasets(tasks: Sequence[Task]) -> list[str]:
    return list(dict.fromkeys(files.dataset for task in tasks for files in task.hub.values()))


def _results(card: Card) -> list[JSON]:
    """List results as the hub's model-index has them: one a split and language."""
    places = dict.fromkeys(
        (each.split, each.language)
        for each in card.table
        if each.language != ALL_LANGUAGES and (each is not card.table[0] or len(card.table) == 1)
    )
    return [_result(card, split, language) for split, language in places]


def _result(card: Card, split: str, language: str) -> JSON:
    ids = [] if card.is_synthetic else _datasets([card.task])
    where = f" in {language}" if language else ""
    world = "the demo world's " if card.is_synthetic else ""
    metrics: list[JSON] = [
        {"type": each.metric, "value": round(each.by_seed[card.seed], 6), "name": each.metric}
        for each in card.table
        if (each.split, each.language) == (split, language) and card.seed in each.by_seed
    ]
    dataset: dict[str, JSON] = {
        "type": ids[0] if ids else card.task.name,
        "name": f"{world}{card.task.name}{where}",
        "split": split,
    }
    if language:
        dataset["config"] = language
    return {
        "task": {"type": PIPELINES.get(card.auto_class, "feature-extraction")},
        "dataset": dataset,
        "metrics": metrics,
    }


def _what(card: Card) -> str:
    spec, row = card.spec, card.row
    learnt = [row.intermediate] if row.intermediate != "none" else []
    if card.task.training_task:
        learnt.append(f"{card.task.training_task} ({', '.join(_trained_in(card))})")
    course = f"trained on {', then on '.join(learnt)}" if learnt else "not trained any further"
    lines = [
        f"The encoder `{spec.model.name}`, {course}. It is made for {row.target} ({card.task.title}), also in "
        "languages that it has not been trained in.",
        f"It is the best that the sweep `{spec.name}` of xtr has found for this target."
        + (f" The sweep in words: {spec.description}" if spec.description else ""),
    ]
    return "\n\n".join(lines)


def _trained_in(card: Card) -> tuple[str, ...]:
    return parse_target(card.row.target).languages or (card.spec.stages.source_language,)


def _loading(card: Card) -> str:
    load = (
        "```python\n"
        f"from transformers import AutoTokenizer, {card.auto_class}\n\n"
        'tokenizer = AutoTokenizer.from_pretrained("FOLDER")\n'
        f'model = {card.auto_class}.from_pretrained("FOLDER")\n'
        f"{_use(card)}"
        "```"
    )
    reason = WITHOUT_HEAD.get(card.task.family, "transformers has no head of this form for this encoder.")
    pooler = "A pooler that transformers says it has made up is read by nobody."
    alone = f"\n\nThis is the encoder alone. {reason} {pooler}" if card.auto_class == "AutoModel" else ""
    return load + alone


def _use(card: Card) -> str:
    """Write how inputs have to look, which is how they looked in training."""
    if card.auto_class in USES:
        return USES[card.auto_class]
    if card.task.family not in ("retrieval", "mining"):
        return ""
    settings = card.spec.stages.evaluate
    usual = "8 of 12 blocks, 14 of 24, two thirds of others"
    layer = usual if settings.layer is None else str(settings.layer)
    return (
        'inputs = tokenizer(["one sentence", "another"], padding=True, return_tensors="pt")\n'
        "states = model(**inputs, output_hidden_states=True).hidden_states\n"
        f"# What is compared: hidden state {layer}, pooled by {settings.pooling}, of length 1.\n"
    )


def _choice(card: Card) -> str:
    row, metric = card.row, card.task.metric
    [chosen, *_] = card.table
    tried = ", ".join(f"`{each}`" for each in card.rivals) or "nothing else"
    transfer = [
        f"{percent(value, signed=True)} points over `none` {how}"
        for value, how in (
            (row.transfer, "at its own best"),
            (row.transfer_same_settings, "at equal settings"),
        )
        if value is not None and row.intermediate != "none"
    ]
    oracle = chosen.split == "oracle"
    where = "the dev sets of other languages" if oracle else f"the select split{_selected_in(card)}"
    by_seed = ", ".join(f"seed {seed}: {percent(value)}" for seed, value in chosen.by_seed.items())
    lines = [
        f"- Candidates: `{row.intermediate}` against {tried}, each at the best settings that its search found.",
        *(f"- **{each}**" for each in card.spec.search.caveat),
        f"- Chosen by {metric} on {where}: {percent(chosen.mean)}"
        f"{_interval_words(chosen)}. Test sets were opened after it, and changed nothing.",
        f"- Settings: {settings_text(row.config)}; all others in `config.yaml`.",
        f"- These weights are those of seed {card.seed}, the best by that score ({by_seed}).",
    ]
    if transfer:
        lines.insert(-2, f"- Transfer: {', '.join(transfer)}.")
    return "\n".join(lines)


def _selected_in(card: Card) -> str:
    """Say in which languages; what is never trained selects on others than it is scored in, or on its dev set."""
    return (
        f" in {', '.join(_trained_in(card))}" if card.task.training_task else ", which is none of those below"
    )


def _interval_words(score: SeedScore) -> str:
    if score.n_seeds == 1:
        return " on one seed"
    interval = "" if score.low is None else "95 % interval "
    return f" over {score.n_seeds} seeds ({interval}{_spread(score)})"


def _spread(score: SeedScore) -> str:
    """Write the interval over seeds; of too few for one, what each of them came to."""
    if score.low is None:
        return ", ".join(map(percent, score.by_seed.values()))
    return f"{percent(score.low)} to {percent(score.high)}"


def _scores(card: Card) -> str:
    """Write one table a split in the task's own metric, in points of 100."""
    rows = [each for each in card.table[1:] if each.metric == card.task.metric]
    if not rows:
        return f"Not scored in other languages yet: `xtr evaluate {card.spec.name}` does that, then export again."
    spread = "each seed" if all(each.low is None for each in rows) else "95 % interval"
    blocks = []
    for split in dict.fromkeys(each.split for each in rows):
        lines = [_line(each, card.seed) for each in rows if each.split == split]
        head = ("language", f"seed {card.seed}", "mean", spread, "seeds", "rows")
        table = [head, tuple("---" for _ in head), *lines]
        blocks.append(
            f"{card.task.metric} on {split}:\n\n" + "\n".join(f"| {' | '.join(each)} |" for each in table)
        )
    note = (
        "Points of 100. The first column is these weights; mean and interval (Student's t over seeds, from "
        f"{LEAST_SEEDS} on) are the recipe's, for other seeds. Every metric stands in `scores.csv`."
    )
    return "\n\n".join([*blocks, note])


def _line(score: SeedScore, seed: int) -> tuple[str, ...]:
    code = LANGUAGES.get(score.language)
    language = f"{code.name} ({code.code})" if code else score.language
    shown = f"**{language}**" if score.language == ALL_LANGUAGES else language
    n_rows = "" if score.n_rows is None else str(score.n_rows)
    return (
        shown,
        percent(score.by_seed.get(seed)),
        percent(score.mean),
        _spread(score),
        str(score.n_seeds),
        n_rows,
    )


def _files(card: Card) -> str:
    lines = [
        "- `config.yaml`: the recipe; `xtr run config.yaml` trains it again to the same score.",
        "- `scores.csv`, `scores.json`: every score with its interval, and each seed's.",
    ]
    if len(card.table) > 1:
        lines.append(
            "- `predictions/`: what these weights predict, in XTREME's official files; `xtr score` reads them."
        )
    return "\n".join(lines)


def _limits(card: Card) -> Iterator[str]:
    if card.is_synthetic:
        yield "The demo world's data are synthetic: this model knows no human language."
    if card.table[0].n_seeds < LEAST_SEEDS:
        yield f"{card.table[0].n_seeds} seeds say little of chance; three or more make intervals useful."
    yield (
        "Scores are of the languages above; others that the encoder has read may do better or worse, low-resource "
        "ones mostly worse."
    )
    yield from (f"Overlap: {overlap}" for overlap in card.task.overlaps)
    licences = {task.name: task.licence for task in [*card.trained_on, card.task] if task.licence}
    if licences and not card.is_synthetic:
        told = ", ".join(f"{name}: {licence}" for name, licence in licences.items())
        yield f"No licence is given here: it depends on the encoder's and on the data's ({told})."
