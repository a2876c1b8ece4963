import sys
from pathlib import Path

import pytest

from gateroom.storage.engine import StorageError, create_engine


@pytest.mark.parametrize(
    "url",
    [
        "",
        "not a url",
        "mysql://root:s3cret@db/gateroom",
        "postgresql+psycopg://root:s3cret@db/gateroom",
        "postgresql://root:s3cret@db:port/gateroom",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:s3cret?mode=memory&uri=true",
        "sqlite://s3cret/gateroom.db",
        "sqlite:///gateroom.db?timeout=1",
    ],
)
def test_a_url_that_cannot_be_served_is_refused_in_one_sentence_without_its_secrets(url: str) -> None:
    with pytest.raises(StorageError) as refused:
        create_engine(url)
    said = str(refused.value)
    assert said.endswith(".")
    assert "\n" not in said
    assert "s3cret" not in said


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg"])
def test_every_way_to_name_postgresql_ends_at_asyncpg(scheme: str) -> None:
    engine = create_engine(f"{scheme}://ada:s3cret@127.0.0.1/gateroom")
    assert (engine.dialect.name, engine.dialect.driver) == ("postgresql", "asyncpg")


def test_a_missing_driver_is_named_with_the_way_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(StorageError, match=r"^PostgreSQL needs .* pip install 'gateroom\[postgres\]'\.$"):
        create_engine("postgresql://127.0.0.1/gateroom")


def test_a_path_that_is_no_place_for_a_file_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageError, match=r"file/gateroom\.db cannot be used: .*exists|directory"):
        create_engine(f"sqlite:///{tmp_path}/file/gateroom.db")
