"""The report: numbers of the leaderboard, figures with words, the same bytes, and what it refuses to say."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from statistics import fmean

import pytest

from tests.analysis import planted
from tests.analysis.report_sweeps import (
    EXPONENT,
    LANGUAGES,
    LIMIT,
    RATES,
    SEEDS,
    SIZES,
    SPEC,
    Sweep,
    pairs,
    true_score,
    whole,
)
from tests.spec.sweeps import load_text
from xtr.analysis.answers.leaderboard import leaderboard
from xtr.analysis.findings.verdicts import findings_of
from xtr.analysis.records.links import LinkRow, write_links
from xtr.analysis.records.scores import ScoreRow
from xtr.analysis.records.trials import TrialRow
from xtr.analysis.report.chains import chains
from xtr.analysis.report.claims import claims, panel_of
from xtr.analysis.report.costs import costs
from xtr.analysis.report.drawing import looks
from xtr.analysis.report.files import table_csv, table_latex
from xtr.analysis.report.gathered import Gathered
from xtr.analysis.report.head import conclusions, head
from xtr.analysis.report.history import history
from xtr.analysis.report.languages import languages
from xtr.analysis.report.leaders import leaders
from xtr.analysis.report.page import prose
from xtr.analysis.report.rates import rates
from xtr.analysis.report.scaling import curves_of, level_of, scaling
from xtr.analysis.report.section import Column, Section, Table, slug
from xtr.analysis.report.selection import selection
from xtr.analysis.report.standings import standings_of
from xtr.analysis.report.write import write_report
from xtr.errors import InputError
from xtr.metrics.expected_best import expected_choice
from xtr.spec.search import ORACLE
from xtr.spec.sweep import DataSpec, Pair, SweepSpec
from xtr.stages.path import Paths
from xtr.stages.work import source_of
from xtr.statistics.intervals import mean_interval

Written = tuple[Gathered, Path]
BY_NAME = {"summary": head, "leaderboard": leaders, "languages": languages, "search": history, "cost": costs}
BY_NAME |= {"scaling": scaling, "selection": selection}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("report")
    gathered = whole(folder / "runs").gathered({Pair("mnli", "pawsx"): {"target.learning_rate": 1.0}})
    write_report(gathered, folder / "out")
    return gathered, folder / "out"


class Page(HTMLParser):
    """What a browser would find: open and close in turn, pictures, links, and text by section."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.pictures: list[dict[str, str | None]] = []
        self.loaded: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in ("meta", "img"):
            self.open.append(tag)
        if tag == "img":
            self.pictures.append(dict(attrs))
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read_table(folder: Path, name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO((folder / "tables" / f"{name}.csv").read_text())))


def section(gathered: Gathered, name: str) -> Section:
    return BY_NAME[name](gathered)


def test_the_page_needs_nothing_else_and_every_picture_has_words(written: Written) -> None:
    _, folder = written
    page = Page((folder / "report.html").read_text())
    assert page.open == []
    assert not page.tags & {"script", "link", "iframe", "object"}
    assert all(each.startswith(("data:image/", "#")) for each in page.loaded)
    assert "url(" not in (folder / "report.html").read_text()
    assert len(page.pictures) >= 6
    assert all(len(str(each["alt"])) > 20 for each in page.pictures)


