"""This is the door to the store: `xtr store ls|show|why|verify|pin|unpin|gc`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from xtr.answer import AsJson, say, show
from xtr.asked import Root
from xtr.errors import InputError, Problem, suggest

if TYPE_CHECKING:
    from xtr.analysis.records.references import References
    from xtr.fingerprint import JSON
    from xtr.stages.index import Index
    from xtr.stages.store import StageStore

store = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="List, check and clear what is stored.")

Key = Annotated[str, typer.Argument(metavar="KEY", help="A stage's key, or its first signs.")]
CELL = 34
"""Signs of a value that a table of differences shows; `--json` has all."""


@store.command("ls", epilog="Example: xtr store ls --kind train --task squad_v1")
def list_(
    root: Root = "runs",
    kind: Annotated[str | None, typer.Option(help="Only stages of this kind, such as train.")] = None,
    task: Annotated[str | None, typer.Option(help="Only stages of this task.")] = None,
    unused: Annotated[bool, typer.Option("--unused", help="Only stages that nobody refers to.")] = False,
    as_json: AsJson = False,
) -> None:
    """List finished stages, oldest first: what they are, what they cost, who uses them."""
    from xtr.analysis.records.references import kept_stages
    from xtr.analysis.upkeep.tables import stages_document, stages_text

    _, index, references = _look(root)
    kept = kept_stages(index, references)
    every = list(index.entries.values())
    _known("--kind", kind, {entry.kind for entry in every})
    _known("--task", task, {entry.task for entry in every if entry.task})
    chosen = [
        entry
        for entry in every
        if kind in (None, entry.kind) and task in (None, entry.task) and not (unused and entry.key in kept)
    ]
    about = (chosen, index, references, kept)
    show(stages_document(*about), stages_text(*about), as_json=as_json)
    for each in references.unknown if not as_json else ():
        say(f"not known: {each}")


@store.command("show", epilog="Example: xtr store show 3fa91c")
def show_(key: Key, root: Root = "runs", as_json: AsJson = False) -> None:
    """Tell one stage in words: recipe, parents, scores, how it was made, who uses it, where to load it."""
    from xtr.analysis.records.references import kept_stages
    from xtr.analysis.upkeep.tables import stage_document, stage_text

    stages, index, references = _look(root)
    manifest = stages.read(index.find(key))
    if manifest is None:
        raise _gone(key)
    about = (stages, manifest, index, references, kept_stages(index, references))
    show(stage_document(*about), stage_text(*about), as_json=as_json)


@store.command(epilog="Example: xtr store why 3fa91c 77ab01")
def why(
    key: Key,
    other: Annotated[str | None, typer.Argument(metavar="[OTHER]", help="A second stage.")] = None,
    root: Root = "runs",
    as_json: AsJson = False,
) -> None:
    """Print what went into a key, or what two stages differ in, their parents included."""
    stages, index, _ = _look(root, references=False)
    found = [index.find(each) for each in (key, other) if each is not None]
    if len(found) == 1:
        document, text = _ingredients(stages, found[0])
    else:
        document, text = _comparison(stages, found[0], found[1])
    show(document, text, as_json=as_json)


@store.command(epilog="Example: xtr store verify --repair")
def verify(
    keys: Annotated[list[str] | None, typer.Argument(metavar="[KEY]...", help="By default all.")] = None,
    root: Root = "runs",
    repair: Annotated[bool, typer.Option("--repair", help="Set broken stages aside.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read every byte of finished stages and compare hashes; exit code 1 if anything is wrong."""
    from xtr.analysis.upkeep.care import damaged

    stages, index, _ = _look(root, references=False)
    chosen = [index.find(each) for each in keys or []] or [*index.entries, *index.unreadable]
    broken = [found for _, found in damaged(stages, chosen) if found is not None]
    for each in broken if repair else ():
        stages.set_aside(each.key)
    rows: list[JSON] = [{"key": each.key, "what": each.what} for each in broken]
    lines = [f"{each.key[:8]}  {each.what}" for each in broken]
    lines.append(f"{len(chosen)} stages read, {len(broken)} broken")
    if broken and repair:
        lines.append(f"set aside below {root}/quarantine; who needs them makes them again: xtr run")
    elif broken:
        lines.append("next: xtr store verify --repair    (sets them aside; who needs them makes them again)")
    document: dict[str, JSON] = {"schema_version": 1, "read": len(chosen), "broken": rows, "repaired": repair}
    show(document, "\n".join(lines), as_json=as_json)
    if broken:
        raise typer.Exit(1)


@store.command(epilog='Example: xtr store pin 3fa91c --name paper --because "table 2"')
def pin(
    keys: Annotated[list[str], typer.Argument(metavar="KEY...", help="Stages to keep.")],
    name: Annotated[str, typer.Option(help="What the pin is called.")],
    because: Annotated[str, typer.Option(help="Why they are kept.")],
    root: Root = "runs",
) -> None:
    """Keep stages and their parents, whatever becomes of the sweeps that made them."""
    from xtr.analysis.records.references import write_pin

    stages, index, _ = _look(root, references=False)
    found = [index.find(key) for key in keys]
    write_pin(stages.place.store, name, because, found)
    say(f"{name} keeps {', '.join(key[:8] for key in found)} and their parents; undo: xtr store unpin {name}")


