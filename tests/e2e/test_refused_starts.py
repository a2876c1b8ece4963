"""What keeps `gateroom serve` from starting is said in one line, and mended by it (contract section 6)."""

from pathlib import Path

from gateroom.auth.key_files import load_or_create
from support.cli import run_cli
from support.gateway import RunningGateway


def test_a_port_in_use_is_named(gateway: RunningGateway, tmp_path: Path) -> None:
    ran = run_cli("serve", "--port", str(gateway.port), "--data-dir", tmp_path)
    assert (ran.status, ran.out) == (1, "")
    assert ran.sentence.startswith(f"Cannot listen on 127.0.0.1:{gateway.port}: ")
    assert ran.sentence.endswith(". Choose another --host or --port.")


def test_more_than_one_worker_needs_a_broker_between_them(tmp_path: Path) -> None:
    ran = run_cli("serve", "--workers", "2", "--port", "0", "--data-dir", tmp_path)
    assert ran.status == 1
    assert "--workers" in ran.err
    assert ran.err.count("\n") == 1


def test_a_data_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "gateroom.db").write_text("this is not a database")
    open_to_all = tmp_path / "open"
    load_or_create(open_to_all / "keys")
    for key in (open_to_all / "keys").glob("*.pem"):
        key.chmod(0o644)
    for data_dir in (tmp_path / "file", broken, open_to_all):
        ran = run_cli("serve", "--port", "0", "--data-dir", data_dir)
        assert ran.status == 1
        assert str(data_dir) in ran.sentence


def test_an_admin_password_that_is_too_common_is_refused_by_name(tmp_path: Path) -> None:
    environment = {"GATEROOM_AUTH__ADMIN_PASSWORD": "password1"}
    ran = run_cli("serve", "--port", "0", "--data-dir", tmp_path, environment=environment)
    assert ran.status == 1
    assert ran.sentence.startswith("auth.admin_password: This password is one of the most common ones")
    assert "password1" not in ran.err
