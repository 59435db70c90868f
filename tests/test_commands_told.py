"""Every command line that a page shows can be typed: its command, its options and the files it names exist."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from xtr.cli import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(xtr [^`]+)`")
NO_COMMANDS = ("python", "yaml", "text", "json")
ENDS = ("|", "&&", "||", ";", ">", "&", "...")


def inside(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def shown_in(page: Path) -> Iterator[str]:
    """Every command line of a page: of its shell blocks, of its indented blocks and between backticks."""
    text = page.read_text(encoding="utf-8")
    blocks = [body for language, body in FENCE.findall(text) if language not in NO_COMMANDS]
    prose = FENCE.sub("", text)
    blocks.append("\n".join(line[4:] for line in prose.splitlines() if line.startswith("    ")))
    for line in "\n".join(blocks).replace("\\\n", " ").splitlines():
        if found := re.search(r"(?:^|-- |; do |\$ )(xtr .*)", line):
            yield found[1]
    yield from INLINE.findall(prose.replace("\\|", "|").replace("\n", " "))


def told_in(header: Path) -> Iterator[str]:
    """Every command of a sweep file's header: `# Run : xtr run sweeps/demo.yaml   (in words)`."""
    for told in re.findall(r"^# (?:Look|Try|Run|Read) *: *(.*)$", header.read_text(encoding="utf-8"), re.M):
        yield from (each.split("   ")[0].split("(")[0] for each in re.findall(r"\bxtr [^;]*", told))


def problem_with(line: str) -> str:
    """What cannot be typed in a command line; empty where all of it can."""
    words = shlex.split(line, comments=True)[1:]
    end = next((i for i, word in enumerate(words) if word.rstrip(";") in ENDS or word[0] == "("), len(words))
    last = words[: end + 1] if end < len(words) and words[end] == "..." else words[:end]
    path, options = (
        [word for word in last if not word.startswith("-")],
        [w for w in last if w.startswith("--")],
    )
    if not path:
        return ""
    for name in path[0].strip(";,").split("|"):
        command = TOP.get(name)
        if command is None:
            return f"no command {name!r}"
        below = getattr(command, "commands", {})
        for second in path[1].split("|") if below and len(path) > 1 else ():
            if second not in below:
                return f"no command {name} {second!r}"
            command = below[second]
        known = {word for each in command.params for word in each.opts} | {"--help"}
        unknown = [each for each in options if each.partition("=")[0] not in known]
        if unknown and not (below and len(path) == 1):
            return f"{name} has no option {', '.join(unknown)}"
    files = [word for word in path if re.fullmatch(r"(sweeps|docs)/[\w./-]+\.yaml", word)]
    return "".join(f"there is no file {each}" for each in files if not (ROOT / each).exists())


TOP = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # typer's group has it


@pytest.mark.parametrize("page", PAGES, ids=inside)
def test_the_commands_of_a_page_can_be_typed(page: Path) -> None:
    assert {line: said for line in shown_in(page) if (said := problem_with(line))} == {}


@pytest.mark.parametrize("sweep", sorted((ROOT / "sweeps").glob("*.yaml")), ids=inside)
def test_the_commands_of_a_sweeps_header_can_be_typed(sweep: Path) -> None:
    assert {line: said for line in told_in(sweep) if (said := problem_with(line))} == {}


def test_a_line_that_cannot_be_typed_is_found() -> None:
    assert problem_with("xtr plan sweeps/demo.yaml --gpus 4   # with four") == ""
    assert problem_with("xtr store ls|show --root runs") == ""
    assert "no command 'plam'" in problem_with("xtr plam sweeps/demo.yaml")
    assert "no command store 'lst'" in problem_with("xtr store ls|lst")
    assert "no option --gpu" in problem_with("xtr plan sweeps/demo.yaml --gpu=4")
    assert "no file sweeps/dema.yaml" in problem_with("xtr run sweeps/dema.yaml")


def test_the_pages_show_enough_to_look_at() -> None:
    shown = [line for page in PAGES for line in shown_in(page)]
    assert len(shown) > 100
    assert {shlex.split(line, comments=True)[1] for line in shown if len(line.split()) > 1} >= {
        "run",
        "plan",
        "best",
    }


def test_the_batch_script_of_the_slurm_page_is_the_file_and_reads() -> None:
    script = ROOT / "docs/examples/xtr.sbatch"
    blocks = FENCE.findall((ROOT / "docs/slurm.md").read_text(encoding="utf-8"))
    assert [body for language, body in blocks if language == "bash"] == [script.read_text(encoding="utf-8")]
    assert subprocess.run(["bash", "-n", str(script)], capture_output=True, check=False).stderr == b""
