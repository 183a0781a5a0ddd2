"""Token ids, text and chat templates of a model, without the model: what every part below and above the engines shares."""

from __future__ import annotations

from selftaught.tokens.chat import ChatTemplate
from selftaught.tokens.codec import Codec, TokenSet

__all__ = ["ChatTemplate", "Codec", "TokenSet"]
