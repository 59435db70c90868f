"""This is where one process, or one of several, evaluates what shares a checkpoint: one model load, few streams.

Stages go through the encoder in waves of a few minutes at most. A wave is leased, encoded, run as one stream of
batches over its languages and tasks, scored and published language by language; a kill costs the present wave.
Stages that somebody else computes are waited for at the end, when nothing is held.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from xtr.catalogue.lookup import find_task
from xtr.data.rows import Row
from xtr.errors import Drained
from xtr.evaluate.predict import embed
from xtr.evaluate.stream import TOKENS_AT_ONCE, Strand, Stream
from xtr.families.family import HeadSettings, Pool
from xtr.families.registry import family_of, head_id
from xtr.faults import fault
from xtr.fingerprint import JSON
from xtr.model.encoder import load_encoder
from xtr.model.heads import Head, MaskedHead, TaskModel
from xtr.model.masked import put_back
from xtr.model.precision import settled
from xtr.model.world import World
from xtr.spec.sweep import SweepSpec
from xtr.stages.drain import NEVER, Drain
from xtr.stages.encoding import Encoding, examples_of, keep_on_machine, start_of
from xtr.stages.made import made
from xtr.stages.scoring import pool_candidates, rows_of, with_calibrations, write_rankings, write_scores
from xtr.stages.stage import EmbedStage, EvaluateStage, TrainStage
from xtr.stages.work import HEADS, encoder_of, kept, source_of, store_of
from xtr.storage.lease import Lease
from xtr.train.step import agreed

VECTORS = "vectors.safetensors"
WAVE_BATCHES = 400
"""A wave is as many tokens as these batches hold; those that are filled up, one of each width, are then few."""
WAVE_STAGES = 32
"""Stages of a wave at most, as each keeps a lease alive."""


@dataclass(frozen=True, slots=True)
class EvaluateJob:
    """What a worker must know to evaluate stages that share a parent; everything in it pickles."""

    spec: SweepSpec
    stages: tuple[EvaluateStage, ...]
    drain: Drain = NEVER


def evaluate_group(job: EvaluateJob, world: World) -> list[str]:
    """Predict and score stages that share a parent on this process's rank, and publish each.

    Returns:
        Keys of the stages that were computed here, calibrations and pools included; others were faster with the
        rest. Only the leading rank knows them.

    Raises:
        Drained: nothing new is to start; what was done is published.
    """
    torch.set_num_threads(job.spec.compute.per_worker.CPU)
    group = _Group(job, world)
    for stages, head in group.readers():
        group.evaluate(stages, head)
    return group.computed


@dataclass(slots=True)
class _Asked:
    """A stage of a wave: its rows, and their examples on their way through the encoder."""

    stage: EvaluateStage
    rows: Sequence[Row]
    strand: Strand
    seconds: float


class _Group:
    """Stages that share a parent, the one encoder that is loaded for them, and what is computed of them here."""

    def __init__(self, job: EvaluateJob, world: World) -> None:
        self.stages, self.drain, self.world = job.stages, job.drain, world
        self.store, self.source = store_of(job.spec), source_of(job.spec)
        self.encoder = load_encoder(*encoder_of(self.store, job.stages[0].parent))
        self.encoder.model.to(world.device)
        self.precision = settled(job.stages[0].precision, world.device)
        self.wave_tokens = WAVE_BATCHES * TOKENS_AT_ONCE[torch.device(world.device).type]
        self.pools: dict[str, Pool] = {}
        self.leased: set[str] = set()
        self.computed: list[str] = []

    def readers(self) -> list[tuple[list[EvaluateStage], Head]]:
        """Find what reads the encoder for which stages, deepest first, as blocks above are dropped on the way."""
        by_reader: dict[object, list[EvaluateStage]] = {}
        for stage in with_calibrations(self.stages):
            trained = find_task(stage.task).training_task
            reader = (stage.layer, stage.pooling) if trained is None else head_id(find_task(trained))
            by_reader.setdefault((reader, stage.batch_size), []).append(stage)
        readers = [(stages, self._head(stages[0])) for stages in by_reader.values()]
        whole = self.encoder.n_layers + 1
        return sorted(readers, key=lambda each: -(whole if each[1].layer is None else each[1].layer))

    def evaluate(self, stages: Sequence[EvaluateStage], head: Head) -> None:
        """Compute what is missing of stages that are read by one head."""
        model = TaskModel(self.encoder.model, head).to(self.world.device)
        model.precision = self.precision
        model.drop_unread_blocks()
        later: list[EvaluateStage] = []
        self._run_waves(model, stages, later)
        for stage in later:
            self._run_waves(model, [stage], None)

    def _run_waves(
        self, model: TaskModel, stages: Sequence[EvaluateStage], later: list[EvaluateStage] | None
    ) -> None:
        left = iter(stages)
        while True:
            with ExitStack() as leases:
                wave = list(self._wave(left, leases, later))
                if not wave:
                    return
                if agreed(self._asked_to_rest, self.world):
                    raise Drained("nothing new starts")
                self._run(model, wave)
                if self.world.leads:
                    for asked in wave:
                        self._publish(asked)
            self.leased.clear()

    def _wave(
        self, stages: Iterator[EvaluateStage], leases: ExitStack, later: list[EvaluateStage] | None
    ) -> Iterator[_Asked]:
        """Lease and encode stages until they make up a wave.

        Args:
            later: takes the stages that somebody else computes; None waits for those.
        """
        n_tokens = n_stages = 0
        for stage in stages:
            if agreed(partial(self._lease, stage, leases, wait=later is None), self.world):
                asked = self._encoded(stage)
                yield asked
                n_tokens, n_stages = n_tokens + asked.strand.n_tokens, n_stages + 1
                if n_tokens >= self.wave_tokens or n_stages == WAVE_STAGES:
                    return
            elif later is not None:
                later.append(stage)

    def _lease(self, stage: EvaluateStage, leases: ExitStack, *, wait: bool) -> bool:
        """Take a stage, on the leading rank; say no where it is finished, or held, or needs one that is held."""
        needed = stage.calibration
        if not wait and needed and needed.key not in self.leased and not self.store.has(needed.key):
            return False
        lease = self._claim(stage.key) if wait else self.store.claim_free(stage.key)
        if lease is not None:
            leases.enter_context(lease)
            self.leased.add(stage.key)
        return lease is not None

    def _claim(self, key: str) -> Lease | None:
        """Wait for a stage; who has no other ranks that wait for him leaves when asked to come to rest."""
        return self.store.claim(key, look=self.drain.before_work if self.world.size == 1 else None)

    def _asked_to_rest(self) -> bool:
        try:
            self.drain.before_work()
        except Drained:
            return True
        return False

    def _encoded(self, stage: EvaluateStage) -> _Asked:
        began = time.monotonic()
        task, rows = find_task(stage.task), rows_of(self.source, stage)
        family, longest = family_of(task), self._at_most(stage.max_length)
        if stage.pool is None:
            every = self.source.rows(task, stage.split, stage.language)
            encoding = Encoding(task, stage.data, start_of(stage.parent).key, longest)
            places = kept(len(every), stage.max_rows, task)
            keep_on_machine(self.store, encoding, every, len(places), self.encoder.tokenizer)
            examples = examples_of(self.store.root, encoding, rows, places, self.encoder.tokenizer)
        else:
            queries = family.without_candidates(rows)
            examples = family.encode(queries, task, self.encoder.tokenizer, longest)
        return _Asked(stage, rows, Strand(family, examples, longest), time.monotonic() - began)

    def _run(self, model: TaskModel, wave: Sequence[_Asked]) -> None:
        """Run a wave through the encoder, and note what each stage has taken of it."""
        for pool in (asked.stage.pool for asked in wave):
            if pool is not None and pool.key not in self.pools:
                self.pools[pool.key] = self._pool(self._stream(model, pool), pool)
        began = time.monotonic()
        strands = [asked.strand for asked in wave]
        self._stream(model, wave[0].stage).run(strands)
        each = (time.monotonic() - began) / max(1, sum(strand.n_tokens for strand in strands))
        for asked in wave:
            asked.seconds += each * asked.strand.n_tokens

    def _publish(self, asked: _Asked) -> None:
        fault("evaluation.between_stages")
        began, stage = time.monotonic(), asked.stage
        with self.store.workspace(stage.key) as folder:
            predictions = self._predictions(asked)
            result = write_scores(self.store, self.source, stage, asked.rows, predictions, folder)
            if find_task(stage.task).parallel:
                write_rankings(asked.rows, self._rankings(asked), folder)
            fault("evaluation.before_publish")
            seconds = asked.seconds + time.monotonic() - began
            self.store.publish(stage, folder, result, self._made(seconds))
        asked.strand.outputs.clear()
        self.computed.append(stage.key)

    def _predictions(self, asked: _Asked) -> list[Any]:
        task, strand = find_task(asked.stage.task), asked.strand
        if asked.stage.pool is None:
            return strand.family.decode(strand.outputs, strand.examples, asked.rows, task)
        return strand.family.decode_against(strand.outputs, asked.rows, self.pools[asked.stage.pool.key])

    def _rankings(self, asked: _Asked) -> list[list[str]] | None:
        return asked.strand.family.rankings(asked.strand.outputs, find_task(asked.stage.task))

    def _stream(self, model: TaskModel, stage: EvaluateStage | EmbedStage) -> Stream:
        return Stream(model, self.encoder.tokenizer, stage.batch_size, self.world)

    def _pool(self, stream: Stream, stage: EmbedStage) -> Pool:
        """Read a pool's vectors from the store, or make them and leave them there."""
        task, candidates = find_task(stage.task), pool_candidates(self.source, stage)
        with ExitStack() as leases:
            if agreed(lambda: self._lease_pool(stage, leases), self.world):
                began = time.monotonic()
                pool = embed(stream, task, candidates, max_length=self._at_most(stage.max_length))
                if self.world.leads:
                    self._publish_pool(stage, pool, time.monotonic() - began)
        if not self.world.leads:  # the leading rank alone ranks
            return Pool(tuple(candidates), torch.empty(0))
        return Pool(tuple(candidates), load_file(self.store.checked(stage.key) / VECTORS)["vectors"])

    def _lease_pool(self, stage: EmbedStage, leases: ExitStack) -> bool:
        lease = self._claim(stage.key) if self.store.open(stage.key) is None else None
        if lease is not None:
            leases.enter_context(lease)
        return lease is not None

    def _publish_pool(self, stage: EmbedStage, pool: Pool, seconds: float) -> None:
        with self.store.workspace(stage.key) as folder:
            save_file({"vectors": pool.vectors}, folder / VECTORS)
            self.store.publish(stage, folder, {"n": len(pool.candidates)}, self._made(seconds))
        self.computed.append(stage.key)

    def _made(self, seconds: float) -> dict[str, JSON]:
        return made(self.world.device, seconds, self.world.size, how={"precision": self.precision})

    def _at_most(self, max_length: int) -> int:
        return min(max_length, self.encoder.max_length or max_length)

    def _head(self, stage: EvaluateStage) -> Head:
        """Make a stage's head: retrieval's pooling, the pretrained language model's, or one that was trained."""
        task = find_task(stage.task)
        head = family_of(task).head(self.encoder, task, HeadSettings(stage.layer, stage.pooling))
        if isinstance(head, MaskedHead):  # always the first one, so that links of a chain compare
            put_back(head, *encoder_of(self.store, start_of(stage.parent)))
        elif isinstance(stage.parent, TrainStage) and task.training_task is not None:
            trained = head_id(find_task(task.training_task))
            head.load_state_dict(
                load_file(self.store.checked(stage.parent.key) / HEADS / f"{trained}.safetensors")
            )
        return head
