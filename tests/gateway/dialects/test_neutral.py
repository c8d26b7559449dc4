"""The neutral form: what its one function gives."""

from gateway.dialects.neutral import Decline, Media, MediaKind, Reasoning, Text, as_text


def test_the_text_of_parts_is_what_was_said_and_nothing_else() -> None:
    parts = [Text("a"), Reasoning("thought"), Media(MediaKind.IMAGE, url="https://x"), Decline("no"), Text("b")]
    assert as_text(parts) == "ab"
    assert as_text([]) == ""
