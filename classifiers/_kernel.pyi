def score(
    table: bytes | memoryview,
    letters: bytes,
    constants: bytes,
    ranked: int,
    shared: int,
    temperature: float,
    texts: list[list[str]],
    /,
) -> tuple[float, bytes, int, float, bytes]: ...
