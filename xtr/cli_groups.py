"""This is where `xtr --help` lists the commands: under four headings, in the order in which one meets them.

What it says of a command is the first sentence of its docstring, which has room in a terminal of 80 columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from typer.core import TyperGroup

if TYPE_CHECKING:
    from typer._click import Context, HelpFormatter

COMMANDS: Mapping[str, tuple[str, ...]] = {
    "Start": ("init", "doctor", "tasks", "schema", "validate", "data", "plan"),
    "Run": ("run", "submit", "stage", "status", "evaluate"),
    "Read": ("best", "results", "compare", "findings", "report", "score", "ui"),
    "Keep": ("export", "store", "track"),
}


class Grouped(TyperGroup):
    """Commands under headings, in plain text; typer itself has headings in its boxes alone."""

    def list_commands(self, ctx: Context) -> list[str]:
        """Name the commands, heading by heading."""
        return [name for names in COMMANDS.values() for name in names]

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write a line a command."""
        room = formatter.width - 6 - max(map(len, self.list_commands(ctx)))
        for heading, names in COMMANDS.items():
            with formatter.section(heading):
                formatter.write_dl(
                    [(name, self.commands[name].get_short_help_str(room).removesuffix(".")) for name in names]
                )
