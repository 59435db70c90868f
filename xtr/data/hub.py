"""This is where the Hugging Face hub is asked: which revision, and the rows of one split at that revision.

    resolve("datasets", "facebook/xnli")                               -> the commit of its main branch
    fetch(HubSplit("facebook/xnli", commit, "de", "test"), folder)     -> the split in a sealed folder
    read(folder)[0]     -> {"premise": "...", "hypothesis": "...", "label": "contradiction"}

A split is fetched once into a folder of ours and read from there, memory-mapped and without the network. The cache
of `datasets` is not relied on: where the hub cannot be reached, `load_dataset` takes whichever revision it saw
last. Code of the hub is never run.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("HF_UPDATE_DOWNLOAD_COUNTS", "0")

import datasets
import huggingface_hub
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from xtr.catalogue.throughput import meant
from xtr.data.hublock import Kind
from xtr.errors import InputError, Problem, suggest
from xtr.fingerprint import JSON
from xtr.storage import seal_folder

datasets.logging.set_verbosity(datasets.logging.ERROR)
datasets.disable_progress_bars()
huggingface_hub.logging.set_verbosity(logging.ERROR)

WAITS_S = (1.0, 2.0, 4.0, 8.0)
"""Pauses between tries where the hub is busy and does not say how long to wait."""
LONGEST_WAIT_S = 300.0
"""The hub counts requests in windows of five minutes."""
BUSY = (429, 500, 502, 503, 504)
NO_CONSENSUS = "-"
UNKNOWN = "the hub does not know this, or it is private"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HubSplit:
    """One split of one configuration at one revision.

    Attributes:
        folder: a local folder in the hub's layout that stands for the id; then `revision` is its digest.
    """

    dataset: str
    revision: str
    config: str | None
    split: str
    folder: Path | None = None

    def __str__(self) -> str:
        config = f"/{self.config}" if self.config else ""
        return f"{self.folder or self.dataset}@{self.revision[:12]}{config}/{self.split}"


def resolve(kind: Kind, name: str) -> str:
    """Ask for the commit at the head of a repository's main branch; offline, for the newest one in the cache.

    Raises:
        InputError: why the hub does not say, and what to do.
    """
    if huggingface_hub.constants.HF_HUB_OFFLINE:
        return _newest_in_cache(kind, name)
    api = huggingface_hub.HfApi()
    ask = api.dataset_info if kind == "datasets" else api.model_info
    try:
        return str(_patiently(lambda: ask(name, timeout=_timeout())).sha)
    except Exception as error:
        raise _told(error, kind, name) from error


def fetch(split: HubSplit, folder: Path) -> None:
    """Download one split and leave it in a sealed folder `<root>/<data set>/<config>/<split>`, or nothing.

    Raises:
        InputError: why it cannot be had, and what to do.
    """
    root = folder.parents[2]
    root.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=root, prefix=".fetching-") as scratch:
        try:
            rows = _patiently(lambda: _load(split, scratch))
        except InputError:
            raise
        except Exception as error:
            raise _told(error, "datasets", str(split)) from error
        partial = Path(scratch) / "sealed"
        rows.save_to_disk(str(partial / "rows"))
        about: dict[str, JSON] = {"dataset": split.dataset, "revision": split.revision}
        seal_folder(
            partial, folder, {**about, "config": split.config, "split": split.split, "rows": len(rows)}
        )


def read(folder: Path) -> Rows:
    """Open a split that was fetched."""
    return Rows(datasets.Dataset.load_from_disk(str(folder / "rows")))


class Rows:
    """The rows of a split as plain mappings; class labels are names, -1 is `-` (no label)."""

    def __init__(self, rows: Any) -> None:
        self._rows = rows
        self._named = {name: _naming(feature) for name, feature in rows.features.items()}

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[dict[str, object]]:
        named = {name: give for name, give in self._named.items() if give is not None}
        for batch in self._rows.with_format("arrow").iter(batch_size=1000):
            for record in batch.to_pylist():
                for name, give in named.items():
                    record[name] = give(record[name])
                yield record


def _naming(feature: Any) -> Callable[[Any], object] | None:
    """How a column's class numbers become names; None for any other column."""
    inner = getattr(feature, "feature", None)
    if isinstance(feature, datasets.ClassLabel):
        names: Sequence[str] = feature.names
        return lambda value: NO_CONSENSUS if value in (None, -1) else names[value]
    if isinstance(inner, datasets.ClassLabel):
        one = _naming(inner)
        return lambda values: None if values is None else [one(value) for value in values] if one else values
    return None


