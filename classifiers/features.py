"""Text to hashed features: words, word pairs and five-letter windows, without a Python loop over characters.

The one definition for training and for serving. Hashes are polynomials modulo 2**64 over code points, read off one
running sum: the hash of any span is a subtraction and a multiplication. Changing anything here orphans the artifacts;
`REVISION` must change with it.
"""

import unicodedata
from array import array
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from classifiers.normalise import BOUNDARY, normalise

REVISION = "words1-2+chars5/3"
BITS = 17
SEGMENT = 1024
"""Characters scored as one piece: an attack is not diluted by what surrounds it further away than this."""
HEAD, TAIL = 3 * SEGMENT, SEGMENT
"""What is read of a long text: its beginning, and its end, where overrides like to hide."""
MAX_SEGMENTS = 12
_MAX_CODES = MAX_SEGMENTS * (SEGMENT + 1) + 3

Ids = NDArray[np.intp]
_U64 = NDArray[np.uint64]

_BASE = 0x9E3779B97F4A7C15
_SHIFT = np.uint64(64 - BITS)
_FIRST, _PAIR = 0xD6E8FEB86659FD93, np.uint64(0xA0761D6478BD642F)
_ROW = np.uint32((1 << BITS) - 1)
_SEPARATOR, _LETTER, _SINGLE = 0, 1, 2
_KIND_OF = {"L": _LETTER, "M": _LETTER, "N": _LETTER, "Z": _SEPARATOR, "C": _SEPARATOR, "P": _SINGLE, "S": _SINGLE}


def _powers(first: int, base: int) -> _U64:
    out = np.full(_MAX_CODES, base, dtype=np.uint64)
    out[0] = first
    return np.multiply.accumulate(out)


_POWER = _powers(_FIRST, _BASE)
_INVERSE = _powers(1, pow(_BASE, -1, 1 << 64))


def _code_tables() -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """For each code point of the basic plane its kind, and the code it hashes as.

    Letters make words; a sign, or a letter of a script without spaces, is a word of its own. Digits share one code:
    a number's shape tells more than its value. So do all separators. What lies beyond the plane reads as its last.
    """
    codes = np.arange(0x10000)
    names = list(map(unicodedata.category, map(chr, range(0x10000))))
    kind = np.array([_KIND_OF[name[0]] for name in names], dtype=np.uint8)
    unspaced = (codes >= 0x2E80) & (codes < 0xA000) | (codes >= 0xE00) & (codes < 0xF00)
    kind[(unspaced | (codes >= 0x1000) & (codes < 0x10A0)) & (kind == _LETTER)] = _SINGLE
    kind[ord(BOUNDARY)] = _SINGLE
    kind[ord("'")] = _LETTER
    kind[-1] = _SINGLE
    same_as = np.where(kind == _SEPARATOR, ord(" "), codes).astype(np.uint16)
    same_as[[name == "Nd" for name in names]] = ord("0")
    return kind, same_as


_KIND, _CODE = _code_tables()
LETTERS = (_KIND.astype(np.uint32) << np.uint32(16) | _CODE).tobytes()
"""Kind and code of each code point of the basic plane in one number, for the compiled loop."""
_ASCII_KIND, _ASCII_CODE = _KIND[:256].tobytes(), _CODE[:256].astype(np.uint8).tobytes()


@dataclass(frozen=True, slots=True)
class Rows:
    """Table rows of several segments: those of segment s, each once, are `ids[edges[s] : edges[s + 1]]`."""

    ids: Ids
    edges: list[int]


def segments(text: str) -> list[str]:
    """What is read of `text`, normalised, cut near spaces into pieces of at most SEGMENT characters."""
    if len(text) > HEAD + TAIL:
        return [*_pieces(normalise(text[:HEAD])[:HEAD]), *_pieces(normalise(text[-TAIL:])[-TAIL:])]
    text = normalise(text)
    if len(text) > HEAD + TAIL:
        return [*_pieces(text[:HEAD]), *_pieces(text[-TAIL:])]
    return _pieces(text)


