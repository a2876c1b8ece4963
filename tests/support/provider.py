"""An identity provider on the loopback that signs and publishes what a test wants, and counts who asks for it."""

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from gateroom.auth.keys import Algorithm, SigningKey
from support.tokens import forge

AUDIENCE = "gateroom-api"


@dataclass(slots=True)
class Provider:
    """One issuer: its keys by the ids it gives them, and how its server answers."""

    issuer: str
    url: str = ""  # of its server
    keys: dict[str, SigningKey] = field(default_factory=dict)
    status: int = 200
    location: str | None = None
    body: bytes | None = None  # None: the key set
    asked: list[str] = field(default_factory=list)  # the path of every request so far

    @property
    def jwks_url(self) -> str:
        return f"{self.url}/jwks"

    def add_key(self, kid: str, algorithm: Algorithm = Algorithm.ES256) -> None:
        self.keys[kid] = SigningKey.generate(algorithm)

    def key_set(self) -> bytes:
        keys = [{**(key.jwk() or {}), "kid": kid} for kid, key in self.keys.items()]
        return json.dumps({"keys": keys}).encode()

    def token(
        self,
        subject: str = "ada",
        *,
        kid: str | None = None,
        header: Mapping[str, object] | None = None,
        **claims: object,
    ) -> str:
        """Sign a token as Keycloak and Entra do: typ JWT, an audience list; a claim that is None is left out."""
        kid = kid or next(reversed(self.keys))
        now = int(time.time())
        payload = {
            "iss": self.issuer,
            "sub": subject,
            "aud": [AUDIENCE, "account"],
            "iat": now,
            "exp": now + 300,
            "preferred_username": subject,
            **claims,
        }
        key = self.keys[kid]
        fields = {"typ": "JWT", "alg": key.algorithm.value, "kid": kid, **(header or {})}
        return forge(key, {name: value for name, value in payload.items() if value is not None}, fields)

    def configured(self, **more: object) -> dict[str, object]:
        """Return the settings of an issuer for it."""
        return {"issuer": self.issuer, "jwks_url": self.jwks_url, "audience": AUDIENCE, "create_users": True, **more}


@contextmanager
def provider(issuer: str, kids: Sequence[str] = ("key-1",)) -> Iterator[Provider]:
    """Serve an identity provider until the block ends."""
    made = Provider(issuer)
    for kid in kids:
        made.add_key(kid)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(self.path)
            body = made.key_set() if made.body is None else made.body
            self.send_response(made.status)
            if made.location is not None:
                self.send_header("Location", made.location)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