def _load(split: HubSplit, cache: str) -> Any:
    """Prepare only the split that is asked for: a configuration of XNLI would bring 392,702 rows along."""
    builder = _builder(split, cache)
    files = builder.config.data_files or {}
    known = [str(name) for name in files]
    if split.split not in known:
        hint = suggest(split.split, known)
        raise InputError(Problem("there is no such split", str(split), split.split, ", ".join(known), hint))
    announced = (builder.info.splits or {}).get(split.split)
    builder.config.data_files = type(files)({split.split: files[split.split]})
    builder.download_and_prepare(verification_mode="no_checks")
    rows = builder.as_dataset(split=split.split)
    if announced is not None and announced.num_examples not in (None, 0, len(rows)):
        raise InputError(
            Problem(
                "the split is not whole",
                str(split),
                f"{len(rows)} rows",
                f"{announced.num_examples}, as its card says",
                "try again, or with another copy under data.hub_folders",
            )
        )
    return rows


def _builder(split: HubSplit, cache: str) -> Any:
    if split.folder is not None:
        return datasets.load_dataset_builder(str(split.folder), split.config, cache_dir=cache)
    if huggingface_hub.constants.HF_HUB_OFFLINE:
        snapshot = _snapshot("datasets", split.dataset, split.revision)
        if snapshot is None:
            raise InputError(_not_in_cache("datasets", f"{split.dataset} at {split.revision}"))
        files = _files_on_card(snapshot, split)
        return datasets.load_dataset_builder(str(snapshot), split.config, data_files=files, cache_dir=cache)
    return datasets.load_dataset_builder(
        split.dataset, split.config, revision=split.revision, cache_dir=cache
    )


def _files_on_card(snapshot: Path, split: HubSplit) -> dict[str, Any] | None:
    """Say which files of a snapshot hold a split: the cache may have no others, and `datasets` looks at all."""
    card = huggingface_hub.DatasetCard.load(snapshot / "README.md").data.to_dict()
    configs = {config.get("config_name"): config.get("data_files") for config in card.get("configs") or ()}
    files = configs.get(split.config or "default") or ()
    listed = {each["split"]: each["path"] for each in files if isinstance(each, dict)}
    return {split.split: listed[split.split]} if split.split in listed else None


def _snapshot(kind: Kind, name: str, revision: str) -> Path | None:
    """Find the folder of a revision in the hub's cache."""
    file, repo_type = ("README.md", "dataset") if kind == "datasets" else ("config.json", "model")
    found = huggingface_hub.try_to_load_from_cache(name, file, repo_type=repo_type, revision=revision)
    return Path(found).parent if isinstance(found, str) else None


def _newest_in_cache(kind: Kind, name: str) -> str:
    snapshot = _snapshot(kind, name, "main")
    if snapshot is not None:
        return snapshot.name
    commits = [
        (revision.last_modified, revision.commit_hash)
        for repository in _cached_repositories()
        if (repository.repo_type, repository.repo_id) == (kind.removesuffix("s"), name)
        for revision in repository.revisions
    ]
    if not commits:
        raise InputError(_not_in_cache(kind, name))
    return str(max(commits)[1])


def _cached_repositories() -> Sequence[Any]:
    try:
        return tuple(huggingface_hub.scan_cache_dir().repos)
    except huggingface_hub.errors.CacheNotFound:
        return ()


def _not_in_cache(kind: Kind, name: str) -> Problem:
    return Problem(
        "is not in the local cache, and the hub is not asked (HF_HUB_OFFLINE)",
        _where(kind),
        name,
        "what `xtr data prepare FILE` has fetched below storage.root, or the cache below HF_HOME",
        _perhaps(kind, name) + "run xtr data prepare FILE once on a machine with network",
    )


