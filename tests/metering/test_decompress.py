"""Undoing Content-Encoding."""

import gzip
import io
import itertools
import random
import tracemalloc

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from budgetd.metering.decompress import MEMBER_BYTES, PIECE, Inflater, inflate
from metering.exchanges import CODINGS, cut, raw_deflate

TEXT = b"".join(b"line %d of a text that compresses\n" % number for number in range(20_000))


def undo(coding: str, body: bytes, seed: int, limit: int = 1 << 26) -> tuple[bytes, bool]:
    out = io.BytesIO()
    inflater = Inflater(coding, out.write, limit)
    for chunk in cut(body, seed):
        inflater.feed(chunk)
    return out.getvalue(), inflater.broken


@pytest.mark.parametrize("coding", CODINGS)
def test_every_coding_is_undone(coding: str) -> None:
    assert undo(coding, CODINGS[coding](TEXT), 1) == (TEXT, False)
    assert undo(coding.upper(), CODINGS[coding](b""), 1) == (b"", False)


@pytest.mark.parametrize("body", [TEXT, b"", b"x"])
def test_deflate_may_come_without_its_header(body: bytes) -> None:
    assert undo("deflate", raw_deflate(body), 2) == (body, False)


@pytest.mark.parametrize("codings", list(itertools.permutations(CODINGS, 2)))
def test_stacked_codings_are_undone_from_the_last(codings: tuple[str, ...]) -> None:
    body = TEXT
    for coding in codings:
        body = CODINGS[coding](body)
    assert undo(", ".join(codings), body, 3) == (TEXT, False)


def test_several_gzip_members_are_one_body() -> None:
    assert undo("x-gzip", gzip.compress(b"one ") + gzip.compress(b"two"), 4) == (b"one two", False)


def test_several_zstd_frames_are_one_body() -> None:
    assert undo("zstd", zstandard.compress(b"one ") + zstandard.compress(b"two"), 4) == (b"one two", False)


def test_an_unknown_coding_is_broken_and_identity_is_none() -> None:
    assert undo("identity, ,IDENTITY", b"abc", 5) == (b"abc", False)
    assert undo("gzip, aes128gcm", gzip.compress(b"abc"), 5) == (b"", True)
    assert undo("gzip," * 3, b"abc", 5) == (b"", True)


@pytest.mark.parametrize("coding", CODINGS)
def test_a_cut_body_gives_what_came_before_the_cut(coding: str) -> None:
    out, broken = undo(coding, CODINGS[coding](TEXT)[:-20], 6)
    assert not broken
    assert TEXT.startswith(out)


@pytest.mark.parametrize("coding", CODINGS)
def test_a_bomb_stays_small(coding: str) -> None:
    bomb = CODINGS[coding](bytes(200_000_000))
    most = 0

    def sink(piece: bytes) -> None:
        nonlocal most
        most = max(most, len(piece))

    tracemalloc.start()
    inflater = Inflater(coding, sink, limit=10_000_000)
    inflater.feed(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert inflater.broken
    assert most <= 2 * PIECE
    assert peak < 20_000_000


def test_a_bomb_in_a_bomb_ends_at_the_limit_too() -> None:
    inner = gzip.compress(bytes(50_000_000))
    assert inflate(CODINGS["br"](inner), "gzip, br", 1_000_000) is None


def test_what_comes_out_of_stacked_codings_counts_together() -> None:
    plain = random.Random(1).randbytes(100_000)
    body = gzip.compress(gzip.compress(plain))
    assert inflate(body, "gzip, gzip", 210_000) == plain
    assert inflate(body, "gzip, gzip", 190_000) is None


def test_more_codings_than_three_are_not_undone_at_all() -> None:
    body = gzip.compress(gzip.compress(gzip.compress(b"abc")))
    assert inflate(body, "gzip, gzip, gzip", 1_000) == b"abc"
    assert inflate(gzip.compress(body), "gzip, gzip, gzip, gzip", 1_000) is None


def test_members_without_end_are_not_all_undone() -> None:
    members = 100
    body = gzip.compress(b"x") * (members + 1)
    assert inflate(body, "gzip", members * (MEMBER_BYTES + 1) + 1) == b"x" * (members + 1)
    assert inflate(body, "gzip", members * MEMBER_BYTES) is None


def test_a_long_body_is_undone_in_slices() -> None:
    plain = random.Random(1).randbytes(3 * PIECE).hex().encode()
    assert inflate(gzip.compress(plain), "gzip", 1 << 20) == plain
    assert inflate(gzip.compress(plain) + gzip.compress(b"more"), "gzip", 1 << 20) == plain + b"more"


def test_exactly_the_limit_is_allowed_and_one_byte_more_is_not() -> None:
    assert inflate(gzip.compress(b"x" * 100), "gzip", 100) == b"x" * 100
    assert inflate(gzip.compress(b"x" * 101), "gzip", 100) is None
    assert inflate(b"x" * 101, "", 100) is None


@given(st.binary(max_size=300), st.sampled_from([*CODINGS, "gzip, br", "zstd, deflate"]), st.integers(0, 9))
def test_any_bytes_are_survived(body: bytes, coding: str, seed: int) -> None:
    undo(coding, body, seed)
