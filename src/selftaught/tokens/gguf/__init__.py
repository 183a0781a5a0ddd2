"""GGUF files (llama.cpp, what laptop users have) as model folders.

A GGUF file holds weights, tokenizer, chat template and end tokens in one. It is turned into a folder in the Hugging
Face layout once, in the user's cache: every part of the package (engine, curation, training, export) then works as with
any other model. Quantised weights are dequantised. `header` reads the file, `config` and `vocabulary` translate what it
says, `folder` writes.
"""

from __future__ import annotations

from selftaught.tokens.gguf.folder import gguf_folder, gguf_tokenizer_folder

__all__ = ["gguf_folder", "gguf_tokenizer_folder"]
