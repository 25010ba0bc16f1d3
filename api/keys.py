"""API keys ``wp_<id>_<secret>`` and the roles they carry."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum

PATTERN = re.compile(r"wp_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
"""An id to find the key by, and 256 bits that only its holder has."""


class Role(StrEnum):
    """What a key may do; each may do all that the ones before it may."""

    VIEWER = "viewer"
    PLANNER = "planner"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """Place in the order of roles."""
        return list(Role).index(self)


@dataclass(frozen=True)
class NewKey:
    """A key as it is made: its text is shown once and never stored.

    Attributes:
        id: to find it by.
        text: all of it.
        hash: what is stored.
    """

    id: str
    text: str
    hash: str


def make() -> NewKey:
    """A key that nobody has."""
    id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    return NewKey(id, f"wp_{id}_{secret}", hash_of(secret))


def split(text: str) -> tuple[str, str] | None:
    """Id and secret of a key's text; None if it is no key."""
    found = PATTERN.fullmatch(text.strip())
    return (found[1], found[2]) if found else None


def hash_of(secret: str) -> str:
    """What is stored of a secret; 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


def matches(secret: str, stored: str) -> bool:
    """Whether a secret is the one whose hash is stored, in a time that says nothing about it."""
    return hmac.compare_digest(hash_of(secret), stored)
