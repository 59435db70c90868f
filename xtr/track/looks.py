"""This is where it is said how a sweep looks in MLflow: names and descriptions of runs, columns of its table.

    run_name(row)      -> "squad_v1 → tydiqa, confirm 3 with seed 2"
    views(spec, 0)     -> {"leaderboard": ..., "trials": ..., "tree": ...}: under these names `xtr ui` opens it

MLflow keeps a saved view as a tag of the experiment, lists it under its own "Views" button, and opens it by
`?viewStateShareKey=NAME`. A version that knew nothing of it would show its default columns.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xtr.analysis.answers.leaderboard import Row
from xtr.analysis.answers.leaderboard_text import collapsed_text
from xtr.analysis.records.trials import TrialRow
from xtr.analysis.tables import percent, settings_text
from xtr.catalogue.lookup import find_task
from xtr.fingerprint import JSON, digest
from xtr.spec.expressions import target_task
from xtr.spec.sweep import Pair, SweepSpec
from xtr.stages.store import Manifest

NOTE, VIEW = "mlflow.note.content", "mlflow.sharedViewState."
NAME_COLUMN = "attributes.`Run Name`"
PLACE, TRANSFER, SAME_SETTINGS = "leaderboard/place", "transfer/best", "transfer/same_settings"
VIEWS = ("leaderboard", "trials", "tree")
MOST_SETTINGS = 8
"""Columns of settings that are shown; MLflow's "Columns" button has the others."""
CUT = "\n(the rest is told by xtr best)"
MEAN, GAP = "mean", "gap"
"""Of a split's scores: over its languages, and the source language minus the others."""


def pair_name(pair: Pair) -> str:
    """Name a pair's run."""
    return f"{pair.intermediate} → {pair.target}"


def run_name(row: TrialRow) -> str:
    """Name a trial's run so that it can be told in a chart's legend, far from its parent."""
    if row.phase == "search":
        return f"{pair_name(row.pair)}, search {row.index:03d}"
    which = "control" if row.of is None else f"{row.phase} of {row.of:03d}"
    return f"{pair_name(row.pair)}, {which} with seed {row.seed}"


# -- descriptions, in Markdown -----------------------------------------------------------------------------


def fitting(text: str, longest: int) -> str:
    """Cut a text at a line's end to what MLflow takes: 5,000 characters at an experiment, 8,000 at a run."""
    if len(text) <= longest:
        return text
    return text[: longest - len(CUT)].rpartition("\n")[0] + CUT


def experiment_note(spec: SweepSpec, experiment: str) -> str:
    """Say what the sweep asks and where to look."""
    caveat = "".join(f"**{each}**\n\n" for each in spec.search.caveat)
    leaderboard, trials, tree = (view_page(experiment, view) for view in VIEWS)
    about = fitting(f"{spec.description}\n\n" if spec.description else "", 3000)
    return (
        f"{about}{caveat}"
        f"Model `{spec.model.name}`, {len(spec.pairs.pairs())} pairs of intermediate and target task. "
        f"[Leaderboard]({leaderboard}): a run a pair, scores of its winner. [Trials]({trials}), best first. "
        f"[Tree]({tree}): sweep, pairs, trials. The sweep's run holds its file and what belongs to all of it.\n\n"
        "`select/...` chose the winners; `test/...` was scored after them, by `xtr evaluate`. "
        "Scores and transfers are shares of 1 here: 0.416 is what xtr's tables show as 41.6."
    )


def sweep_note(spec: SweepSpec, leaderboard: str) -> str:
    """Show the leaderboard as text."""
    about = fitting(f"{spec.description}\n\n" if spec.description else "", 3000)
    return f"{about}```text\n{fitting(leaderboard, 4500)}\n```"


def winner_note(spec: SweepSpec, row: Row) -> str:
    """Say what a pair's winner is and what it brings."""
    task = find_task(target_task(row.target))
    oracle = spec.search.select_on == "oracle" and task.training_task is not None
    where = "over other languages' dev sets" if oracle else "on the select split"
    after = "alone" if row.intermediate == "none" else f"after `{row.intermediate}`"
    lines = [
        *spec.search.caveat,
        f"`{row.target}` ({task.title}) {after}: {task.metric} {percent(row.score)} {where}, mean of "
        f"{len(row.seeds)} seed{'s' * (len(row.seeds) > 1)} ({', '.join(map(str, row.seeds))}).",
        f"Settings: {settings_text(row.config)}.",
    ]
    if row.transfer is not None and row.intermediate != "none":
        same = percent(row.transfer_same_settings, signed=True)
        lines.append(
            f"Transfer over `none`: {percent(row.transfer, signed=True)} points, at equal settings {same}."
        )
    if row.collapsed:
        lines.append(f"Collapsed to one class: {collapsed_text(row)}.")
    lines.append(f"Model and scores as a folder: `xtr export {spec.name} --to best --weights`.")
    return "\n\n".join(lines)