def test_each_figure_is_a_file_in_both_forms_and_each_table_too(written: Written) -> None:
    _, folder = written
    listed = json.loads((folder / "report.json").read_text())["files"]
    there = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    assert sorted([*listed, "report.json"]) == there
    figures = {Path(name).stem for name in listed if name.startswith("figures/")}
    assert {"transfer", "transfer-test", "languages-pawsx", "gaps-panx", "search"} <= figures
    assert {"scaling-select-intermediate-fraction", "rates-target-learning-rate"} <= figures
    for name in figures:
        assert (folder / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (folder / "figures" / f"{name}.svg").read_text()
    for path in (folder / "tables").glob("*.tex"):
        assert r"\toprule" in path.read_text()
        assert path.with_suffix(".csv").exists()


def test_the_leaderboard_is_that_of_xtr_best_with_intervals_over_the_confirming_seeds(
    written: Written,
) -> None:
    gathered, folder = written
    table = read_table(folder, "leaderboard")
    ranked = leaderboard(gathered.spec, gathered.trials)
    assert [(row["target"], row["intermediate"]) for row in table] == [
        (r.target, r.intermediate) for r in ranked
    ]
    for told, row in zip(table, ranked, strict=True):
        assert float(told["score"]) == pytest.approx(row.score)
    mnli = next(row for row in table if (row["target"], row["intermediate"]) == ("pawsx", "mnli"))
    best = gathered.winners[Pair("mnli", "pawsx")]
    control = {
        row.seed: row.value or 0.0
        for row in gathered.trials
        if row.pair == Pair("none", "pawsx") and row.phase == "control" and row.params == best.target_params
    }
    expected = mean_interval([best.scores[seed] - control[seed] for seed in SEEDS])
    shown = [float(mnli[name]) for name in ("same settings", "lower end", "upper end")]
    assert shown == pytest.approx([expected.mean, expected.low, expected.high])
    assert mnli["finding"] == "helps"
    assert {row["finding"] for row in table if row["intermediate"] == "csqa"} == {"undecided"}


def test_three_sentences_say_what_was_found(written: Written) -> None:
    helped, largest, abroad = conclusions(written[0])
    assert "Of 4 pairs" in helped
    assert "2 gained beyond chance (`mnli` for" in helped
    assert "2 cannot be told from chance" in helped
    assert "`mnli`" in largest
    assert "95 % interval" in largest
    assert "7 other languages" in abroad


def test_a_search_shows_sizes_by_equally_many_trials_and_fits_no_law(written: Written) -> None:
    gathered, folder = written
    assert not (folder / "tables" / "laws.csv").exists()
    assert "This sweep is a search" in " ".join(section(gathered, "scaling").words)
    at_half = next(
        row for row in read_table(folder, "sizes") if row["intermediate"] == "mnli" and row["size"] == "0.5"
    )
    best = true_score(Pair("mnli", "pawsx"), {"intermediate.fraction": 0.5, "target.learning_rate": 2e-5})
    assert float(at_half["score"]) == pytest.approx(best), "a size stands for its best trial"
    assert (at_half["best of"], at_half["seeds"]) == ("3", "1")
    two = [row for row in gathered.trials if row.params.get("intermediate.fraction") not in (0.125, 0.25)]
    few = section(replace(gathered, trials=tuple(two)), "scaling")
    assert few.figures == ()
    assert "3 or more sizes" in few.unsaid[0]


def test_a_search_that_prefers_a_size_makes_no_rise_of_it(written: Written) -> None:
    """Scores of chance alone: most trials fall on the largest size, and the winner is confirmed."""
    pair, none, draw = Pair("mnli", "pawsx"), Pair("none", "pawsx"), random.Random(0)
    shown: dict[float, list[float]] = {}
    for _ in range(200):
        trials = [
            TrialRow("mnli", "pawsx", i, "search", i, 1, {"intermediate.fraction": size}, "complete", value)
            for i, size in enumerate([0.25] * 3 + [0.5] * 3 + [1.0] * 14)
            for value in (draw.gauss(0.7, 0.01),)
        ]
        best = max(trials, key=lambda row: row.value or 0.0)
        trials += [
            replace(
                best,
                number=20 + seed,
                phase="confirm",
                seed=seed,
                value=draw.gauss(0.7, 0.01),
                of=best.number,
            )
            for seed in (2, 3)
        ]
        trials += [
            TrialRow("none", "pawsx", i, "search", i, 1, {}, "complete", draw.gauss(0.7, 0.01))
            for i in range(20)
        ]
        gathered = Gathered(spec=written[0].spec, trials=tuple(trials), scores=())
        (curve,) = curves_of(gathered, "intermediate.fraction")
        assert (curve.pair, curve.n, list(curve.scores)) == (pair, 3, [1])
        (tried,) = level_of(gathered, none.target, curve.dimension, curve.where).values()
        shown.setdefault(0.0, []).append(expected_choice(tried, curve.n))
        for size in curve.sizes:
            shown.setdefault(size, []).extend(curve.at(size))
    means = [fmean(each) for each in shown.values()]
    assert max(means) - min(means) < 0.002


def test_a_law_is_fitted_to_a_design_where_there_are_three_sizes(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path)
    (sweep.folder / "spec.yaml").write_text(
        SPEC[: SPEC.index("  trials_per_pair")] + "  design: {seeds: [1, 2, 3]}\n"
    )
    for pair, seed, size, rate in itertools.product(pairs(), (1, 2, 3), (None, *SIZES), RATES):
        if (size is None) == (pair.intermediate == "none"):
            params = {"intermediate.fraction": size, "target.learning_rate": rate}
            own = {name: value for name, value in params.items() if value is not None}
            value = true_score(pair, own) + sweep.draw.gauss(0, 0.0005)
            sweep.trial(pair, own, value, seed, "search" if seed == 1 else "confirm")
    told = scaling(sweep.gathered())
    (laws,) = told.tables
    assert [row[1] for row in laws.rows] == ["mnli", "mnli"], "csqa does not rise"
    for row in laws.rows:
        assert row[4] == pytest.approx(1 - LIMIT, abs=0.02)
        assert row[5] == pytest.approx(EXPONENT, abs=0.15)


def test_gaps_are_told_by_language_and_by_group(written: Written) -> None:
    _, folder = written
    german = next(row for row in read_table(folder, "languages-pawsx") if row["language"] == "de")
    assert (german["family"], german["script"]) == ("Germanic", "Latin")
    assert float(german["best − none"]) == pytest.approx(0.1, abs=0.02)
    gap = next(row for row in read_table(folder, "gaps") if row["intermediate"] == "none")
    assert float(gap["gap"]) == pytest.approx(0.3, abs=0.02)


def test_how_often_test_was_opened_is_told(written: Written) -> None:
    told = section(written[0], "selection")
    assert "test 2 times" in " ".join(told.words)
    assert [row[2:] for row in told.tables[1].rows] == [(36, 36), (36, 0)]


def test_a_target_trained_in_its_own_language_is_selected_in_the_source_language(
    written: Written, tmp_path: Path
) -> None:
    spec = written[0].spec
    targets = spec.pairs.model_copy(update={"target": ("udpos@xa", "tydiqa@xa", "xnli", "tatoeba")})
    asked = spec.model_copy(update={"pairs": targets, "data": DataSpec(source="demo", demo_scale=0.01)})
    told = selection(replace(written[0], spec=asked)).tables[0].rows
    assert [row[1:3] for row in told] == [
        ("udpos@xa", "the dev set of udpos in en"),
        ("tydiqa@xa", "10% of the training rows in en, held out"),
        ("mnli", "the dev set of mnli in en"),
        (None, "its select split in da, ga, is"),
    ]
    workplace = SweepSpec.model_validate({**asked.model_dump(), "storage": {"root": str(tmp_path)}})
    paths = Paths(workplace, source_of(workplace))
    for target, trained, selected in (
        ("udpos@xa", "xa", "en"),
        ("tydiqa@xa", "xa", "en"),
        ("xnli", "en", "en"),
    ):
        stage = paths.path(Pair("none", target), {}, 1).target
        assert stage is not None
        assert (stage.parts[0].languages, stage.parts[0].select_languages) == ((trained,), (selected,))


def test_the_same_sweep_gives_the_same_bytes_but_for_the_date(written: Written, tmp_path: Path) -> None:
    gathered, folder = written
    write_report(replace(gathered, date="2031-01-01"), tmp_path)
    for path in sorted(folder.rglob("*.*")):
        again, before = (tmp_path / path.relative_to(folder)).read_bytes(), path.read_bytes()
        if path.name == "report.html":  # the openings have dates of their own
            before = before.replace(b"xtr report, 2026-11-20", b"xtr report, 2031-01-01")
        assert again == before, path.name


def test_a_report_written_again_takes_its_old_files_along_and_no_other(
    written: Written, tmp_path: Path
) -> None:
    gathered, folder = written
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "tables" / "mine.csv").write_text("kept")
    assert (tmp_path / "figures" / "gaps-panx.svg").exists()
    write_report(replace(gathered, scores=(), trials=()), tmp_path)
    assert not (tmp_path / "figures" / "gaps-panx.svg").exists()
    assert (tmp_path / "tables" / "mine.csv").read_text() == "kept"
    with pytest.raises(InputError, match="a file, not a folder"):
        write_report(gathered, tmp_path / "tables" / "mine.csv")


