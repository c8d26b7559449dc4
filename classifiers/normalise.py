"""One spelling for many: what a reader sees as the same text hashes to the same features.

NFKC, casefold, and the removal of characters that show nothing (zero-width and bidi controls) and of two ligatures
that NFKC would write out as whole phrases: without them it grows a text sixfold at most. ASCII text, nearly all
traffic, takes a path without any Unicode work.
"""

import re
import unicodedata

BOUNDARY = "\x01"
"""Set around every segment by the feature pass: never allowed in from outside."""

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufdfa\ufdfb\ufe00-\ufe0f\ufeff"
    "\U000e0000-\U000e0fff]+"
)
_TAGS = re.compile("[\U000e0020-\U000e007e]")


def normalise(text: str) -> str:
    """`text` in its comparable spelling. Never raises; the cost grows with the length, so cut first."""
    if text.isascii():
        return text.lower().replace(BOUNDARY, " ")
    text = _TAGS.sub(_as_ascii, text)
    text = unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)).casefold()
    return text.replace(BOUNDARY, " ")


def _as_ascii(tag: re.Match[str]) -> str:
    """A tag character is an invisible copy of an ASCII one: models read it, so we do."""
    return chr(ord(tag.group()) - 0xE0000)