def failure_note(error: object) -> str:
    """Show an error's last line; all of it is in error.txt."""
    last = next((line for line in reversed(str(error).splitlines()) if line.strip()), "no message")
    return f"Failed: `{last.strip()[:400]}`. All of it stands in the artifact error.txt."


# -- metrics -----------------------------------------------------------------------------------------------


def epoch_scores(trained: Manifest) -> Iterator[tuple[int, dict[str, float]]]:
    """Yield each epoch of a training stage with its select scores by `select/<task>/<metric>`."""
    parts, epochs = trained.recipe["parts"], trained.result["epochs"]
    assert isinstance(parts, list)
    assert isinstance(epochs, list)
    [task] = [part["task"] for part in parts if isinstance(part, dict)]
    for epoch in epochs:
        assert isinstance(epoch, dict)
        scores: Any = epoch["scores"]
        yield int(str(epoch["epoch"])), {f"select/{task}/{name}": value for name, value in scores.items()}


def metric_name(name: str) -> str:
    """Keep to the signs that MLflow takes: `select/tydiqa@en,sw` becomes `select/tydiqa:en-sw`."""
    return name.replace("@", ":").replace(",", "-").replace("+", "_").replace(">", "_")


# -- data sets ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DataSet:
    """What a run has read: a name, a digest of the rows' identities, these themselves, and for what."""

    name: str
    identities: tuple[str, ...]
    context: str

    @property
    def digest(self) -> str:
        """Tell this content from another under the same name."""
        return digest(list(self.identities))[:12]


def data_sets(manifests: Iterable[Manifest]) -> list[DataSet]:
    """List what stages have learnt from and were scored on, each once."""
    return list(dict.fromkeys(each for manifest in manifests for each in _data_sets(manifest)))


def _data_sets(manifest: Manifest) -> Iterator[DataSet]:
    recipe = manifest.recipe
    if recipe["kind"] == "evaluate":
        yield DataSet(f"{recipe['task']} {recipe['split']}", (str(recipe["data"]),), "validation")
    parts = recipe.get("parts")
    for part in parts if isinstance(parts, list) else []:
        assert isinstance(part, dict)
        for name, context in (("train", "training"), ("select", "validation")):
            identities = part.get(f"{name}_data")
            if isinstance(identities, list) and identities:
                yield DataSet(f"{part['task']} {name}", tuple(map(str, identities)), context)


# -- the runs table ----------------------------------------------------------------------------------------


def view_page(experiment: str, view: str) -> str:
    """Name the page of an experiment's view, below the server's URL."""
    return f"#/experiments/{experiment}/runs?workflowType=machine_learning&viewStateShareKey={view}"


def views(spec: SweepSpec, created: int) -> Mapping[str, str]:
    """Describe views of the runs table as MLflow keeps them (JSON): winners by place, trials, all runs nested.

    Args:
        created: when the experiment was, in milliseconds since 1970; MLflow shows it beside the view's name.
    """
    split = spec.stages.evaluate.split
    scores = ("select/score", TRANSFER, SAME_SETTINGS, f"{split}/{MEAN}", f"{split}/{GAP}")
    winners = [*_columns("metrics", scores), *_columns("tags", ("xtr.seeds",)), _column("metrics", PLACE)]
    spent = _columns("metrics", ("select/score", "select/rung", "tokens", "seconds"))
    settings = list(spec.search.space)[:MOST_SETTINGS]
    trials = [*spent, *_columns("tags", ("xtr.state",)), *_columns("params", settings)]
    documents: dict[str, dict[str, JSON]] = {
        "leaderboard": {**_of_kind("pair", PLACE, ascending=True), **_shown(winners, name_width=220)},
        "trials": {**_of_kind("trial", "select/score", ascending=False), **_shown(trials)},
        "tree": _shown(trials),  # MLflow nests runs where neither filter nor order is asked for
    }
    return {name: _saved(name, document, created) for name, document in documents.items()}


def _saved(name: str, document: Mapping[str, JSON], created: int) -> str:
    """Put a view into the envelope in which MLflow keeps it."""
    times = {"createdAt": created, "updatedAt": created}
    return json.dumps({"name": name.capitalize(), **times, "state": json.dumps(document)})


def _of_kind(kind: str, metric: str, *, ascending: bool) -> dict[str, JSON]:
    return {
        "searchFilter": f"tags.`xtr.kind` = '{kind}'",
        "orderByKey": _column("metrics", metric),
        "orderByAsc": ascending,
    }


def _shown(columns: Sequence[str], name_width: int = 330) -> dict[str, JSON]:
    """Show these columns, in this order, wide enough for their names; widths are in pixels."""
    widths: dict[str, JSON] = {each: 8 * len(each.partition("`")[2]) + 24 for each in columns}
    order = [NAME_COLUMN, *columns]
    return {
        "selectedColumns": [*columns],
        "columnOrder": [*order],
        "columnWidths": {NAME_COLUMN: name_width, **widths},
    }


def _columns(kind: str, names: Sequence[str]) -> list[str]:
    return [_column(kind, name) for name in names]


def _column(kind: str, name: str) -> str:
    return f"{kind}.`{name}`"
