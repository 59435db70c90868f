"""This is the door to what others look at and load: `xtr export` and `xtr ui`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xtr.answer import say
from xtr.asked import Root, Sweep, find
from xtr.errors import InputError, Problem


def export(
    sweep: Sweep,
    to: Annotated[Path, typer.Option(help="Folder for one YAML per target.")],
    root: Root = "runs",
    weights: Annotated[
        bool,
        typer.Option(
            "--weights", help="Write a folder per target, too: weights for transformers, scores, predictions."
        ),
    ] = False,
) -> None:
    """Write the best config of each target, and its model. `xtr run` reruns a config to the same score."""
    from xtr.analysis.export.config import export_best
    from xtr.analysis.records.scores import read_scores
    from xtr.analysis.records.trials import read_trials

    spec, folder = find(sweep, root)
    paths = export_best(spec, read_trials(folder), read_scores(folder), to)
    for path in paths:
        say(f"wrote {path}    rerun it: xtr run {path}")
    if not paths:
        raise InputError(Problem("this sweep has no finished trial yet", received=sweep, hint="xtr run FILE"))
    if weights:
        from xtr.analysis.export.folder import export_models

        for model in export_models(spec, folder, to):
            load = f'{model.auto_class}.from_pretrained("{model.folder}")'
            say(f"wrote {model.folder}/    seed {model.seed}; load it: {load}")


def ui(
    sweep: Annotated[
        str | None, typer.Argument(metavar="[SWEEP]", help="A sweep's name, or its file.")
    ] = None,
    root: Root = "runs",
    host: Annotated[str, typer.Option(help="This machine's own address; no other is served.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="By default a free one.")] = None,
) -> None:
    """Open MLflow's pages on a sweep. For this machine alone, until Ctrl-C."""
    from xtr.track.serve import open_ui

    spec = None if sweep is None else find(sweep, root)[0]
    open_ui(spec, host, port, say)