def _perhaps(kind: Kind, name: str) -> str:
    """Put the encoder that was probably meant before what else is to be tried."""
    guess = meant(name) if kind == "models" else ""
    return f"{guess} Else " if guess else ""


def _patiently(call: Callable[[], T]) -> T:
    """Call, and call again while the hub is busy, after the pause that it asks for."""
    for wait in WAITS_S:
        try:
            return call()
        except Exception as error:
            response = _response(error)
            if response is None or response.status_code not in BUSY:
                raise
            asked = response.headers.get("Retry-After", "")
            time.sleep(min(float(asked) if asked.isdigit() else wait, LONGEST_WAIT_S))
    return call()


def _timeout() -> float:
    return float(huggingface_hub.constants.HF_HUB_ETAG_TIMEOUT)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what brought it about; `datasets` wraps the hub's own answers."""
    seen: list[BaseException] = []
    left: list[BaseException | None] = [error]
    while left:
        each = left.pop(0)
        if each is not None and each not in seen:
            seen.append(each)
            yield each
            left += [each.__cause__, each.__context__]


def _response(error: BaseException) -> Any | None:
    """Find the hub's answer behind an error."""
    answers = (each.response for each in _causes(error) if isinstance(each, HfHubHTTPError))
    return next((answer for answer in answers if answer is not None), None)


def _where(kind: Kind) -> str:
    return "model.name" if kind == "models" else "data.source hub"


def _told(error: Exception, kind: Kind, name: str) -> InputError:
    """Say in words why something cannot be had from the hub."""
    what, allowed, hint = _reason(error, kind)
    if what == UNKNOWN:
        hint = _perhaps(kind, name) + hint
    received = f"{name} ({_first_line(error)})"
    return InputError(Problem(what, _where(kind), received, allowed, hint))


def _reason(error: Exception, kind: Kind) -> tuple[str, str, str]:
    """Return what is wrong, what would do and what to try."""
    chain, text, response = list(_causes(error)), str(error), _response(error)
    status = None if response is None else response.status_code
    page = huggingface_hub.constants.ENDPOINT
    if any(isinstance(each, GatedRepoError) for each in chain) or "is a gated" in text or status == 403:
        return "is gated: its owner asks you to accept a licence", "", _accept(page, signed_in=status == 403)
    if any(isinstance(each, RevisionNotFoundError) for each in chain):
        return (
            "the hub no longer has this revision",
            "",
            "delete its entry in data/hub.lock.json to lock anew",
        )
    if status == 401 or any(isinstance(each, RepositoryNotFoundError) for each in chain):
        return UNKNOWN, "", "check the id; for a private repository `hf auth login`, or HF_TOKEN"
    if status == 429:
        hint = "wait five minutes and give the same command again; HF_TOKEN raises the limit"
        return "the hub answers too many requests (429)", "", hint
    if "cripts are no longer supported" in text:
        allowed = "data files (parquet, JSON lines); code of the hub is never run"
        return "is a loading script", allowed, "name a parquet copy by data.hub_folders"
    if status is not None:
        return f"the hub answers {status}", "", "give the same command again later"
    if _is_network(chain):
        hint = f"check the network and HF_ENDPOINT ({page}); HF_HUB_OFFLINE=1 works from the cache"
        return "the hub cannot be reached", "", hint
    if "BuilderConfig" in text or "Config name is missing" in text:
        return "there is no such configuration", "", "xtr tasks NAME shows what is asked for"
    thing = "data set" if kind == "datasets" else "model"
    return f"the {thing} cannot be read", "", "try it with datasets.load_dataset; a copy: data.hub_folders"


def _accept(page: str, *, signed_in: bool) -> str:
    login = "" if signed_in else ", then `hf auth login` or HF_TOKEN"
    return f"accept it on its page at {page}{login}"


def _is_network(chain: Sequence[BaseException]) -> bool:
    network = (
        "ConnectError",
        "ConnectTimeout",
        "ReadTimeout",
        "ReadError",
        "RemoteProtocolError",
        "TimeoutException",
    )
    names = {kind.__name__ for each in chain for kind in type(each).__mro__}
    return bool(names & {*network, "ConnectionError", "TimeoutError", "OfflineModeIsEnabled"})


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
