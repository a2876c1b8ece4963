"""`POST /auth/token`: OAuth 2 with a username and a password, in its own RFC's words (RFC 6749)."""

from collections.abc import Mapping
from urllib.parse import urlencode

import httpx2 as httpx
import pytest

from support.in_process import ADMIN_PASSWORD, InProcess
from support.tokens import claims_of

FORM = "application/x-www-form-urlencoded"
RIGHT = {"grant_type": "password", "username": "admin", "password": ADMIN_PASSWORD}
CANARY = "canary-7f3a"


def ask(gateway: InProcess, **fields: str) -> httpx.Response:
    return gateway.client.post("/auth/token", data=fields)


def assert_oauth_error(answer: httpx.Response, status: int, error: str) -> None:
    """Judge an answer by RFC 6749 section 5.2."""
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.headers["Content-Type"] == "application/json"
    assert set(answer.json()) == {"error", "error_description"}
    assert answer.json()["error_description"].isascii()
    assert_not_cacheable(answer)


def assert_not_cacheable(answer: httpx.Response) -> None:
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Pragma"] == "no-cache"


def test_a_password_is_exchanged_for_a_token_that_works(gateway: InProcess) -> None:
    answer = ask(gateway, **RIGHT)
    body = answer.json()
    assert answer.status_code == 200
    assert set(body) == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    assert (body["token_type"], body["expires_in"]) == ("bearer", 900)
    assert "users:admin" in body["scope"].split(" ")
    me = gateway.client.get("/auth/me", headers={"Authorization": f"Bearer {body['access_token']}"})
    assert me.json()["username"] == "admin"


def test_a_token_is_never_cached(gateway: InProcess) -> None:
    assert_not_cacheable(ask(gateway, **RIGHT))


def test_no_cookie_comes_with_a_token(gateway: InProcess) -> None:
    assert "Set-Cookie" not in ask(gateway, **RIGHT).headers


def test_swaggers_authorize_form_is_served(gateway: InProcess) -> None:
    """It sends every field, and an empty client in an Authorization header."""
    form = {**RIGHT, "scope": "", "client_id": "", "client_secret": ""}
    assert gateway.client.post("/auth/token", data=form).status_code == 200
    assert gateway.client.post("/auth/token", data=form, auth=("", "")).status_code == 200


def test_an_empty_parameter_counts_as_left_out(gateway: InProcess) -> None:
    """RFC 6749 section 3.2."""
    assert claims_of(ask(gateway, **RIGHT, scope="").json()["access_token"])["scope"].count(":") >= 5
    assert_oauth_error(ask(gateway, **{**RIGHT, "grant_type": ""}), 400, "invalid_request")


def test_an_unknown_parameter_is_ignored(gateway: InProcess) -> None:
    """RFC 6749 section 3.2."""
    assert ask(gateway, **RIGHT, resource="https://api.example.org").status_code == 200


def test_a_narrower_scope_may_be_asked_for(gateway: InProcess) -> None:
    answer = ask(gateway, **RIGHT, scope="rooms:create users:send")
    assert answer.json()["scope"] == "rooms:create users:send"
    assert claims_of(answer.json()["access_token"])["scope"] == "rooms:create users:send"


def test_a_scope_that_the_account_has_not_is_left_out(gateway: InProcess) -> None:
    user = gateway.user()
    form = {"grant_type": "password", "username": user.name, "password": user.password}
    answer = ask(gateway, **form, scope="users:admin rooms:create")
    assert answer.json()["scope"] == "rooms:create"


def test_a_client_names_itself(gateway: InProcess) -> None:
    assert claims_of(ask(gateway, **RIGHT, client_id="a-bot").json()["access_token"])["client_id"] == "a-bot"
    assert claims_of(ask(gateway, **RIGHT).json()["access_token"])["client_id"] == "gateroom"


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        pytest.param({"grant_type": None}, 400, "invalid_request", id="no grant_type"),
        pytest.param({"username": None}, 400, "invalid_request", id="no username"),
        pytest.param({"password": None}, 400, "invalid_request", id="no password"),
        pytest.param({"username": ""}, 400, "invalid_request", id="empty username"),
        pytest.param({"password": ""}, 400, "invalid_request", id="empty password"),
        pytest.param({"grant_type": "authorization_code"}, 400, "unsupported_grant_type", id="authorization_code"),
        pytest.param({"grant_type": "client_credentials"}, 400, "unsupported_grant_type", id="client_credentials"),
        pytest.param({"grant_type": "PASSWORD"}, 400, "unsupported_grant_type", id="grant_type in capitals"),
        pytest.param({"scope": 'rooms:"create'}, 400, "invalid_scope", id="quote in scope"),
        pytest.param({"scope": "rooms:create  users:send"}, 400, "invalid_scope", id="two spaces in scope"),
        pytest.param({"scope": "é"}, 400, "invalid_scope", id="letter in scope"),
        pytest.param({"password": "wrong password"}, 400, "invalid_grant", id="wrong password"),
        pytest.param({"password": "x" * 5000}, 400, "invalid_grant", id="long password"),
        pytest.param({"username": "nobody"}, 400, "invalid_grant", id="unknown user"),
        pytest.param({"username": "Admin"}, 400, "invalid_grant", id="username in capitals"),
        pytest.param({"username": "ad\0min"}, 400, "invalid_grant", id="NUL in username"),
        pytest.param({"username": "x" * 5000}, 400, "invalid_grant", id="long username"),
        pytest.param({"client_secret": "s3cret"}, 401, "invalid_client", id="client secret"),
    ],
)
def test_what_is_wrong_is_said_in_the_words_of_oauth(
    gateway: InProcess, changes: Mapping[str, str | None], status: int, error: str
) -> None:
    form = {name: value for name, value in {**RIGHT, **changes}.items() if value is not None}
    assert_oauth_error(gateway.client.post("/auth/token", data=form), status, error)


