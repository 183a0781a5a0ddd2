"""What a hint is: its words by language, and what stands after them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")


class Strict(BaseModel):
    """Unknown keys are refused, so that a typing error is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class HintFunction(Strict):
    """What a hint is for, and the ways to say it."""

    purpose: str
    en: list[str] = Field(min_length=1)
    zh: list[str] = Field(default_factory=list)
    opens: Literal["python", "none"] = "python"
    """``python`` puts the library's fence after the words."""
    template: bool = False
    """The debug hint: the words are followed by the template and the samples."""

    def paraphrases(self, language: Language) -> list[str]:
        """In ``language``, or in English if there are none."""
        return (self.zh if language == "zh" else self.en) or self.en