# -- what is wrong with a sweep ----------------------------------------------------------------------------


def nothing_yet(sweep: Sweep) -> None:
    pass


def one_seed(sweep: Sweep) -> None:
    for pair in pairs():
        sweep.search(pair)
    sweep.trials = [row for row in sweep.trials if row.seed in (1, 2)]


def a_failed_pair(sweep: Sweep) -> None:
    for pair in pairs():
        if pair != Pair("mnli", "panx"):
            sweep.search(pair)
    error = {"error": "Traceback ...\nOutOfMemoryError: a card is too small"}
    sweep.trials.append(TrialRow("mnli", "panx", 0, "search", 0, 1, {}, "failed", detail={**error}))


def one_language(sweep: Sweep) -> None:
    for pair in pairs():
        sweep.search(pair)
        sweep.score(pair, ["en"])


def no_variance(sweep: Sweep) -> None:
    for pair in pairs():
        sweep.search(pair, noise=0.0)


def no_baseline(sweep: Sweep) -> None:
    sweep.search(Pair("mnli", "pawsx"))
    sweep.trials = [row for row in sweep.trials if row.intermediate != "none"]


def not_a_number(sweep: Sweep) -> None:
    for pair in pairs():
        sweep.search(pair)
        sweep.score(pair)
    sweep.write()
    path = sweep.folder / "scores.jsonl"
    first, *rest = path.read_text().splitlines()
    document = {**json.loads(first), "value": math.nan}
    path.write_text("\n".join([json.dumps(document), *rest, ""]))
    sweep.write = lambda: None  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("make", "name", "words"),
    [
        (nothing_yet, "leaderboard", "No trial has finished yet"),
        (nothing_yet, "languages", "run `xtr evaluate`"),
        (nothing_yet, "search", "No search has finished 3 trials"),
        (one_seed, "leaderboard", "one seed says nothing about chance"),
        (a_failed_pair, "summary", "1 pair without a finished trial: `mnli` for `panx`"),
        (one_language, "languages", "One language alone was scored for pawsx and panx"),
        (no_variance, "leaderboard", "the difference is the same at every seed"),
        (no_baseline, "leaderboard", "No `none` has finished for pawsx"),
        (not_a_number, "summary", "1 score left out for being no finite number"),
    ],
)
def test_what_cannot_be_concluded_is_said(
    make: Callable[[Sweep], None], name: str, words: str, tmp_path: Path
) -> None:
    sweep = Sweep(tmp_path / "runs")
    make(sweep)
    gathered = sweep.gathered()
    told = section(gathered, name)
    assert words in " ".join(told.unsaid)
    if make is nothing_yet:
        assert told.figures == ()
    if make is a_failed_pair:
        failures = section(gathered, "cost").tables[-1]
        assert failures.rows == (("panx", "mnli", "failed", "OutOfMemoryError: a card is too small", 1),)
    if make is no_variance:
        place = [column.name for column in told.tables[0].columns].index("lower end")
        assert {row[place] for row in told.tables[0].rows} == {None}


