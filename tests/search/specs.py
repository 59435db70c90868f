"""Sweep specs and a stand-in for training: scores as a pure function of a job."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xtr.fingerprint import derive_seed
from xtr.search.book import Book
from xtr.search.study import Job, PairStudy
from xtr.spec.sweep import SweepSpec

SPACE = {
    "intermediate.fraction": {"choice": [0.25, 0.5, 1.0]},
    "target.learning_rate": {"log_float": [1e-5, 1e-3]},
    "target.epochs": {"int": [1, 3]},
}


def sweep(root: Path, **search: Any) -> SweepSpec:
    """A spec of six pairs on the demo world."""
    document = {
        "version": 1,
        "name": "studied",
        "model": {"name": "demo"},
        "pairs": {"intermediate": ["squad_v1", "csqa"], "target": ["tydiqa", "tatoeba"]},
        "search": {"space": SPACE, "trials_per_pair": 8, "generation": 4, **search},
        "storage": {"root": str(root)},
    }
    return SweepSpec.model_validate(document)


def score(job: Job) -> float:
    """A smooth function of the parameters with an optimum inside the space, and a little noise by seed."""
    rate = math.log10(float(job.params.get("target.learning_rate", 1e-4)))
    fraction = float(job.params.get("intermediate.fraction", 0.0))
    epochs = int(job.params.get("target.epochs", 1))
    noise = random.Random(derive_seed(job.seed, job.pair.intermediate, job.pair.target)).random() / 100
    return 0.5 - 0.1 * (rate + 4) ** 2 + 0.1 * fraction + 0.02 * epochs + noise


def next_of(study: PairStudy, in_flight: set[int] | None = None) -> Job:
    """Take a study's next job."""
    job = next(study.offers(in_flight or set()))
    study.take(job)
    return job


def finish(book: Book, job: Job) -> None:
    """Report a job's result as a trial would."""
    book.report(job, "running" if job.until_epoch else "complete", score(job), {})


def drive(book: Book, width: int, order: random.Random, *, stop_after: int | None = None) -> int:
    """Run a book with `width` jobs at a time, results coming back in random order; count the results."""
    flying: list[Job] = []
    done = 0
    while stop_after is None or done < stop_after:
        while len(flying) < width and (job := book.next_job()) is not None:
            flying.append(job)
        if not flying:
            return done
        finish(book, flying.pop(order.randrange(len(flying))))
        done += 1
    return done


Table = list[tuple[Any, ...]]


def table(book: Book) -> Table:
    """What must not depend on timing: every search and confirm trial's parameters, state and scores."""
    return sorted(
        (str(r.pair), r.phase, r.index, r.seed, r.state, r.value, r.rung, sorted(r.params.items()))
        for r in book.rows
        if r.phase != "control"
    )


Edit = Callable[[Path], None]
