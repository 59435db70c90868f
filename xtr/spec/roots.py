"""This is where a storage root is read off a sweep file: which URIs there are, what may go along."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from xtr.spec.explain import refusal
from xtr.storage.workplace import is_uri, known_schemes

SECRETS = ("key", "secret", "token", "password", "account_key", "sas_token", "connection_string")


def _read_root(value: object) -> object:
    if isinstance(value, str) and is_uri(value) and value.partition("://")[0] not in known_schemes():
        raise refusal(
            "unknown kind of storage",
            allowed="a folder on this machine or on a file system that all machines share, or s3://bucket/prefix",
        )
    return value


def _read_options(value: object) -> object:
    names = [str(name) for name in value] if isinstance(value, dict) else []
    secret = [name for name in names if name in SECRETS]
    if secret:
        raise refusal(
            f"{', '.join(secret)} would be kept with the sweep for everybody to read",
            received=", ".join(names),
            allowed="endpoint_url, client_kwargs and the like",
            hint="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or the machine's role",
        )
    return value


Root = Annotated[str, Field(min_length=1), BeforeValidator(_read_root)]
Options = Annotated[dict[str, object], BeforeValidator(_read_options)]