def test_a_sweep_that_has_just_begun_has_a_page_without_figures_and_numbers(tmp_path: Path) -> None:
    document = write_report(Sweep(tmp_path / "runs").gathered(), tmp_path / "out")
    assert not (tmp_path / "out" / "figures").exists()
    assert not any("NaN" in path.read_text() for path in (tmp_path / "out" / "tables").iterdir())
    assert document["page_bytes"] == (tmp_path / "out" / "report.html").stat().st_size
    assert Page((tmp_path / "out" / "report.html").read_text()).open == []


def test_a_missing_control_seed_is_paired_by_the_seeds_that_are_there(tmp_path: Path) -> None:
    gathered = whole(tmp_path).gathered()
    kept = [row for row in gathered.trials if row.intermediate != "none" or row.seed != 4]
    standings = standings_of(gathered.spec.search, leaderboard(gathered.spec, kept), gathered.winners, kept)
    mnli = next(each for each in standings if each.pair == Pair("mnli", "pawsx"))
    assert mnli.difference is not None
    assert mnli.difference.n_seeds == 2
    assert mnli.row.transfer_same_settings is None


# -- parts -------------------------------------------------------------------------------------------------


def test_a_table_refuses_what_is_no_number_and_rows_that_do_not_fit() -> None:
    columns = (Column("target"), Column("score", "points"))
    for row in (("xnli", math.nan), ("xnli", math.inf), ("xnli",)):
        with pytest.raises(ValueError, match="bad"):
            Table("bad", "", columns, (row,))


