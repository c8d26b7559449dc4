"""Images, sounds and files in OpenAI's two dialects."""

from typing import Any

import pytest

from gateway.dialects.fields import asked
from gateway.dialects.neutral import Media, MediaKind
from gateway.dialects.openai.media import (
    audio_format,
    data_url,
    image_url,
    read_audio,
    read_file,
    read_image,
    split_data_url,
)
from gateway.errors import InvalidRequest


def test_a_data_url_comes_apart_and_together() -> None:
    assert split_data_url(data_url("image/png", "AAAA")) == ("image/png", "AAAA")
    assert split_data_url("DATA:image/PNG;charset=utf-8;base64,AAAA") == ("image/png", "AAAA")


@pytest.mark.parametrize("url", ["data:,hello", "data:image/png,AAAA", "data:;base64,AAAA", "https://x.test/a.png", ""])
def test_what_is_no_data_url_with_a_type_in_base64_is_none(url: str) -> None:
    assert split_data_url(url) is None


@pytest.mark.parametrize(
    ("part", "media"),
    [
        ({"url": "https://x.test/a", "detail": "high"}, Media(MediaKind.IMAGE, url="https://x.test/a", detail="high")),
        ({"url": "data:image/gif;base64,R0"}, Media(MediaKind.IMAGE, "image/gif", "R0")),
        ({"file_id": "f-1"}, Media(MediaKind.IMAGE, file_id="f-1")),
    ],
)
def test_an_image_is_read(part: Any, media: Media) -> None:
    assert read_image(asked(part), "url") == media


@pytest.mark.parametrize("url", ["file:///etc/passwd", "data:image/png,AAAA", "ftp://x.test/a", "AAAA"])
def test_an_image_from_elsewhere_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_image(asked({"url": url}), "url")
    assert caught.value.param == "url"


@pytest.mark.parametrize(
    ("part", "media"),
    [
        ({"file_id": "f"}, Media(MediaKind.FILE, file_id="f")),
        ({"file_url": "https://x.test/a"}, Media(MediaKind.FILE, url="https://x.test/a")),
        ({"file_data": "AAAA"}, Media(MediaKind.FILE, "application/pdf", "AAAA")),
        ({"file_data": "AAAA", "filename": "a.txt"}, Media(MediaKind.FILE, "text/plain", "AAAA", name="a.txt")),
        ({"file_data": "data:text/csv;base64,AAAA"}, Media(MediaKind.FILE, "text/csv", "AAAA")),
    ],
)
def test_a_file_is_read(part: Any, media: Media) -> None:
    assert read_file(asked(part)) == media


@pytest.mark.parametrize("part", [{}, {"file_id": "f", "file_data": "AAAA"}, {"file_data": "data:,x"}])
def test_a_file_that_is_nowhere_or_in_two_places_is_refused(part: Any) -> None:
    with pytest.raises(InvalidRequest):
        read_file(asked(part))


@pytest.mark.parametrize("name", ["wav", "mp3", "flac", "pcm16"])
def test_a_sounds_format_comes_back(name: str) -> None:
    assert audio_format(read_audio(asked({"data": "AAAA", "format": name})), "x") == name


def test_a_sound_of_another_kind_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="wav or mp3"):
        audio_format(Media(MediaKind.AUDIO, "audio/midi", "AAAA"), "x")
    assert audio_format(Media(MediaKind.AUDIO, "audio/x-wav", "AAAA"), "x") == "wav"


def test_an_image_at_the_provider_has_no_url() -> None:
    assert image_url(Media(MediaKind.IMAGE, file_id="f")) is None
    assert image_url(Media(MediaKind.IMAGE, "image/gif", "R0")) == "data:image/gif;base64,R0"
