"""The words by which a choice is stated, rejected or hedged, in the languages that models answer in.

Each constant is the source of a regular expression. Words of spaced scripts are matched as whole words (``latin``); those of
Chinese, Japanese, Korean and Thai stand anywhere, since nothing separates them from what follows.
"""

from __future__ import annotations

LETTERS = "A-Za-zÀ-ÖØ-öø-ÿĀ-žΑ-ωА-яЁёІіЇї"
"""Characters that make a letter beside them part of a word."""


def latin(*groups: str) -> str:
    """Whole words of spaced scripts: ``latin("ist lautet", "est")``; ``+`` stands for a space inside one expression."""
    words = sorted({word for group in groups for word in group.split()}, key=lambda word: (-len(word), word))
    # A single letter is a word of its language in lower case only: "A" would be an option.
    alternatives = "|".join(f"(?-i:{word})" if len(word) == 1 else word.replace("+", r"\s{1,3}") for word in words)
    return rf"(?<![{LETTERS}0-9])(?:{alternatives})(?![{LETTERS}])"


ANSWER = (
    "(?:"
    + latin(
        "answers? ans final+answer",
        "antwort lösung loesung antwoord svar svaret vastaus",
        "réponse reponse respuesta resposta risposta răspuns răspunsul gabarito",
        "ответ відповідь отговор odpowiedź odpověď odpoveď válasz απάντηση",
        "cevap cevabı yanıt jawaban jawabannya đáp+án",
        "الإجابة الجواب الاجابة پاسخ התשובה תשובה उत्तर উত্তর",
    )
    + r"|答案|答え|正解|解答|正答|정답|답|คำตอบ)"
)
"""A noun that announces the answer: what follows it is a statement."""

OPTION = (
    "(?:"
    + latin(
        "option choice letter selection statement alternative solution conclusion one",
        "aussage auswahl buchstabe opción opcion alternativa inciso opção opcao letra item",
        "choix lettre proposition opzione lettera вариант варіант буква seçenek şık pilihan optie",
    )
    + r"|选项|選項|選択肢|보기)"
)
"""A noun that names an option. It announces the answer only beside a word of ``RIGHT`` or a colon."""

RIGHT = (
    "(?:"
    + latin(
        "correct right true best better final valid only accurate appropriate chosen selected intended",
        "richtig richtige richtigen korrekt korrekte wahr beste einzige stimmt zutreffend",
        "correcte bonne juste exacte vraie correcta correcto verdadera única mejor",
        "correta correto certa certo verdadeira única corretta corretto giusta giusto esatta vera unica",
        "правильный правильная правильно верный верная верно верен правильна prawidłowa poprawna správná correct juist juiste goed",
        "doğru rätt riktig riktiga rigtige benar đúng corectă helyes σωστή",
    )
    + r"|正确|正確|正しい|正解|唯一|符合|对的|對的|맞|옳|정확|ถูก)"
)
"""Says of an option that it is the one."""

LINK = (
    "(?:"
    + latin(
        "is was are be being seems+to+be seems appears+to+be looks must should will has+to to+be would equals",
        "ist sind lautet wäre est sera serait es será sería seria é è sarà sarebbe jest to är er olur on je là adalah este είναι это является будет є هو هي है",
    )
    + r"|是|应该是|應該是|应该选|应该为|应为|應為|应选|应是|为|為|选择|选|選|は|が|은|는|이|가|คือ)"
)
"""The verb between an announcement and its letter."""

FILLER = (
    "(?:"
    + latin(
        "the that of then therefore thus hence indeed simply just clearly obviously definitely certainly probably likely most again a an by as given here fully completely entirely absolutely complete and",
        "die der das den daher also somit folglich damit eindeutig wohl nämlich la le les l l[’'] donc bien celle de el los por+lo+tanto entonces",
        "a o e portanto então logo il lo quindi dunque perciò under под буквой значит поэтому het de dus",
    )
    + r"|就|即|便|应该|應該|选项|選項|最终|最後|です)"
)
"""Words without a meaning of their own between an announcement and its letter."""

CHOOSE = (
    latin(
        "choose chose pick picked select selected go+with going+with went+with opt+for settle+on vote+for guess say mark tick circle",
        "wähle nehme choisis choisirais elijo escojo selecciono escolho marco scelgo выбираю kies",
    )
    + r"|(?:故|应|應|因此|所以|可)?(?:选择|选出|选(?!项)|選(?!項|択)|選ぶ|選びます)"
)
"""A verb by which a letter is chosen."""

