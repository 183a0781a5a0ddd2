"""Token ids, text and chat templates of a model, without its weights."""

from __future__ import annotations

from selftaught.tokens.chat import ChatTemplate
from selftaught.tokens.codec import Codec, TokenSet
from selftaught.tokens.cover import TextCodec, token_cover
from selftaught.tokens.folder import resolve_model, tokenizer_folder

__all__ = ["ChatTemplate", "Codec", "TextCodec", "TokenSet", "resolve_model", "token_cover", "tokenizer_folder"]
