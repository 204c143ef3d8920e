"""The newest history that a replica has met: never an older one, over restarts too, whatever is in its file."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery_service.errors import StartError
from delivery_service.storage.lineage import FILE, Lineage, Newest

LINEAGES = st.builds(Lineage, st.integers(0, 3), st.integers(1, 3), st.integers(1, 5))


def accepts(newest: Newest, found: Lineage) -> bool:
    try:
        newest.meet(found)
    except StartError:
        return False
    return True


@given(st.lists(LINEAGES))
def test_nobody_goes_back(found: list[Lineage]) -> None:
    newest, met = Newest(None), [Lineage(-1, 0, 0)]
    for lineage in found:
        before = met[-1]
        promoted = lineage.system == before.system and lineage.timeline >= before.timeline
        newer = lineage.restored > before.restored or (lineage.restored == before.restored and promoted)
        assert newest.is_behind(lineage) is not newer
        assert accepts(newest, lineage) is newer
        if newer:
            met.append(lineage)
        assert newest.met == met[-1]


def test_it_is_remembered_over_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    Newest(folder).meet(Lineage(0, 7, 3))
    again = Newest(folder)
    again.load()
    assert not accepts(again, Lineage(0, 7, 2))
    assert accepts(again, Lineage(0, 7, 4))


def test_two_in_one_folder_go_by_the_newer_of_both(tmp_path: Path) -> None:
    first, second = Newest(tmp_path), Newest(tmp_path)
    first.meet(Lineage(0, 7, 3))
    assert not accepts(second, Lineage(0, 7, 2))
    second.meet(Lineage(0, 7, 4))
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


def test_a_restore_that_was_marked_needs_nothing_else() -> None:
    newest = Newest(None)
    newest.meet(Lineage(0, 7, 3))
    assert not accepts(newest, Lineage(0, 8, 1))
    assert accepts(newest, Lineage(1, 8, 1))
    assert not accepts(newest, Lineage(0, 7, 4))


@given(octets=st.binary() | st.sampled_from([b"{}", b'{"restored":0,"system":1}', b"[1,2,3]"]))
def test_a_file_that_cannot_be_read_says_what_to_do(tmp_path_factory: pytest.TempPathFactory, octets: bytes) -> None:
    folder = tmp_path_factory.mktemp("folder")
    (folder / FILE).write_bytes(octets)
    with pytest.raises(StartError, match=f"delete .*{FILE}"):
        Newest(folder).load()


def test_a_folder_that_cannot_be_written_to_ends_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    newest = Newest(tmp_path / "file")
    with pytest.raises(StartError, match="cannot be stored"):
        newest.meet(Lineage(0, 7, 3))
    assert newest.is_behind(Lineage(0, 7, 3)) is False
