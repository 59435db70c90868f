"""This is where it is told what was selected on what, and how often a split that selects nothing was opened."""

from __future__ import annotations

from collections.abc import Iterable

from xtr.analysis.report.gathered import Gathered
from xtr.analysis.report.section import Cell, Column, Section, Table, counted, listed
from xtr.catalogue.lookup import find_task
from xtr.catalogue.task import Task
from xtr.spec.expressions import Member, parse_target, target_task
from xtr.spec.search import SearchSpec
from xtr.spec.sweep import SweepSpec

SOURCE = (
    "A trial is scored on its target's select split alone: no other language or test set has chosen anything."
)


def selection(gathered: Gathered) -> Section:
    """Say what chose the winners, and who has looked at the test sets."""
    words = (
        *(gathered.spec.search.caveat or (SOURCE,)),
        _confirmed(gathered.spec.search),
        _opened(gathered),
    )
    tables = [_selected(gathered)]
    if gathered.openings:
        tables.append(_openings(gathered))
    return Section(
        "selection", "What was selected on what", words, tuple(tables), unsaid=tuple(_unsaid(gathered))
    )


def _confirmed(search: SearchSpec) -> str:
    confirm = search.confirm
    if search.design is not None:
        return (
            "This sweep is a design: every setting is trained at every seed. A pair's best settings are "
            "chosen by the mean over the same seeds, so its score flatters; means over all settings, and "
            "contrasts at equal settings, do not."
        )
    if not confirm.seeds:
        return (
            "Winners were not trained again on other seeds (`search.confirm.seeds`): a lucky trial may lead."
        )
    best = "the best trial was" if confirm.top == 1 else f"the {confirm.top} best trials were"
    seeds = listed([str(seed) for seed in confirm.seeds], 12)
    return (
        f"Of each pair {best} trained again on the seeds {seeds}, which the search has not used; "
        f"{'their mean is the score' if confirm.top == 1 else 'the best of their means is the score'}."
    )


def _selected(gathered: Gathered) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for target in gathered.targets:
        task = find_task(target_task(target))
        trained = find_task(task.training_task) if task.training_task else None
        overlaps = "; ".join([*task.overlaps, *(trained.overlaps if trained and trained is not task else ())])
        rows.append(
            (
                target,
                str(Member(trained.name, parse_target(target).languages)) if trained else None,
                _select_split(gathered.spec, task, trained),
                task.metric,
                overlaps or None,
            )
        )
    names = ("target", "trained on", "selected on", "metric", "known overlaps")
    caption = (
        "What each target is trained on, what its trials are selected on, and which data hold the same rows."
    )
    return Table("selection", caption, tuple(map(Column, names)), tuple(rows))


def _select_split(spec: SweepSpec, task: Task, trained: Task | None) -> str:
    if trained is None:
        return f"its select split in {', '.join(task.select_languages) or spec.stages.source_language}"
    if spec.search.select_on == "oracle":
        return f"the dev sets of {task.name}, in the languages it is not trained in"
    (language,) = trained.trained_in(spec.stages.source_language, ())  # whatever the target's own rows are in
    if trained.held_out:
        return f"{trained.held_out:.0%} of the training rows in {language}, held out"
    return f"the dev set of {trained.name} in {language}"


def _opened(gathered: Gathered) -> str:
    by_split: dict[str, int] = {}
    for each in gathered.openings:
        by_split[each.split] = by_split.get(each.split, 0) + 1
    if not by_split:
        if gathered.scores:
            return "Other splits were scored; how often `xtr evaluate` has opened them was not recorded."
        return "`xtr evaluate` has not opened any other split."
    told = ", ".join(f"{split} {counted(n, 'time')}" for split, n in by_split.items())
    return f"`xtr evaluate` has opened: {told}. What it found changes no choice."


def _openings(gathered: Gathered) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (each.at.replace("T", " ")[:16], each.split, each.evaluations, each.computed)
        for each in gathered.openings
    ]
    columns = (
        Column("opened (UTC)"),
        Column("split"),
        Column("evaluations", "count"),
        Column("of them computed", "count"),
    )
    return Table("openings", "Each time that `xtr evaluate` opened a split.", columns, tuple(rows))


def _unsaid(gathered: Gathered) -> Iterable[str]:
    opened = {each.split for each in gathered.openings}
    scored = {row.split for row in gathered.scores}
    earlier = sorted(scored - opened)
    if opened and earlier:
        yield f"Scores on {', '.join(earlier)} are from before openings were recorded."