def test_csv_has_values_and_latex_what_is_shown() -> None:
    columns = (Column("target"), Column("rate", "number"), Column("gain", "signed"), Column("p", "p"))
    table = Table(
        "t", "100 % of `a_b`", columns, (("a_b", 1.23456e-05, -0.0123, 0.0001), ("c>d", None, None, None))
    )
    assert table_csv(table).splitlines() == ["target,rate,gain,p", "a_b,1.23456e-05,-0.0123,0.0001", "c>d,,,"]
    text = table_latex(table)
    assert r"\caption{100 \% of a\_b}" in text
    assert r"a\_b & 1.23e-05 & $-$1.2 & \textless{} 0.001 \\" in text
    assert r"c\textgreater{}d & -- & -- & -- \\" in text


def test_series_differ_without_colour() -> None:
    found = looks(["none", *"abcdefghij"])
    assert len({each.marker for name, each in found.items() if name != "none"}) == 10
    assert len({(each.marker, each.filled) for each in found.values()}) == 11
    assert looks(["none", "a", "b"])["b"] == found["b"]


def test_what_users_wrote_is_text_on_the_page() -> None:
    assert prose("<b> `x<y` *is*") == "&lt;b&gt; <code>x&lt;y</code> <em>is</em>"
    assert slug("tydiqa@en,sw") == "tydiqa-en-sw"


# -- designs and claims ------------------------------------------------------------------------------------------

DESIGN = """
version: 1
name: shown
model: {name: demo}
pairs: {intermediate: [mnli, csqa], target: [pawsx]}
search:
  space: {intermediate.fraction: {choice: [0.25, 0.5, 1.0]}}
  design: {seeds: [1, 2, 3]}
contrasts:
  nli-helps: {claim: NLI helps., difference: {of: mnli, minus: none}, languages: other, expect: {above: 0}}
  never-run: {claim: Nothing., difference: {of: csqa, minus: none}, languages: other, expect: {above: 0}}
data: {source: demo}
"""


OVER_SIZES = """\
  more:
    claim: More helps more.
    curve: {of: squad_v1, minus: none, over: intermediate.fraction}
    targets: [tydiqa]
    expect: rises
  meet:
    claim: Direct training overtakes.
    crossing: {between: [squad_v1, none], over: target.examples}
    targets: [tydiqa]
    expect: crosses
"""


@pytest.fixture(scope="module")
def design(tmp_path_factory: pytest.TempPathFactory) -> Gathered:
    """`mnli` and `none` at every size and seed, scored in three languages at all of them."""
    sweep = Sweep(tmp_path_factory.mktemp("design"))
    (sweep.folder / "spec.yaml").write_text(DESIGN)
    for name, sizes in (("none", (None,)), ("mnli", (0.25, 0.5, 1.0))):
        pair = Pair(name, "pawsx")
        for seed in (1, 2, 3):
            for size in sizes:
                params = {} if size is None else {"intermediate.fraction": size}
                value = true_score(pair, {**params, "target.learning_rate": 2e-5}) + sweep.draw.gauss(
                    0, 0.003
                )
                sweep.trial(pair, params, value, seed, "search" if seed == 1 else "confirm")
                row = ScoreRow(name, "pawsx", seed, "test", "en", "accuracy", value, 100, settings=params)
                noise = sweep.draw.gauss(0, 0.003)
                others = [replace(row, language=code, value=value - 0.2 + noise) for code in ("de", "sw")]
                sweep.scores += [row, *others]
    return sweep.gathered()