NOT = (
    "(?:"
    + latin(
        "not never neither nor no none cannot can[’']t isn[’']t aren[’']t wasn[’']t don[’']t doesn[’']t didn[’']t won[’']t wouldn[’']t shouldn[’']t without unlike",
        "except anything+but rather+than instead+of other+than apart+from as+opposed+to compared+to+option versus vs",
        "eliminate[sd]? eliminating rule[sd]?+out ruling+out discard(?:s|ed|ing)? reject(?:s|ed|ing)? exclud(?:e|es|ed|ing) dismiss(?:es|ed|ing)? cross(?:es|ed|ing)?+out avoid",
        "wrong incorrect false against doubt",
        "nicht kein keine weder noch statt anstatt außer ausschließen falsch falsche",
        "pas ni sauf éliminer éliminons exclure exclut écarter fausse faux",
        "ni descarto descartar descartamos eliminar eliminamos excluir excluimos salvo falsa falso incorrecta",
        "não nem eliminamos exceto errada incorreta non né scartare escludere escludiamo tranne errata sbagliata",
        "не ни кроме исключаем исключить неверно niet geen inte ikke nie değil bukan không",
    )
    + r"|不|非|排除|除了|错误|錯誤|淘汰|없|아니|제외|ไม่)"
)
"""Before a letter, in the same clause: that letter is not chosen."""

WRONG_AFTER = (
    r"(?:[\s*_)\]\"'”’」]{0,6}(?:"
    + latin("option choice statement answer also both are is was")
    + r"|选项|選項|项|項|も|は|은|는|이|가|是|也|都){0,1}[\s*_]{0,3}){0,2}(?:"
    + latin(
        "wrong incorrect false invalid not fails? failed violates? contradicts? ruled eliminated rejected excluded out impossible ignores? lacks? cannot can[’']t isn[’']t doesn[’']t wouldn[’']t too",
        "ist+falsch sind+falsch falsch ist+nicht nicht scheidet entfällt ist+ausgeschlossen est+fausse est+faux est+incorrecte n[’']est ne",
        "es+incorrecta es+falsa no+es no está+equivocada está+errada é+falsa é+incorreta não è+errata è+falsa è+sbagliata non",
        "неверно неверен неправильно неправильный неправилен ошибочен не",
    )
    + r"|不|错|錯|有误|有誤|排除|間違|誤|正しくない|では?な|ではあり|じゃな|違|틀|아니|아닙|아닌|오답|잘못|değil|नहीं|নয়)"
)
"""After a letter: that letter is rejected."""

OR = (
    "(?:"
    + latin("or and oder und ou et o y e u и или או or+maybe or+possibly or+perhaps and/or as+well+as")
    + r"|[/&、+]|或者|或是|还是|還是|それとも|아니면|或|和|与|與|及|か|と|また|또는|혹은|나|이나|과|와)"
)
"""Between two letters of a hedge or a list."""

SUPPOSE = (
    latin(
        "if suppose supposing assume assuming assumed unless whether imagine were had wenn falls angenommen ob",
        "si supposons suponiendo supongamos se supondo supponiamo если допустим might may could tempt tempting tempted mistakenly mistaken common+mistake mistake+is trap",
        "at+first initially originally first+thought first+i+thought first+chose first+i+chose first+guess",
        "distractor often commonly common some many someone students people question asks why",
    )
    + "|如果|假设|假如|若|もし|만약"
)
"""In the clause before an announcement: it is a supposition or another person's choice."""

CORRECTION = (
    latin(
        "wait actually correction instead scratch+that sorry oops hmm on+second+thought hold+on rather mistake recheck rechecking",
        "moment tatsächlich doch attendez en+fait espera en+realidad na+verdade aspetta in+realtà подождите стоп",
    )
    + "|等等|不对|不對|更正|修正|待って|잠깐"
)
"""Announces that what follows replaces what was said."""

CONCLUSION = (
    latin(
        "so thus hence therefore finally leaving leaves left+with remains consequently accordingly only gives implies namely matches corresponds+to which+is i\\.e\\. it[’']s it+is it+must+be that[’']s",
        "also daher somit folglich donc ainsi luego entonces quindi dunque logo portanto así+que assim значит поэтому следовательно итак",
    )
    + r"|所以|因此|故|于是|從而|从而|よって|したがって|따라서|그러므로|=>|→|⇒|⟹|∴"
)
"""Before a letter that ends its clause: a conclusion, weaker than an announcement."""
