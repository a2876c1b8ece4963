"""The settings of one outside identity provider."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gateroom.auth.key_sets import KeySet
from gateroom.auth.outside_claims import IssuerRules
from gateroom.auth.outsiders import Issuer
from gateroom.auth.public_keys import VerifyingKey, read_key_file
from gateroom.settings.section import Section
from gateroom.settings.values import Items, KeySetUrl, Name, OrNone, ScopeName, WholeSeconds


class IssuerSettings(Section):
    """An outside identity provider whose access tokens are believed."""

    issuer: Name  # its claim `iss`, letter by letter
    jwks_url: OrNone[KeySetUrl] = None
    key_file: OrNone[Path] = None  # instead: a PEM public key, a JWK or a set; with HS256 a shared secret
    audience: Annotated[Items[Name], Field(min_length=1)]
    algorithms: Annotated[Items[Literal["EdDSA", "ES256", "RS256", "HS256"]], Field(min_length=1)] = (
        "EdDSA",
        "ES256",
        "RS256",
    )
    types: Annotated[Items[Name], Field(min_length=1)] = ("at+jwt", "application/at+jwt", "JWT")
    leeway: Annotated[WholeSeconds, Field(ge=0, le=30)] = 5
    max_lifetime: Annotated[WholeSeconds, Field(ge=1, le=86400)] = 86400
    username_claim: Name = "preferred_username"
    roles_claim: OrNone[Name] = None  # None: the account has roles of its own
    scopes_claim: OrNone[Name] = None  # None: a token has all scopes of the account
    role_scopes: Mapping[str, Items[ScopeName]] = Field(default_factory=dict)
    create_users: bool = False

    @model_validator(mode="after")
    def _refuse_unusable(self) -> Self:
        if (self.jwks_url is None) == (self.key_file is None):
            raise ValueError("must have either jwks_url or key_file")
        if "HS256" in self.algorithms and (self.key_file is None or len(self.algorithms) > 1):
            raise ValueError("must have a key_file and no other algorithm for HS256")
        if self.role_scopes and self.roles_claim is None:
            raise ValueError("must have a roles_claim for role_scopes")
        return self

    def trust(self, fetch: Callable[[str], Awaitable[bytes]], monotonic: Callable[[], float]) -> Issuer:
        """Return the issuer with its keys, or with where to fetch them. Raises `KeyRefused` for a bad `key_file`."""
        source = self.file_keys() or partial(fetch, self.jwks_url or "")
        return Issuer(self.rules(), KeySet(self.issuer, source, monotonic))

    def file_keys(self) -> Sequence[VerifyingKey]:
        """Return the keys in `key_file`, none without one. Raises `KeyRefused`."""
        return read_key_file(self.key_file, shared="HS256" in self.algorithms) if self.key_file else ()

    def rules(self) -> IssuerRules:
        """Return what claims of this issuer are measured by."""
        return IssuerRules(
            issuer=self.issuer,
            audiences=frozenset(self.audience),
            algorithms=frozenset(self.algorithms),
            types=frozenset(each.lower() for each in self.types),
            leeway=self.leeway,
            max_lifetime=self.max_lifetime,
            username_claim=self.username_claim,
            roles_claim=self.roles_claim,
            scopes_claim=self.scopes_claim,
            role_scopes={role: frozenset(scopes) for role, scopes in self.role_scopes.items()},
            create_users=self.create_users,
        )