def test_all_points_of_a_design_make_its_curves_and_winners_alone_its_languages(design: Gathered) -> None:
    told = scaling(design)
    assert {figure.name for figure in told.figures} == {
        "scaling-select-intermediate-fraction",
        "scaling-test-intermediate-fraction",
    }
    sizes = {(row[3], row[4]): row[5] for row in told.kept_apart[0].rows}
    assert {where for where, _ in sizes} == {
        "select",
        "en",
        "other languages",
        "resources high (4-5)",
        "resources low (0-2)",
    }
    assert sizes["other languages", 0.25] == pytest.approx(float(str(sizes["en", 0.25])) - 0.2, abs=0.01)
    assert float(str(sizes["en", 0.25])) < float(str(sizes["en", 1.0])) - 0.05
    mnli = next(row for row in languages(design).tables[0].rows if row[1] == "mnli")
    assert mnli[2] == pytest.approx(sizes["en", 1.0]), "the winner's settings, not the mean over all"
    assert "a design" in history(design).words[0]
    none = fmean(row.value for row in design.scores if (row.intermediate, row.language) == ("none", "de"))
    ours = fmean(row.value for row in design.scores if (row.intermediate, row.language) == ("mnli", "de"))
    assert design.brought(Pair("mnli", "pawsx"))["de"] == pytest.approx(ours - none), (
        "the mean over all settings"
    )
    assert "1 of 1 pair score above `none` on average over their settings" in conclusions(design)[2]
    assert "flatters" in selection(design).words[1]


def test_claims_stand_with_their_verdicts_and_what_was_not_tested_says_why(design: Gathered) -> None:
    told = claims(design)
    assert told is not None
    held, never = (
        dict(zip((c.name for c in told.tables[0].columns), row, strict=True)) for row in told.tables[0].rows
    )
    assert (held["claim"], held["verdict"]) == ("NLI helps.", "holds")
    assert float(str(held["low"])) > 0
    assert (never["verdict"], never["measured"]) == ("not tested", None)
    assert told.unsaid[0].startswith("Not tested, `never-run`: ")
    [forest] = told.figures
    assert "nli-helps (holds)" in forest.alt
    assert "never-run" not in forest.alt
    assert claims(replace(design, findings=())) is None


def test_claims_over_a_size_are_drawn_with_their_points_laws_and_crossings(tmp_path: Path) -> None:
    text = planted.SPEC.replace("ROOT", str(tmp_path / "runs")) + OVER_SIZES
    spec = load_text(tmp_path, text)
    found = findings_of(spec, planted.World().rows())
    told = claims(Gathered(spec=spec, trials=(), scores=(), findings=tuple(found)))
    assert told is not None
    assert [each.name for each in told.figures] == ["claims-intermediate-fraction", "claims-target-examples"]
    assert "squad_v1 - none" in told.figures[0].caption
    assert "meet (holds)" in told.figures[1].alt
    more, meet = (panel_of(each) for each in found)
    assert (more.upright, len(more.series)) == (None, 1)
    assert more.series[0].x == list(planted.FRACTIONS)
    assert meet.upright == found[1].measured
    assert meet.between == (found[1].low, found[1].high)
    assert {each.name: list(each.x) for each in meet.series} == {
        name: list(planted.EXAMPLES) for name in ("squad_v1", "none")
    }
    for each in meet.series:
        at, low, high = each.ends[0]
        assert at == 10
        assert low < each.y[0] < high
        assert each.curve[0][1] == pytest.approx(each.y[0], abs=2)
        assert len(each.band) == len(each.curve)
    lawless = replace(found[0], detail={**found[0].detail, "laws": []})
    assert panel_of(lawless).series[0].curve == []