def _pieces(text: str) -> list[str]:
    pieces = []
    while len(text) > SEGMENT:
        cut = text.rfind(" ", SEGMENT - 64, SEGMENT)
        cut = cut if cut > 0 else SEGMENT
        pieces.append(text[:cut])
        text = text[cut:]
    return [*pieces, text]


def rows(segments: list[str]) -> Rows:
    """The features of each normalised segment (at most MAX_SEGMENTS of SEGMENT), in one pass over all of them.

    A feature counts once a segment: repeating a word makes it no likelier to mean what it means.
    """
    kinds, points, packed = read(segments)
    kind = np.frombuffer(kinds, dtype=np.uint8) if isinstance(kinds, bytes) else kinds
    codes = np.frombuffer(points, dtype=np.uint8) if isinstance(points, bytes) else points
    letter = kind == _LETTER
    is_letter = letter.view(np.uint8)
    sums = np.zeros(len(codes) + 1, dtype=np.uint64)
    np.add.accumulate(codes * _POWER[: len(codes)], out=sums[1:])
    before = (kind[1:] > is_letter[:-1]).nonzero()[0]
    last = (kind[:-1] > is_letter[1:]).nonzero()[0]
    words = (sums[1:][last] - sums[1:][before]) * _INVERSE[1:][before]
    inside = (letter[1:-3] & letter[2:-2] & letter[3:-1]).nonzero()[0]
    windows = (sums[5:][inside] - sums[inside]) * _INVERSE[inside]
    pairs = words[:-1] * _PAIR + words[1:]
    ids = (np.concatenate((words[:-1], pairs, windows)) >> _SHIFT).astype(np.uint32)
    if len(segments) == 1:
        ids = _distinct(ids)
        return Rows(ids.astype(np.intp), [0, len(ids)])
    bounds = np.frombuffer(packed, dtype=np.int64)
    keys = _distinct(ids | _owners(bounds, before, inside) << np.uint32(BITS))
    edges = np.searchsorted(keys, np.arange(len(segments) + 1, dtype=np.uint32) << np.uint32(BITS))
    return Rows((keys & _ROW).astype(np.intp), edges.tolist())


def _distinct(keys: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """`keys`, sorted in place, without repetitions: `np.unique` without its overhead."""
    keys.sort()
    keep = np.empty(len(keys), dtype=np.bool_)
    keep[:1] = True
    np.not_equal(keys[1:], keys[:-1], out=keep[1:])
    return keys[keep]


def _owners(bounds: NDArray[np.int64], before: Ids, inside: Ids) -> NDArray[np.uint32]:
    """The segment of each word, pair and window, from where each segment's boundary stands."""
    numbers = np.arange(len(bounds) - 1, dtype=np.uint32)
    of_words = np.repeat(numbers, np.diff(np.searchsorted(before, bounds - 1)))
    of_windows = np.repeat(numbers, np.diff(np.searchsorted(inside, bounds)))
    return np.concatenate((of_words, of_words, of_windows))


Kinds = NDArray[np.uint8] | bytes
Codes = NDArray[np.uint8] | NDArray[np.uint16] | bytes


def read(segments: list[str]) -> tuple[Kinds, Codes, bytes]:
    """Kinds and codes of the segments in one row, each opened by BOUNDARY, the last one also closed by it; and where
    those boundaries stand, as packed 64-bit integers."""
    joined = f" {BOUNDARY}{BOUNDARY.join(segments)}{BOUNDARY} "
    bounds = array("q", accumulate((len(segment) + 1 for segment in segments), initial=1)).tobytes()
    if joined.isascii():
        raw = joined.encode("ascii")
        return raw.translate(_ASCII_KIND), raw.translate(_ASCII_CODE), bounds
    points = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    return _KIND.take(points, mode="clip"), _CODE.take(points, mode="clip"), bounds
