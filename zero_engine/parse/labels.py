"""Labels: the words that announce an answer, in the languages that corpora come in.

English has its own rules (`said.py`), for there `answer` is also a word of plain prose. In the other languages a label
counts where a colon, a dash, a copula or, where the verb comes last, the value follows it.
"""

import re

ENGLISH = ("answer", "ans", "option", "choice")
FOREIGN = tuple(
    (
        "答案|故选|故選|应选|所以选|因此选|正确选项|答：|答:"  # Chinese
        "|उत्तर|जवाब|सही विकल्प|উত্তর|جواب|الإجابة|الاجابة|إجابة|الجواب|پاسخ"  # Hindi, Bengali, Urdu, Arabic, Persian
        "|respuesta|opción correcta|opcion correcta|resposta|opção correta|réponse|reponse|risposta|răspuns"
        "|antwort|antwoord|svaret|svar|vastaus|odgovor|válasz|отговор|תשובה|ответ|відповідь|odpowiedź|odpověď|απάντηση"
        "|jawaban|jawapan|jawab|đáp án|đáp số|câu trả lời|cevap|yanıt|คำตอบ"
        "|答え|解答|正解|정답|답|ਉੱਤਰ|ਜਵਾਬ|விடை|பதில்|సమాధానం|జవాబు|ઉત્તર|ഉത്തരം"
    ).split("|")
)
QUALITIES = (
    "final|finale|finală|endgültige|correct|correcta|correcto|correcte|correta|corretta|correctă|richtige|exacte"
    "|akhirnya|akhir|yang benar|cuối cùng|đúng|النهائية|النهائي|الصحيحة|الصحيح|نهایی|صحیح|nya"
)
"""What may stand between a label and its colon, where the adjective follows the noun."""
COPULAS = (
    "es|sería|é|seria|est|serait|è|ist|lautet|beträgt|wäre|is|luidt|adalah|ialah|yaitu|là|это|равен|равно|будет|є"
    "|to|brzmi|wynosi|este|är|er|είναι|है|हैं|होगा|হল|হলো|হবে|হচ্ছে|ہے|ہوگا|هو|هي|هی|است|ay|ni"
)
COPULAS_UNSPACED = "就是|应该是|应该为|应为|是|为|為|等于|選|选|は|가|이|은|는|คือ"
"""Those that need no blank after them."""
VERB_LAST = re.compile(
    r"[ \t]*(?:है|हैं|होगा|ہے|ہوگا|است|입니다|이다|예요|이에요|です|になります|となります|である"
    r"|['’]?d[ıiuü]r|হবে|হয়)[ \t।۔。.]*$"
)
"""The verb after the value: `उत्तर 7 है`, `답은 7입니다`."""
AFTER_FOREIGN = re.compile(
    rf"(?:[ \t]?(?:{QUALITIES})(?!\w)){{0,2}}[*_\"”」 \t]{{0,8}}"
    rf"(?:(?P<sign>[:：=＝]|[—–-](?=[ \t]))|(?P<word>(?:{COPULAS})(?!\w)|{COPULAS_UNSPACED})"
    r"|(?P<next>(?=[ \t]?[-\d$\\(A-Z])))"
    r"[*_ \t:：]{0,8}",
    re.IGNORECASE,
)
WORDS = ENGLISH + FOREIGN
STEMS = {
    "ans": ("answer", "ans"),
    "option": ("option",),
    "choice": ("choice",),
    "resp": ("respuesta", "resposta"),
    "antwo": ("antwort", "antwoord"),
    "jawa": ("jawaban", "jawapan", "jawab"),
}
"""Words in plain ASCII by what they have in common, for a quick look; the rest stand for themselves."""
STEMS |= {
    word: (word,) for word in WORDS if word.isascii() and not any(word in words for words in STEMS.values())
}
OTHERS = tuple(word for word in WORDS if not word.isascii())


def labels_in(lowered: str) -> list[tuple[int, int, bool]]:
    """(start, stop, whether English) of every label in a text in lower case, in order. Labels may overlap."""
    here = [word for stem, words in STEMS.items() if stem in lowered for word in words]
    if not lowered.isascii():
        here += [word for word in OTHERS if word in lowered]
    found: list[tuple[int, int, bool]] = []
    for word in here:
        at = lowered.find(word)
        while at >= 0:
            found.append((at, at + len(word), word in ENGLISH))
            at = lowered.find(word, at + len(word))
    found.sort()
    return found