def test_what_a_chain_forgets_is_drawn_by_language_where_it_was_asked_for(tmp_path: Path) -> None:
    sweep = whole(tmp_path)
    assert chains(sweep.gathered()) is None, "nobody asked"
    rows = [
        LinkRow("mnli", "pawsx", seed, link, after, task, "test", code, metric, value, 20)
        for seed in SEEDS
        for link, after in enumerate(("pretrained", "mnli", "mnli>pawsx"))
        for place, code in enumerate(LANGUAGES)
        for task, metric, value in (
            ("tatoeba", "accuracy", 0.5 - 0.01 * link * place),
            ("mlm", "likelihood", math.exp(-2 - 0.1 * link * place)),
        )
    ]
    write_links(sweep.folder, rows, "test")
    shown = chains(sweep.gathered())
    assert shown is not None
    assert [figure.name for figure in shown.figures] == ["forgetting-mlm", "forgetting-tatoeba"]
    losses, _ = shown.kept_apart
    told = {(row[2], row[4]): row[5] for row in losses.rows}
    last = LANGUAGES[-1]
    assert len(told) == len(losses.rows) == 3 * len(LANGUAGES), "seeds are averaged"
    assert told[0, last] == pytest.approx(2)
    assert told[2, last] == pytest.approx(2 + 0.2 * (len(LANGUAGES) - 1))


def test_runs_that_collapsed_are_named_and_left_out_of_curves(written: Written) -> None:
    gathered, _ = written
    pair = Pair("mnli", "pawsx")
    [place] = [
        i
        for i, row in enumerate(gathered.trials)
        if (row.pair, row.phase, row.params.get("intermediate.fraction")) == (pair, "search", 0.5)
        and row.params["target.learning_rate"] == 2e-5
    ]
    trials = list(gathered.trials)
    trials[place] = replace(trials[place], detail={"collapsed": ["mnli"]})
    found = replace(gathered, trials=tuple(trials))

    told = scaling(found)
    sizes = {(row[0], row[1], row[3], row[4]): row[5] for row in told.kept_apart[0].rows}
    second = true_score(pair, {"intermediate.fraction": 0.5, "target.learning_rate": 1e-5})
    assert sizes["pawsx", "mnli", "select", 0.5] == pytest.approx(second), "the best of those that are whole"
    left_out = "1 trial left out of the curves for having collapsed to one class."
    assert left_out in told.unsaid
    assert left_out in rates(found).unsaid
    [named] = [each for each in head(found).unsaid if "collapsed" in each]
    assert f"`mnli` for `pawsx` #{trials[place].number} (mnli)" in named
    assert not any("collapsed" in each for each in (*head(gathered).unsaid, *scaling(gathered).unsaid))
    winning = [replace(row, detail={"collapsed": ["pawsx"]}) if row.pair == pair else row for row in trials]
    of_winner = [each for each in leaders(replace(gathered, trials=tuple(winning))).unsaid if "colla" in each]
    assert "its best settings collapsed, too, at seeds 2, 3, 4" in of_winner[0]


def test_points_of_a_design_that_collapsed_are_left_out_in_every_language(design: Gathered) -> None:
    small = [row for row in design.trials if row.params.get("intermediate.fraction") == 0.25]

    def with_collapsed(seeds: tuple[int, ...]) -> Section:
        gone = {row.number for row in small if row.seed in seeds}
        rows = [
            replace(row, detail={"collapsed": ["mnli"]}) if row in small and row.number in gone else row
            for row in design.trials
        ]
        return scaling(replace(design, trials=tuple(rows)))

    seeds = {(row[3], row[4]): row[8] for row in with_collapsed((2,)).kept_apart[0].rows}
    assert {where for (where, size), n in seeds.items() if (size, n) == (0.25, 2)} >= {"select", "en"}
    assert {n for (_, size), n in seeds.items() if size != 0.25} == {3}
    without = with_collapsed((1, 2, 3))
    assert without.figures == ()
    assert "3 trials left out" in " ".join(without.unsaid)


def test_the_report_of_an_oracle_says_so_first_and_of_selection(written: Written) -> None:
    gathered, _ = written
    search = gathered.spec.search.model_copy(update={"select_on": "oracle"})
    found = replace(gathered, spec=gathered.spec.model_copy(update={"search": search}))
    assert ORACLE in head(found).words[1]
    assert ("selected on", ORACLE) in head(found).tables[0].rows
    told = selection(found)
    assert told.words[0] == ORACLE
    assert told.tables[0].rows[0][2] == "the dev sets of pawsx, in the languages it is not trained in"
    assert "other languages' dev sets" in leaders(found).words[0]
    assert not any(ORACLE in each for each in (*head(gathered).words, *selection(gathered).words))
