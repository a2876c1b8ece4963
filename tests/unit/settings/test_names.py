import pytest

from gateroom.settings.names import Path, meant_by, paths


def test_every_setting_has_a_section_and_a_name() -> None:
    known = list(paths())
    assert ("auth", "access_ttl") in known
    assert ("rooms", "kinds", "<kind>", "history_size") in known
    assert all(len(path) >= 2 for path in known)


@pytest.mark.parametrize(
    ("unknown", "meant"),
    [
        (("auth", "acces_ttl"), ("auth", "access_ttl")),
        (("atuh",), ("auth",)),
        (("atuh", "issuer"), ("auth", "issuer")),
        (("server", "issuer"), ("auth", "issuer")),
        (("port",), ("server", "port")),
        (("admin_password",), ("auth", "admin_password")),
        (("auth_issuer",), ("auth", "issuer")),
        (("auth",), ("auth", "issuer")),
        (("rooms", "kinds", "chat", "history_siz"), ("rooms", "kinds", "chat", "history_size")),
        (("rooms", "max_room"), ("rooms", "max_rooms")),
    ],
)
def test_a_misspelt_name_is_traced_to_what_was_meant(unknown: Path, meant: Path) -> None:
    assert meant_by(unknown) == meant


@pytest.mark.parametrize("unknown", [("zzzz",), ("auth", "quux"), ("auth", "issuer", "x", "y", "zzz")])
def test_a_name_like_no_other_means_nothing(unknown: Path) -> None:
    assert meant_by(unknown) is None
