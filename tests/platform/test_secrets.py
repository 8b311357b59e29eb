"""Secrets at rest: bound to their place, readable under every key that is there (chapter 10 rule 9)."""

import dataclasses

import pytest

from app.config import Settings
from app.domain.platform import secrets
from app.errors import NotConfigured, ServiceDown

OLD = Settings(secret_keys="k1:" + "11" * 32)
BOTH = dataclasses.replace(OLD, secret_keys="k2:" + "22" * 32 + ",k1:" + "11" * 32)
NEW = dataclasses.replace(OLD, secret_keys="k2:" + "22" * 32)


def test_a_secret_comes_back_and_never_looks_alike_twice() -> None:
    first, second = (
        secrets.seal(OLD, "feeds", "url_enc", 7, "https://a.example/é") for _ in range(2)
    )
    assert first != second and b"example" not in first
    assert secrets.unseal(OLD, "feeds", "url_enc", 7, first) == "https://a.example/é"


@pytest.mark.parametrize(
    "place", [("feeds", "url_enc", 8), ("feeds", "url", 7), ("users", "url_enc", 7)]
)
def test_a_secret_opens_nowhere_but_in_its_place(place: tuple[str, str, int]) -> None:
    sealed = secrets.seal(OLD, "feeds", "url_enc", 7, "hush")
    with pytest.raises(ServiceDown):
        secrets.unseal(OLD, *place, sealed)


def test_the_first_key_encrypts_and_all_decrypt() -> None:
    old, new = secrets.seal(OLD, "t", "c", 1, "old"), secrets.seal(BOTH, "t", "c", 1, "new")
    assert [secrets.unseal(BOTH, "t", "c", 1, sealed) for sealed in (old, new)] == ["old", "new"]
    assert secrets.unseal(NEW, "t", "c", 1, new) == "new"
    with pytest.raises(ServiceDown):
        secrets.unseal(NEW, "t", "c", 1, old)


def test_a_changed_secret_does_not_open() -> None:
    sealed = bytearray(secrets.seal(OLD, "t", "c", 1, "hush"))
    sealed[-1] ^= 1
    for wrong in (bytes(sealed), b"", b"\x02k1", b"\xff" * 40):
        with pytest.raises(ServiceDown):
            secrets.unseal(OLD, "t", "c", 1, wrong)


def test_without_keys_nothing_is_kept() -> None:
    with pytest.raises(NotConfigured):
        secrets.seal(dataclasses.replace(OLD, secret_keys=""), "t", "c", 1, "hush")
