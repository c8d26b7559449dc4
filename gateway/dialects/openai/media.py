"""Images, sounds and files as both of OpenAI's dialects write them: data URLs, plain base64 with a format, or an id."""

import mimetypes
import re

from gateway.dialects.fields import Fields
from gateway.dialects.neutral import Media, MediaKind
from gateway.errors import InvalidRequest

_DATA_URL = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w.+-]+=[^;,]*)*;base64,", re.IGNORECASE)
_FETCHED = ("https://", "http://")
_AUDIO_MIMES = {
    "wav": "audio/wav", "mp3": "audio/mpeg", "flac": "audio/flac", "opus": "audio/opus", "ogg": "audio/ogg",
    "m4a": "audio/mp4", "webm": "audio/webm", "aac": "audio/aac", "pcm16": "audio/pcm",
}  # fmt: skip
_AUDIO_FORMATS = {
    **{mime: name for name, mime in _AUDIO_MIMES.items()},
    "audio/mp3": "mp3", "audio/x-wav": "wav", "audio/wave": "wav",
}  # fmt: skip
_DETAILS = ("auto", "low", "high", "original")


def data_url(mime: str, data: str) -> str:
    return f"data:{mime};base64,{data}"


def split_data_url(url: str) -> tuple[str, str] | None:
    """(mime, base64), or None for what is no data URL with a mime type in base64."""
    head = _DATA_URL.match(url)
    return (head[1].lower(), url[head.end() :]) if head else None


def read_image(fields: Fields, url_name: str) -> Media:
    """An image whose data or address is in the field `url_name`; `detail` and `file_id` stand beside it."""
    detail = fields.one_of("detail", _DETAILS)
    if (file_id := fields.text("file_id")) is not None and not fields.has(url_name):
        return Media(MediaKind.IMAGE, file_id=file_id, detail=detail)
    url = fields.need_text(url_name)
    if (split := split_data_url(url)) is not None:
        return Media(MediaKind.IMAGE, mime=split[0], data=split[1], detail=detail)
    if not url.lower().startswith(_FETCHED):
        fields.refuse(url_name, "must be an http(s) address or a data URL with a mime type, in base64.")
    return Media(MediaKind.IMAGE, url=url, detail=detail)


def read_audio(audio: Fields) -> Media:
    return Media(
        MediaKind.AUDIO, mime=_AUDIO_MIMES[audio.need_one_of("format", _AUDIO_MIMES)], data=audio.need_text("data")
    )


def read_file(fields: Fields) -> Media:
    """`file_data` is a data URL, or plain base64 whose mime type the file's name tells."""
    name = fields.text("filename")
    given = [field for field in ("file_data", "file_url", "file_id") if fields.has(field)]
    if len(given) != 1:
        fields.refuse("", "must have one of file_data, file_url and file_id.")
    if given[0] == "file_id":
        return Media(MediaKind.FILE, file_id=fields.need_text("file_id"), name=name)
    if given[0] == "file_url":
        return Media(MediaKind.FILE, url=fields.need_text("file_url"), name=name)
    data = fields.need_text("file_data")
    if data[:5].lower() == "data:":
        split = split_data_url(data)
        if split is None:
            fields.refuse("file_data", "must be a data URL with a mime type, in base64.")
        return Media(MediaKind.FILE, mime=split[0], data=split[1], name=name)
    mime = mimetypes.guess_type(name)[0] if name else None
    return Media(MediaKind.FILE, mime=mime or "application/pdf", data=data, name=name)


def image_url(media: Media) -> str | None:
    """The address or the data URL; None for a file at the provider."""
    return data_url(media.mime or "image/png", media.data) if media.data is not None else media.url


def audio_format(media: Media, where: str) -> str:
    found = _AUDIO_FORMATS.get(media.mime or "")
    if media.data is None or found is None:
        raise InvalidRequest(f"'{where}': this model's provider takes audio as data, in wav or mp3.", param=where)
    return found
