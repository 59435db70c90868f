"""The room for what is kept: files that are whole or not at all, on a file system or in a bucket."""

from xtr.storage.files import (
    MANIFEST,
    append_line,
    create_if_absent,
    exclusive,
    folder_name,
    open_sealed,
    partial_folder,
    read_lines,
    replace_folder,
    seal_folder,
    write_atomic,
)

__all__ = [
    "MANIFEST",
    "append_line",
    "create_if_absent",
    "exclusive",
    "folder_name",
    "open_sealed",
    "partial_folder",
    "read_lines",
    "replace_folder",
    "seal_folder",
    "write_atomic",
]
