"""Find where a response states its choice, and how firmly.

A statement is an announcement with a letter ("the answer is C", "C ist richtig", "我选C"), a box, or a letter on a line of its
own. Letters that are only talked about ("option A is too small") or rejected ("not B") are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from selftaught.grading.choice import vocabulary as words
from selftaught.grading.choice.text import BOX_CLOSE, BOX_OPEN, is_in_formula, is_in_name

FIRM, PLAIN, WEAK = 3, 2, 1
"""An announcement of the answer; a judgement on one option; a conclusion or a guess."""


@dataclass(frozen=True)
class Statement:
    """One statement: where it stands, how firm it is, and its letter; None when it names several ("B or C")."""

    place: int
    strength: int
    letter: str | None


_OPEN = r"[\s*_\"'“„«「『【(\[<`:：>~#|]{0,8}"
_SEPARATOR = r"[ \t*_\"'“„«»「」『』【】()（）\[\]{}<>`:：=~#|，—–→-]{0,8}(?:\n[ \t*_>#(\[\"-]{0,4}){0,2}"
_LETTER = rf"(?:{BOX_OPEN}(?P<box>[A-Z]?){BOX_CLOSE}|(?<![{words.LETTERS}0-9\\'])(?P<letter>[A-Za-z])(?![{words.LETTERS}0-9_^]))"
_NAMED = rf"(?:(?:{words.OPTION}){_SEPARATOR})?"

_ANNOUNCED = re.compile(
    rf"(?P<label>{words.ANSWER}(?:\s(?:to|of|for|in|auf|à|a|para)\s[\w' ]{{1,40}}?(?=\s(?:is|ist|est|es|é)\s))?|{words.RIGHT}[ \t]{{0,3}}{words.OPTION}|{words.OPTION}[ \t]{{0,3}}{words.RIGHT}|(?<![{words.LETTERS}]){words.RIGHT}(?=[ \t*_]{{0,4}}[:：])|{words.OPTION}(?=[ \t*_\"']{{0,4}}[:：]))"
    rf"(?P<gap>(?:{_SEPARATOR}(?:{words.LINK}|{words.FILLER}|{words.RIGHT}|{words.OPTION}|{words.ANSWER})){{0,8}}{_SEPARATOR}){_LETTER}",
    re.IGNORECASE,
)
_JUDGED = re.compile(
    rf"{_LETTER}[\s*_)\]\"'”’»」』】.]{{0,6}}(?:{words.OPTION}[ \t]{{0,3}})?(?:,[^,.;\n]{{1,40}},)?(?:[,，—–-][ \t])?[ \t]{{0,3}}(?P<gap>(?:(?:{words.LINK}|{words.FILLER})[ \t]{{0,3}}){{1,5}}|[—–-][ \t]?|(?=正|对的|對的|符合|唯一|맞|옳))"
    rf"(?P<right>(?:(?:{words.RIGHT}|{words.ANSWER}|{words.OPTION})[ \t]{{0,3}}){{1,4}})",
    re.IGNORECASE,
)
_VERB_FIRST = re.compile(
    rf"(?:ist|bleibt|is|est)\s{{1,3}}{_NAMED}[(*]{{0,3}}{_LETTER}[)*]{{0,3}}\s{{1,3}}(?:{words.RIGHT})", re.IGNORECASE
)
_ONLY = re.compile(
    rf"(?:[Oo]nly|[Nn]ur|[Ss]eule?|[Ss]ólo|[Ss]olo|[Aa]penas|只有|只)\s{{0,3}}{_NAMED}[(*]{{0,3}}{_LETTER}[)*]{{0,3}}\s?(?!if|when|in)[^\s.,;A-Z]"
)
_MARKED = re.compile(
    rf"{_LETTER}[)*\]]{{0,3}}\s?(?:[:：—–-]\s?|(?<=[)*])\s?|\s?(?=[✓✔✅]))(?:correct|right|richtig|korrekt|correcta?|correcte|corretta|正确|✓|✔|✅)(?=[\s.,;*!(]|$)",
    re.IGNORECASE,
)
_CHOSEN = re.compile(
    rf"(?:{words.CHOOSE})(?P<gap>(?:{_SEPARATOR}(?:{words.LINK}|{words.FILLER}|{words.RIGHT}|{words.OPTION}|{words.ANSWER})){{0,5}}{_SEPARATOR}){_LETTER}",
    re.IGNORECASE,
)
_NOT_BUT = re.compile(
    rf"(?:(?:not|nicht|pas|no|não|non|не)\s|不是|非)\s{{0,3}}(?:option\s|choice\s|\()?[A-Z]\)?\s?,?\s{{0,3}}(?:but|sondern|mais|sino|mas|ma|bensì|而是|а)\s{{0,3}}(?:rather\s)?{_NAMED}[(*]{{0,3}}{_LETTER}",
)
_AFTER_NOT = re.compile(
    rf"(?<![A-Za-z])[A-Z]\)?\s?(?:では?なく|じゃなく|[가이]\s?아니라|değil,?|नहीं(?:\sहै)?,?)[、,]?\s?{_NAMED}[(*]{{0,3}}{_LETTER}"
)
"""The same where the negation follows its letter."""
_CONCLUDED = re.compile(
    rf"(?:{words.CONCLUSION}|(?<![A-Za-z])[Nn]o(?=,))[ \t,:*]{{0,4}}(?:(?:{words.LINK}|{words.FILLER})[ \t]{{0,3}}){{0,2}}{_NAMED}[(*\"]{{0,3}}{_LETTER}(?=[\s*)\]\"'”.!。,;，；]{{0,4}}(?:$|\n|(?<=[.!。;；])\s|(?:{words.NOT})|,?\s(?:because|since|as|weil|car|porque|perché)\s))",
    re.IGNORECASE,
)
_INVERTED = re.compile(
    rf"(?:^|[.!?;,]\s{{0,3}}(?:(?:but|so|then|and)\s)?|\n){_LETTER}\)?\s(?:it\sis|it\smust\sbe)(?=\W|$)", re.IGNORECASE
)
_WORKS = re.compile(
    rf"{_LETTER}[)*]{{0,3}}\s(?:holds|works|fits|matches|satisfies|remains|is\s(?:what|the\sonly|best))(?![a-z])"
)
_REASONED = re.compile(
    rf"(?:^|\n)[\s*(\[]{{0,4}}{_LETTER}[)*\]]{{0,3}},?\s(?:because|since|as|weil|car|porque|perché)\s"
)
_OTHERS = (
    (_NOT_BUT, PLAIN),
    (_AFTER_NOT, PLAIN),
    (_VERB_FIRST, PLAIN),
    (_ONLY, PLAIN),
    (_MARKED, PLAIN),
    (_INVERTED, PLAIN),
    (_REASONED, PLAIN),
    (_WORKS, WEAK),
    (_CONCLUDED, WEAK),
)
_JUDGEMENTS = frozenset((_JUDGED, _MARKED, _WORKS, _VERB_FIRST))
_BOX = re.compile(f"{BOX_OPEN}(?P<box>[A-Z]?){BOX_CLOSE}")
_LINE = re.compile(
    rf"[\s>#*_$(\[\"'`-]{{0,8}}(?:(?:{words.OPTION}|{words.ANSWER})[ \t:*]{{0,4}})?[(\[*\"'`]{{0,4}}(?P<letter>[A-Za-z])[\s*_$)\]\"'`.:。!✓✔✅-]{{0,8}}",
    re.IGNORECASE,
)
_LINE_WITH_TEXT = re.compile(
    r"[\s>*_(\[-]{0,6}(?P<letter>[A-Za-z])[*_]{0,2}(?:[)\]:][*_]{0,2}|[ ][-–—](?=[ ])|\.[*_]{0,2}(?=[ \t]))[ \t]{0,4}\S"
)

_CLAUSE = re.compile(
    r"[.!?;,，。；！？\n：:]|\s[—–-]\s|(?<![A-Za-z])(?:so|but|thus|hence|therefore|then|and|because|since|aber|also|donc|mais|pero|mas|ma|quindi|portanto|whereas)(?![A-Za-z])|所以|因此|但|而"
)
_NEGATES = re.compile(
    rf"{words.latin('not never cannot none neither nor anything+but nothing+but anyone doubt doubtful hardly wrong incorrect false nicht falsche falsch pas fausse non não no не неправильный неправильно errata falsa falso incorrecta incorreta errada kein n[’]t')}|n't\b|不|错误|錯誤|ない|아니",
    re.IGNORECASE,
)
_SUPPOSES = re.compile(words.SUPPOSE, re.IGNORECASE)
_CORRECTS = re.compile(words.CORRECTION, re.IGNORECASE)
_REJECTED_BEFORE = re.compile(
    rf"(?:{words.NOT})(?:[\s*_\"'“(:\[]{{0,5}}(?:(?:{words.OPTION}|{words.ANSWER}|the|all|both|any|of|in|option|choices?|answers?|options?|die|la|le|les|las|los|o|a)(?![A-Za-z])|[A-Z](?![A-Za-z])|,|、|and|or|und|et|y|e|ou|和|或|与|nor|n?either))*[\s*_\"'“(:\[]{{0,5}}$",
    re.IGNORECASE,
)
_ANOTHERS = re.compile(
    r"(?:\b(?:is|are|was|were|be|ist|sind|est|sont|es|son|é|são)\s|都|是|均|[A-Z]项?)\|(?:wrong|incorrect|false|falsch|fausse|faux|falsa|falso|incorrecta|errada|错误|錯誤)"
    r"|\|(?:unlike|compared|contrary|as\sopposed|besides|other\sthan|apart|without)[^A-Z]*[A-Z]\)?,\s$",
    re.IGNORECASE,
)
"""What is rejected is another letter: "A is wrong and B …", "unlike A, B …". The bar stands before the word that rejects."""
_NEXT_LETTER = rf"[\s*(\"']{{0,3}}(?:{words.OPTION}\s)?[A-Z](?![{words.LETTERS}0-9'])[\s*)\"']{{0,3}}"
_LISTED_AND_REJECTED = re.compile(
    rf"[*)\"'\s]{{0,3}}(?:(?:[,、]{_NEXT_LETTER}){{0,8}}(?:、|,?{words.OR}){_NEXT_LETTER})?{words.WRONG_AFTER}"
)
"""After the first of several letters that are rejected together: "A, B and D are wrong"."""
_JOINED_BEFORE = re.compile(
    rf"(?<![{words.LETTERS}0-9'])(?P<other>[A-Z])[)*\]\"]{{0,3}},?\s?(?:{words.OR})\s{{0,3}}(?:(?:{words.OPTION})\s{{0,3}})?[(*\[\"]{{0,3}}$",
    re.IGNORECASE,
)
"""Before a letter that is judged together with another: "A and B are correct"."""
_DENIED_BOX = re.compile(
    r"(?:\b(?:not|instead of|rather than|nicht|pas|no|não|non|unlike)|n['’]t|不是|而非|≠)[\s$(\"'*]{0,6}$",
    re.IGNORECASE,
)
_HEDGE = re.compile(
    rf"[\s*_)\]\"'”.]{{0,4}}(?:\(\s?)?{words.OR}\s{{0,3}}(?:{words.FILLER}\s{{0,2}})?(?:{words.OPTION}\s{{0,3}})?[(*\[\"{BOX_OPEN}]{{0,3}}(?P<other>[A-Z])(?![{words.LETTERS}0-9'])",
    re.IGNORECASE,
)
_LISTED = re.compile(rf"\s?[,、，]\s{{0,2}}[(*]{{0,2}}[A-Z][)*]{{0,2}}(?=\s?(?:[,、，.。;\n]|$|{words.OR}\s))")
_EITHER = re.compile(r"(?:either|entweder|between|soit|zwischen|entre)\s{1,3}(?:option\s)?[(*]{0,2}$", re.IGNORECASE)
_FOLLOWS_ARTICLE_A = re.compile(
    r"\s+(?:because|since|as|is|was|and|or|for|which|with|by|in|due|but|here|then|gives|given|from|only|not|rather|instead|"
    r"weil|denn|da|und|nicht|car|parce|puisque|porque|pues|ya|perch[éè]|poich[éè]|pois|потому|так)(?![A-Za-z])"
)
_LIMITED = re.compile(r"\s?(?:only|if|when|provided|unless)(?![A-Za-z])", re.IGNORECASE)
_CONDITIONAL = re.compile(r"\b(?:would|serait|sería|seria|sarebbe|wäre)\b", re.IGNORECASE)
_CLOSED = re.compile(r"[*_)\]\"'”’»」』】`.:]|\s*$|\s*\n")
_LABELS_I = re.compile(r"\s(?:is|has|holds|works|fits|matches|satisfies|seems|gives|follows)(?![a-z])")
_BEFORE_I = re.compile(
    r"(?<![A-Za-z])(?:option|choice|answer|letter|opción|opção|alternative|вариант)\s[(*\"]{0,2}$", re.IGNORECASE
)
"""Round "I" as a letter: the pronoun never stands so; "statement I" and "only I" are numbers of statements."""
_LOWER_END = re.compile(r"\s{0,2}(?:$|\n|[).\]:*_\"'`](?![a-z]))")


class Finder:
    """Statements of one prepared text; letters above ``last`` are none."""

    def __init__(self, text: str, last: str) -> None:
        self.text = text
        self.last = last

    def statements(self) -> Iterator[Statement]:
        """All statements, in no order."""
        for match in _BOX.finditer(self.text):
            denied = _DENIED_BOX.search(self.text[max(0, match.start() - 24) : match.start()])
            if not denied and not self.is_supposed(match.start()):
                yield Statement(match.start(), FIRM, match["box"] or None)
        for match in _ANNOUNCED.finditer(self.text):
            if self._announces(match):
                yield from self._statement(match, self._strength_of_announcement(match))
        for match in _JUDGED.finditer(self.text):
            names_answer = re.search(rf"{words.ANSWER}|{words.OPTION}", match["right"], re.IGNORECASE)
            says_right = re.search(rf"{words.RIGHT}|{words.ANSWER}", match["right"], re.IGNORECASE)
            if says_right and not self.is_denied(match.start()):
                strength = FIRM if names_answer else PLAIN
                limited = _CONDITIONAL.search(match["gap"]) or _LIMITED.match(self.text, match.end())
                limited = limited or re.search(r"\w\s+only\s*$", match["right"], re.IGNORECASE)
                yield from self._statement(match, WEAK if limited else strength)
        for match in _CHOSEN.finditer(self.text):
            if not self.is_negated(match.start()) and not match["gap"].count("\n"):
                own = re.search(
                    r"(?:\bI|\bwe|ich|je|yo|eu|\bio|я|我)(?:'ll|'d|\s\w+)?\s$|[故应因所]",
                    self.text[: match.start()][-12:] + match.group()[:1],
                )
                yield from self._statement(match, FIRM if own else PLAIN)
        for pattern, strength in _OTHERS:
            for match in pattern.finditer(self.text):
                yield from self._statement(match, strength)
        yield from self._lines()

    def _statement(self, match: re.Match[str], strength: int) -> Iterator[Statement]:
        """The statement of ``match``, unless its letter is none, is supposed or rejected."""
        if match["box"] is not None:
            if not self.is_supposed(match.start()):
                yield Statement(match.start("box"), strength, match["box"] or None)
            return
        place = match.start("letter")
        letter = self.letter_at(place, announced=True)
        if letter is None or self.is_supposed(match.start()) or self.text[place + 1 : place + 2] == "?":
            return
        if _LISTED_AND_REJECTED.match(self.text, place + 1) and match.re is not _JUDGED:
            return
        if self._is_corrected(match.start()):
            strength = FIRM
        joined = match.re in _JUDGEMENTS and self._is_joined(match.start("letter"))
        yield Statement(place, strength, None if joined or self.is_hedged(place) else letter)

    def _is_joined(self, place: int) -> bool:
        """The letter at ``place`` is judged together with one before it that nobody rejects: "A and B are correct"."""
        before = self.text[max(0, place - 60) : place]
        joined = _JOINED_BEFORE.search(before)
        return bool(joined and self._is_option(joined["other"]) and not _REJECTED_BEFORE.search(before))

    def _announces(self, match: re.Match[str]) -> bool:
        """The gap between label and letter holds a verb or a mark, and nobody denies the whole."""
        if self.is_negated(match.start()):
            return False
        gap = match["gap"]
        return bool(
            re.search(r"[:：=→>|\n(（\[*\"“「【—–`-]", gap) or re.search(words.LINK, gap, re.IGNORECASE)
            or match["box"] is not None or re.match("[答正解정답]|उत्तर|উত্তর|cevap", match["label"], re.IGNORECASE)
        )  # fmt: skip

    def _strength_of_announcement(self, match: re.Match[str]) -> int:
        return WEAK if _CONDITIONAL.search(match["gap"]) else FIRM

    def _clause_before(self, place: int) -> str:
        start = max(0, place - 80)
        before = self.text[start:place]
        ends = [match.end() for match in _CLAUSE.finditer(before)]
        return before[ends[-1] :] if ends else before

    def is_negated(self, place: int) -> bool:
        """A word of negation stands before ``place`` in its clause."""
        return bool(_NEGATES.search(self._clause_before(place).replace("no doubt", "").replace("without doubt", "")))

    def is_supposed(self, place: int) -> bool:
        """In the sentence before ``place``: "if", "suppose", "some people would say"."""
        before = self.text[max(0, place - 120) : place]
        sentence = re.split(r"[.!?;。！？；\n]|(?<![A-Za-z])(?:so|but|thus|hence|therefore|then)(?![A-Za-z])", before)[
            -1
        ]
        return bool(_SUPPOSES.search(sentence))

    def is_denied(self, place: int) -> bool:
        """The letter at ``place`` is negated or named in order to be rejected: "nor B is correct"."""
        return self.is_negated(place) or self._is_rejected_before(place)

    def _is_rejected_before(self, place: int) -> bool:
        """Words before ``place`` reject it: "eliminate A, B and"; not those that end what is said of another letter."""
        before = self.text[max(0, place - 60) : place]
        rejected = _REJECTED_BEFORE.search(before)
        return bool(rejected and not _ANOTHERS.search(before[: rejected.start()] + "|" + rejected[0]))

    def _is_corrected(self, place: int) -> bool:
        return bool(_CORRECTS.search(self.text[max(0, place - 60) : place]))

    def letter_at(self, place: int, *, announced: bool) -> str | None:
        """The option that the letter at ``place`` names, None for an article, a pronoun, a formula, another word."""
        letter, rest = self.text[place], self.text[place + 1 : place + 60]
        if not "A" <= letter.upper() <= self.last or re.match(r"-[A-Za-z]", rest):
            return None
        closed = bool(_CLOSED.match(rest)) or self.text[max(0, place - 1) : place] in ("(", "[", "*", '"')
        if letter.islower():
            is_closed = bool(_LOWER_END.match(rest)) and (announced or rest[:1] in ")].")
            return letter.upper() if is_closed else None
        if is_in_formula(self.text, place) or is_in_name(self.text, place):
            return None
        if letter == "A" and re.match(r"\s+[a-z]", rest) and not closed and not _FOLLOWS_ARTICLE_A.match(rest):
            return None
        if letter == "I" and _LABELS_I.match(rest) and _BEFORE_I.search(self.text[max(0, place - 16) : place]):
            return letter
        if letter == "I" and not announced and not closed or letter == "I" and re.match(r"\s+[a-z]|'|,\s[a-z]", rest):
            return None
        return letter

    def is_hedged(self, place: int) -> bool:
        """Another letter is offered beside the one at ``place``: "B or C", "B, D", "either B …"."""
        after = self.text[place + 1 : place + 60]
        hedge = _HEDGE.match(after)
        if hedge and self._is_option(hedge["other"]) and hedge["other"] != self.text[place]:
            rest = after[hedge.end() :]
            return not re.match(r"\s?(?:is|are|was|has|would|fails?|violates?|ist|est|es|é|è)\s", rest)
        return bool(_LISTED.match(after) or _EITHER.search(self.text[max(0, place - 20) : place]))

    def _is_option(self, letter: str) -> bool:
        return letter.isupper() and "A" <= letter <= self.last

    def is_rejected(self, place: int) -> bool:
        """The letter at ``place`` is named in order to be rejected."""
        return self._is_rejected_before(place) or bool(_LISTED_AND_REJECTED.match(self.text, place + 1))

    def _lines(self) -> Iterator[Statement]:
        """A letter alone on the last or the first line; a last line of letter and words where no other line is like it."""
        lines = [line for line in self.text.split("\n") if line.strip()]
        if not lines:
            return
        place = self.text.rfind(lines[-1])
        alone = _LINE.fullmatch(lines[-1])
        if alone and "A" <= alone["letter"].upper() <= self.last:
            yield Statement(place, FIRM, alone["letter"].upper())
            return
        first = _LINE.fullmatch(lines[0])
        if first and "A" <= first["letter"].upper() <= self.last:
            yield Statement(0, PLAIN, first["letter"].upper())
        labelled = [match["letter"].upper() for line in lines[-40:] if (match := _LINE_WITH_TEXT.match(line))]
        last = _LINE_WITH_TEXT.match(lines[-1]) or (_LINE_WITH_TEXT.match(lines[0]) if len(labelled) == 1 else None)
        if (
            last
            and labelled[-1:] == ["A"]
            and re.search(r"(?<=[\s(*])B[).:][*\s]", last.string[last.end("letter") + 1 :])
        ):
            return  # the options themselves, in one line
        if last and len(labelled) == 1 and "A" <= labelled[0] <= self.last and len(last.string) < 300:
            letter_place = self.text.find(last.string) + last.start("letter")
            if not self.is_rejected(letter_place):
                yield Statement(place, PLAIN, labelled[0])
