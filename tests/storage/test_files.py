"""Files are whole or absent, of many creators one wins, and a torn line never spoils the next."""

from __future__ import annotations

from pathlib import Path
from threading import Barrier, Thread

from xtr.storage import append_line, create_if_absent, read_lines, write_atomic


def test_writing_replaces_the_whole_file_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.json"
    write_atomic(path, "a long first text\n")
    write_atomic(path, "short é\n")
    assert path.read_text(encoding="utf-8") == "short é\n"
    assert list(path.parent.iterdir()) == [path]


def test_who_reads_while_others_write_sees_a_whole_text(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    texts = [letter * 50_000 for letter in "ab"]
    write_atomic(path, texts[0])

    def write() -> None:
        for _ in range(20):
            for text in texts:
                write_atomic(path, text)

    writer = Thread(target=write)
    writer.start()
    seen = {path.read_text(encoding="utf-8")}
    while writer.is_alive():
        seen.add(path.read_text(encoding="utf-8"))
    writer.join()
    assert seen <= set(texts)


def test_of_many_creators_one_wins_and_its_content_stays(tmp_path: Path) -> None:
    path, start = tmp_path / "deep" / "claim", Barrier(8)
    winners: list[str] = []

    def create(name: str) -> None:
        start.wait()
        if create_if_absent(path, name):
            winners.append(name)

    threads = [Thread(target=create, args=(f"thread {i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.read_text(encoding="utf-8")] == winners
    assert list(path.parent.iterdir()) == [path]


def test_creating_again_changes_nothing(tmp_path: Path) -> None:
    assert create_if_absent(tmp_path / "file", "first")
    assert not create_if_absent(tmp_path / "file", "second")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "first"


def test_lines_come_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "lines"
    assert read_lines(path) == []
    for line in ("", "one", "", "zwölf\u2028"):
        append_line(path, line)
    assert read_lines(path) == ["", "one", "", "zwölf\u2028"]


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_text('{"n": 1}\n{"n"', encoding="utf-8")
    assert read_lines(path) == ['{"n": 1}']


def test_a_line_after_a_torn_one_is_not_spoilt(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_text('{"n": 1}\n{"n"', encoding="utf-8")
    append_line(path, '{"n": 3}')
    assert read_lines(path) == ['{"n": 1}', '{"n": 3}']


def test_a_file_that_is_all_torn_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes("zwö".encode()[:3])
    assert read_lines(path) == []
    append_line(path, "one")
    assert read_lines(path) == ["one"]
