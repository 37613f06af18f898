"""The phrases that announce an answer, in the languages in which small models reply."""

from __future__ import annotations

_MARKUP = r"[\s*_`\"')\]\u3011]"

ENGLISH = rf"""
    \b(?:
        (?:answers?|ans|guess)(?:\s+(?:choice|option|key))?
      | (?:correct|right|best|final|chosen|my)\s+(?:option|choice|letter|result|solution|number)
    )\b
    (?:\s+(?:to|for|of|in)\b[^.:\n?!]{{1,80}}?)?
    (?:\s+(?:here|now|then|therefore|thus)\b)?
    (?:\s*,\s*(?:therefore|then|thus|hence|of\s+course)\s*,)?
    (?:\s*\([^()\n]{{0,40}}\))?
    (?:
        {_MARKUP}{{0,8}}[:=]
      | {_MARKUP}{{1,8}}(?:is|are|was|equals|(?:will|would|should|must|has\s+to)\s+be)\b
      | [ ][-\u2013\u2014][ ]
    )
  | ^[ \t#*_>]{{0,8}}(?:(?:the|final|correct|my)[ ]){{0,2}}answer[ \t\r*_#]{{0,8}}\n
  | \bI(?:['\u2019](?:d|ll|m)|\ would|\ will|\ am)?\s+
    (?:choose|pick|select|go\s+with|choosing|picking|selecting|going\s+with)\b
"""

# Of Chinese, Japanese and Korean, where no space parts words.
EAST_ASIAN = rf"""
    (?:答案|答复|正解|正答|答え|解答|回答|结论|結論)
    {_MARKUP}{{0,8}}(?:应该|應該|应当|应|應|就|便)?(?:[:=]|是|为|為|选择?|選擇?|は|が|=)
  | (?:正确|正確|最佳|最终|最終)(?:的)?(?:选项|選項|选择|結果|结果)
    {_MARKUP}{{0,8}}(?:[:=]|是|为|為|は)
  | (?:[选選](?:择|擇|项|項)?|選択肢)\s?(?:[:=]|是|为|為)?
    (?=[\s(\[\u3010\u300c*]{{0,3}}[A-Z](?![A-Za-z]))
  | (?<!\w)答\s?[:=]
  | (?:정답|답변|답)\s?(?:[:=]|은|는|이|을)
"""

# The word for "answer", adjectives behind it, and the verbs that may follow.
_OTHERS = {
    "es": ("respuesta", "correcta|final", "es|será|sería"),
    "pt": ("resposta", "correta|certa|final", "é|será"),
    "fr": ("réponse|reponse", "correcte|finale", "est|serait|sera"),
    "de": ("antwort|lösung|ergebnis", "richtige|korrekte", "ist|lautet|wäre"),
    "it": ("risposta", "corretta|giusta|finale", "è|sarà"),
    "nl": ("antwoord", "juiste", "is|luidt"),
    "pl": ("odpowiedź|odpowiedzią", "prawidłowa|poprawna", "to|jest"),
    "ru": ("ответ", "правильный", "это|будет|является|таков"),
    "tr": ("cevap|yanıt", "doğru", "şudur"),
    "vi": ("đáp[ ]án|câu[ ]trả[ ]lời", "đúng|chính[ ]xác|cuối[ ]cùng", "là"),
    "id": ("jawaban|jawabannya", "benar|yang[ ]benar|akhir", "adalah|ialah"),
    "ar": ("الإجابة|الاجابة|الجواب", "الصحيحة|الصحيح|النهائية|النهائي", "هي|هو"),
    "hi": ("उत्तर|जवाब", "सही|अंतिम", "है|हैं"),
}
OTHER_LANGUAGES = "|".join(
    rf"(?<!\w)(?:{word})(?:[ ](?:{adjective}))?"
    rf"(?:{_MARKUP}{{0,8}}[:=]|{_MARKUP}{{1,8}}(?:{verb})(?!\w)|[ ][-\u2013\u2014][ ])"
    for word, adjective, verb in _OTHERS.values()
)