def test_a_client_that_authenticates_is_told_that_there_are_none(gateway: InProcess) -> None:
    """RFC 6749 section 5.2: 401, and a challenge of the scheme it used."""
    answer = gateway.client.post("/auth/token", data=RIGHT, auth=("a-bot", "s3cret"))
    assert_oauth_error(answer, 401, "invalid_client")
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    answer = ask(gateway, **RIGHT, client_id="a-bot", client_secret="s3cret")
    assert_oauth_error(answer, 401, "invalid_client")
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize("name", ["grant_type", "username", "password", "scope", "client_id"])
def test_a_parameter_given_twice_is_refused(gateway: InProcess, name: str) -> None:
    pairs = [*({**RIGHT, "scope": "users:send", "client_id": "a-bot"}).items(), (name, "x")]
    answer = gateway.client.post("/auth/token", content=urlencode(pairs), headers={"Content-Type": FORM})
    assert_oauth_error(answer, 400, "invalid_request")


def test_credentials_in_the_query_are_not_read(gateway: InProcess) -> None:
    assert_oauth_error(gateway.client.post("/auth/token", params=RIGHT), 400, "invalid_request")


def test_credentials_as_json_are_not_read(gateway: InProcess) -> None:
    assert_oauth_error(gateway.client.post("/auth/token", json=RIGHT), 400, "invalid_request")


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        pytest.param(b"", "multipart/form-data", id="multipart without boundary"),
        pytest.param(b"--x\r\nbroken", "multipart/form-data; boundary=x", id="broken multipart"),
        pytest.param("&".join(f"f{n}=1" for n in range(1500)).encode(), FORM, id="1,500 fields"),
        pytest.param(
            b'--x\r\nContent-Disposition: form-data; name="password"; filename="f"\r\n\r\ncanary-7f3a\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
            id="a file as the password",
        ),
    ],
)
def test_a_body_that_is_no_form_is_an_invalid_request(gateway: InProcess, content: bytes, content_type: str) -> None:
    answer = gateway.client.post("/auth/token", content=content, headers={"Content-Type": content_type})
    assert_oauth_error(answer, 400, "invalid_request")
    assert CANARY not in answer.text


@pytest.mark.parametrize("password", [b"%ED%A0%80", b"\xff", b"%ff%fe", b"%00", b"%"])
def test_bytes_that_are_no_text_are_just_a_wrong_password(gateway: InProcess, password: bytes) -> None:
    content = b"grant_type=password&username=admin&password=" + password
    answer = gateway.client.post("/auth/token", content=content, headers={"Content-Type": FORM})
    assert_oauth_error(answer, 400, "invalid_grant")


def test_nobody_learns_whether_it_was_the_name_or_the_password_or_the_account(gateway: InProcess) -> None:
    disabled = gateway.user()
    assert gateway.patch(f"/api/users/{disabled.id}", gateway.admin, {"disabled": True}).status_code == 200
    answers = [
        ask(gateway, grant_type="password", username="nobody-at-all", password="some password"),
        ask(gateway, grant_type="password", username="admin", password="some password"),
        ask(gateway, grant_type="password", username=disabled.name, password=disabled.password),
        ask(gateway, grant_type="password", username=disabled.name, password="some password"),
    ]
    for answer in answers:
        assert_oauth_error(answer, 400, "invalid_grant")
    assert len({(answer.content, frozenset(answer.headers.items())) for answer in answers}) == 1


@pytest.mark.parametrize("field", ["grant_type", "username", "password", "scope", "client_id", "client_secret"])
def test_no_error_repeats_what_was_sent(gateway: InProcess, field: str) -> None:
    answer = gateway.client.post("/auth/token", data={**RIGHT, "password": "wrong password", field: f"{CANARY}\t"})
    assert answer.status_code in (400, 401)
    assert CANARY not in answer.text


def test_it_is_post_only(gateway: InProcess) -> None:
    answer = gateway.client.get("/auth/token", params=RIGHT)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "POST"
    assert answer.json()["code"] == "method_not_allowed"