@store.command(epilog="Example: xtr store unpin paper")
def unpin(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A pin's name.")], root: Root = "runs"
) -> None:
    """Let go of what a pin keeps; nothing is removed before `xtr store gc`."""
    from xtr.analysis.records.references import remove_pin

    removed = remove_pin(_open(root).place.store, name)
    say(f"let go of {len(removed.keys)} stages, kept because: {removed.because}")


@store.command(epilog="Example: xtr store gc --dry-run")
def gc(
    root: Root = "runs",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    keep_days: Annotated[
        float, typer.Option(min=0, help="Days for which broken stages that were set aside are kept.")
    ] = 30,
    as_json: AsJson = False,
) -> None:
    """Remove what no sweep, evaluation, export or pin refers to, and what dead processes have left."""
    _look(root, references=False)
    from xtr.analysis.upkeep.tables import leftovers_document, leftovers_text
    from xtr.search.garbage import clear

    stages = _open(root)
    ask = not (dry_run or yes)
    if ask and as_json:
        raise InputError(Problem("gc asks before it removes", "--json", hint="--dry-run, or --yes"))
    clearing = clear(stages, keep_days=keep_days, dry_run=dry_run or ask)
    if ask:
        say(leftovers_text(clearing.found, clearing.index, removed=False))
        if not clearing.found:
            return
        typer.confirm("remove all this?", abort=True)
        clearing = clear(stages, keep_days=keep_days, dry_run=False)
    text = leftovers_text(clearing.found, clearing.index, removed=not dry_run)
    option = "" if root == "runs" else f" --root {root}"
    if dry_run and clearing.found:
        text += f"\nnothing has been removed; next: xtr store gc{option}"
    if clearing.busy:
        text += f"\nnot now: {clearing.busy}"
    show(leftovers_document(clearing.found, clearing.index, removed=not dry_run), text, as_json=as_json)


def _ingredients(stages: StageStore, key: str) -> tuple[dict[str, JSON], str]:
    from xtr.analysis.tables import columns
    from xtr.analysis.upkeep.recipes import hashed_text, parts_of

    manifest = stages.read(key)
    if manifest is None:
        raise _gone(key)
    text, sha = hashed_text(manifest.recipe)
    parts = parts_of(manifest.recipe)
    lines = [
        columns(("what went in", "value"), parts),
        "",
        f"SHA-256 of this as canonical JSON ({len(text.encode())} bytes):",
        sha,
        f"its first {len(key)} signs are the key: {'yes' if sha.startswith(key) else 'NO'}",
    ]
    recipe: JSON = manifest.recipe
    return {"schema_version": 1, "key": key, "recipe": recipe, "canonical": text, "sha256": sha}, "\n".join(
        lines
    )


def _comparison(stages: StageStore, key: str, other: str) -> tuple[dict[str, JSON], str]:
    from xtr.analysis.tables import columns
    from xtr.analysis.upkeep.recipes import differences
    from xtr.analysis.upkeep.tables import cut

    manifests = [stages.read(each) for each in (key, other)]
    first, second = manifests
    if first is None or second is None:
        raise _gone(key if first is None else other)

    def recipe_of(parent: str) -> dict[str, JSON] | None:
        manifest = stages.read(parent)
        return None if manifest is None else manifest.recipe

    found = differences(first.recipe, second.recipe, recipe_of)
    rows: list[JSON] = [{"path": path, "values": [one, two]} for path, one, two in found]
    cells = [(path, cut(one, CELL), cut(two, CELL)) for path, one, two in found]
    text = columns(("differs in", key[:8], other[:8]), cells) if found else "these are one stage"
    return {"schema_version": 1, "keys": [key, other], "differences": rows}, text


def _look(root: str, *, references: bool = True) -> tuple[StageStore, Index, References]:
    from xtr.analysis.records.references import References, read_references
    from xtr.stages.index import read_index

    stages = _open(root)
    return stages, read_index(stages), read_references(stages.place) if references else References()


def _open(root: str) -> StageStore:
    """Open a store that exists.

    Raises:
        InputError: nothing lies there, or it does not answer.
    """
    from xtr.stages.store import StageStore
    from xtr.storage.workplace import workplace

    place = workplace(root)
    if place.bucket is None and not place.here.is_dir():
        raise InputError(Problem("no storage root", received=root, hint="--root FOLDER"))
    place.check_readable()
    return StageStore(place)


def _gone(key: str) -> InputError:
    return InputError(Problem("this stage cannot be read", received=key, hint=f"xtr store verify {key}"))


def _known(option: str, value: str | None, allowed: set[str]) -> None:
    if value is not None and value not in allowed:
        what = f"no stage has this {option.removeprefix('--')}"
        raise InputError(Problem(what, option, value, ", ".join(sorted(allowed)), suggest(value, allowed)))
