"""Whose is a request, by its first line?"""

import pytest

from gateway.exchange import Endpoint
from gateway.wire.request_line import RequestLine, request_line


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"POST /v1/chat/completions HTTP/1.1", RequestLine("POST", Endpoint.CHAT, None, "", True)),
        (b"POST /api/v1/messages?beta=true HTTP/1.0", RequestLine("POST", Endpoint.MESSAGES, None, "beta=true", False)),
        (b"GET /v1/models HTTP/1.1", RequestLine("GET", Endpoint.MODELS, None, "", True)),
        (b"GET /v1/models/a%2Fb HTTP/1.1", RequestLine("GET", Endpoint.MODELS, "a/b", "", True)),
        (b"POST http://host:1/v1/responses HTTP/1.1", RequestLine("POST", Endpoint.RESPONSES, None, "", True)),
        (b"GET /v1beta/models/m HTTP/1.1", RequestLine("GET", Endpoint.MODELS, "m", "", True)),
        (b"GET /v1/models/llama3:8b HTTP/1.1", RequestLine("GET", Endpoint.MODELS, "llama3:8b", "", True)),
        (b"POST /v1beta/models/m:generateContent HTTP/1.1", RequestLine("POST", Endpoint.GENERATE, "m", "", True)),
        (b"POST /v1/models/m:generateContent HTTP/1.1", RequestLine("POST", Endpoint.GENERATE, "m", "", True)),
        (b"POST /v1beta/models/up/llama3:8b:streamGenerateContent?alt=sse HTTP/1.1",
         RequestLine("POST", Endpoint.GENERATE, "up/llama3:8b", "alt=sse", True, stream=True)),
        (b"POST /v1beta/models/up%2Fm%3AstreamGenerateContent HTTP/1.0",
         RequestLine("POST", Endpoint.GENERATE, "up/m", "", False, stream=True)),
        (b"POST /v1beta/models/m:countTokens HTTP/1.1",
         RequestLine("POST", Endpoint.MODELS, "m:countTokens", "", True)),
        (b"POST /v1/models/:generateContent HTTP/1.1",
         RequestLine("POST", Endpoint.MODELS, ":generateContent", "", True)),
        (b"POST /v1/audio/transcriptions HTTP/1.1", RequestLine("POST", Endpoint.TRANSCRIPTIONS, None, "", True)),
        (b"POST /api/v1/messages/count_tokens HTTP/1.1", RequestLine("POST", Endpoint.COUNT_TOKENS, None, "", True)),
        (b"POST /v2/rerank HTTP/1.1", RequestLine("POST", Endpoint.RERANK, None, "", True)),
        (b"DELETE /v1/embeddings HTTP/1.1", RequestLine("DELETE", Endpoint.EMBEDDINGS, None, "", True)),
    ],
)  # fmt: skip
def test_a_line_of_the_data_plane_is_read(line: bytes, expected: RequestLine) -> None:
    assert request_line(line) == expected


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"GET",
        b"GET /",
        b"GET / HTTP/1.1",
        b"GET /v1/modelsx HTTP/1.1",
        b"POST /v1/generateContent HTTP/1.1",
        b"POST /v1beta/chat/completions HTTP/1.1",
        b"POST /v1beta2/models/m:generateContent HTTP/1.1",
        b"POST /v1/chat%2Fcompletions HTTP/1.1",
        b"POST /v1//chat/completions HTTP/1.1",
        b"POST  /v1/chat/completions HTTP/1.1",
        b"POST /v1/chat/completions HTTP/2.0",
        b"POST /v1/chat/completions HTTP/1.1 ",
        b"POST http://host HTTP/1.1",
        b"CONNECT host:443 HTTP/1.1",
        "POST /v1/chat/completions\u00e9 HTTP/1.1".encode(),
        b"\x16\x03\x01",
    ],
)
def test_every_other_line_is_anothers(line: bytes) -> None:
    assert request_line(line) is None
