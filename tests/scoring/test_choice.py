"""Choice letters in replies as models write them; texts are our own."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmroute_plugin.scoring import Reference, rule

CITIES = ("London", "Paris", "New York", "York")
PETS = ("a cat", "A cat sat", "a dog", "none of these")
NUMBERS = ("5", "-5", "1.5", "1,500 km")


def chosen(text: str, options: tuple[str, ...] = CITIES) -> str | None:
    found = rule("choice").extract(text, Reference(("B",), options))
    return found.value if found else None


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("B", "B"),
        ("b", "B"),
        ("B.", "B"),
        ("B)", "B"),
        (" B\n", "B"),
        ("(b)", "B"),
        ("**B**", "B"),
        ("**B.** Paris", "B"),
        ("`B`", "B"),
        ("[B]", "B"),
        ('"B"', "B"),
        ("$B$", "B"),
        ("- B", "B"),
        ("B: foo", "B"),
        ("B, I think.", "B"),
        ("B Paris", "B"),
        ("B - Paris", "B"),
        ("B)Paris", "B"),
        ("B (the second one)", "B"),
        ("B) because A) is too far north", "B"),
        ("(A) is the better choice because (B) does not hold", "A"),
        ("B\n\nbecause the river runs there, and the answer is not C.", "B"),
        ("B because it is", "B"),
        ("A is correct.", "A"),
        ("A.", "A"),
        ("A\n", "A"),
        ("A", "A"),
        ("a", "A"),
        ("Option B", "B"),
        ("option (c): New York", "C"),
        ("The option is D", "D"),
        ("<B>", "B"),
        ("> B", "B"),
    ],
)
def test_a_letter_that_heads_the_reply_is_the_answer(reply: str, letter: str) -> None:
    assert chosen(reply) == letter


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("The answer is (B).", "B"),
        ("The answer is B, since the Seine runs through it.", "B"),
        ("Answer: B", "B"),
        ("answer:b", "B"),
        ("**Answer:** B", "B"),
        ("**Answer**: **(B)**", "B"),
        ("Answer (one letter): B", "B"),
        ("## Answer\n\nB", "B"),
        ("Final Answer:\n\n**B. Paris**", "B"),
        ("The final answer is $\\boxed{B}$", "B"),
        ("\\boxed{C}", "C"),
        ("\\boxed{\\text{(C)}}", "C"),
        ("We get \\boxed{\\textbf{(C) } 12}.", "C"),
        ("The answer is \\( B \\).", "B"),
        ("The answer is $ B $.", "B"),
        ("So:\n\\[ B \\]", "B"),
        ("$\\boxed{ C }$", "C"),
        ("Guess: D\nProbability: 80%", "D"),
        ("#### D", "D"),
        ("The correct option is B: Paris", "B"),
        ("The correct choice would be C.", "C"),
        ("The best answer to the question about rivers is D.", "D"),
        ("The answer, therefore, is D.", "D"),
        ("My answer is most likely option D", "D"),
        ("The answer is, I believe, B.", "B"),
        ("I would go with (C).", "C"),
        ("I'd choose D, though B is close", "D"),
        ("London is large and it rains there, so the answer is C", "C"),
        ("The answer is A? No. Looking again, the answer is C. I hope this answer is useful.", "C"),
        ("First thought: the answer is B. But B is wrong. Therefore, D is correct.", "D"),
        ("It cannot be A. Thus C is the most plausible answer.", "C"),
        ("The answer is not A. It has no river.\nSo the answer is B.", "B"),
        ("A is wrong. The answer is D.", "D"),
        ("A or B would do. The answer is B.", "B"),
        ("The answer is B instead of C.", "B"),
        ("The best answer is B over C.", "B"),
        ("I would go with B over A because it is larger.", "B"),
        ("The answer is B rather than A.", "B"),
        ("The answer is B when compared to C", "B"),
        ("The answer is B even though C is close", "B"),
        ("The answer is B not C.", "B"),
        ("The answer is not B but C", "C"),
        ("A not very good question. The answer is C", "C"),
        ("A rather hard one, but the answer is C", "C"),
        ("A over-simplification. The answer is C", "C"),
    ],
)
def test_the_last_final_marker_decides(reply: str, letter: str) -> None:
    assert chosen(reply) == letter


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("A) London\nB) Paris\nC) New York\nD) York\n\nAnswer: C", "C"),
        ("A) London B) Paris C) New York D) York. The answer is D.", "D"),
        ("A. London lies on the Thames.\nB. Paris lies on the Seine.\nSo B is correct.", "B"),
        ("A) London\nB) Paris\nC) New York\nD) York", None),
        ("Option A: London\nOption B: Paris\nOption C: New York", None),
        ("Option A: London\nOption B: Paris\n\nThe answer is B", "B"),
        ("The answer is B.\nOption A: London\nOption B: Paris\nOption C", "B"),
    ],
)
def test_a_list_of_the_options_is_no_answer(reply: str, letter: str | None) -> None:
    assert chosen(reply) == letter


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("Paris", "B"),
        ("paris!", "B"),
        ("**Paris**", "B"),
        ("Paris.\n\nLondon is on another river.", "B"),
        ("The answer is Paris, not London.", "B"),
        ("The answer is not London but Paris.", "B"),
        ("The answer is new-york.", "C"),
        ("New York", "C"),
        ("York", "D"),
        ("It is in New York, I am sure.", "C"),
        ("London, Paris and York come to mind; the answer is York.", "D"),
        ("London or Paris", None),
        ("Paris\nLondon", None),
        ("London and Paris are both fine", None),
        ("The capital is Parisian", None),
    ],
)
def test_an_options_text_stands_for_its_letter(reply: str, letter: str | None) -> None:
    assert chosen(reply) == letter


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("A cat", "A"),
        ("The answer is a cat.", "A"),
        ("A cat sat", "B"),
        ("a dog", "C"),
        ("A dog", "C"),
        ("A: a cat", "A"),
        ("None of these.", "D"),
        ("A horse ran", None),
        ("A horse ran. The answer is A.", "A"),
    ],
)
def test_an_article_is_no_letter_and_the_longest_text_wins(reply: str, letter: str | None) -> None:
    assert chosen(reply, PETS) == letter


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("The answer is 5.", "A"),
        ("x = -5", "B"),
        ("The answer is −5", "B"),
        ("The answer is $1.5$.", "C"),
        ("1500 km", "D"),
        ("The answer is 15", None),
        ("The answer is 5.5", None),
    ],
)
def test_signs_and_decimals_tell_options_apart(reply: str, letter: str | None) -> None:
    assert chosen(reply, NUMBERS) == letter


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("The answer is 4 + 4 = 8.", "C"),
        ("4 + 4 = 8", "C"),
        ("The answer is $4 + $4 = $8.", "C"),
        ("The answer is 4 \\times 2 = 8", "C"),
        ("The answer is 10 - 4 = 6", "B"),
        ("The answer is 8 = 4 + 4.", "C"),
        ("The answer is 4-6 apples", None),
        ("* 4", "A"),
        ("4 - that is all", "A"),
        ("A - 4", "A"),
    ],
)
def test_a_number_that_is_calculated_with_is_not_chosen(reply: str, letter: str | None) -> None:
    assert chosen(reply, ("4", "6", "8", "10")) == letter


@pytest.mark.parametrize(
    ("reply", "letter"), [("n!", "A"), ("The answer is n!", "A"), ("n", "B"), ("<", "C")]
)
def test_punctuation_tells_options_apart_where_nothing_else_does(reply: str, letter: str) -> None:
    assert chosen(reply, ("n!", "n", "<", "<=")) == letter


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "   \n",
        "E",
        "The answer is E.",
        "The answer is (Z)",
        "A city sat by the river",
        "I think so",
        "A or B",
        "B, C",
        "Both A and B are correct",
        "A/B",
        "A is wrong",
        "B isn't right",
        "The answer is not B.",
        "C.E.O. of the firm",
        "B-52 bombers",
        "D'Artagnan",
        "C++ has classes",
        "Bob went home",
        "Vitamin C helps, and group D as well",
        "I do not know.",
        "答案",
    ],
)
def test_nothing_is_read_into_replies_that_choose_nothing(reply: str) -> None:
    assert chosen(reply) is None


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("Rivers matter here, and so it must be B.", "B"),
        ("Weighing both sides.\n\n**D**", "D"),
        ("D is likely wrong, it seems. Thus C is most likely, by my count", "C"),
        ("My impression is that (C) fits best of all", "C"),
        ("I lean to option B here", "B"),
        ("Could be (C), could be (D), hard to say", None),
    ],
)
def test_without_a_marker_the_only_letter_named_counts(reply: str, letter: str | None) -> None:
    assert chosen(reply) == letter


def test_an_option_may_begin_with_a_denial_or_hold_spaces() -> None:
    options = ("is paid", "is not paid", "cannot be told", "up        down")
    assert chosen("B. is not paid", options) == "B"
    assert chosen("The answer is C: cannot be told.", options) == "C"
    assert chosen("C cannot be right", options) is None
    assert chosen("The answer is up down", options) == "D"
    assert chosen("up        down", options) == "D"


def test_only_as_many_letters_as_options() -> None:
    assert chosen("B", ("x1",)) is None
    assert chosen("B", ()) is None
    assert chosen("E", (*CITIES, "Rome")) == "E"
    assert chosen("Z", tuple(f"word{i}" for i in range(40))) == "Z"
    assert chosen("word39", tuple(f"word{i}" for i in range(40))) is None


@pytest.mark.parametrize(
    ("reply", "named"),
    [
        ("The answer is (B).", "B"),
        ("b) because", "b"),
        ("So it is **New-York** then", "New-York"),
        ("Final answer: Paris!", "Paris"),
        ("B: Paris. The answer is Paris.", "B"),
    ],
)
def test_the_span_is_the_letter_or_the_text(reply: str, named: str) -> None:
    found = rule("choice").extract(reply, Reference(("B",), CITIES))
    assert found is not None
    assert reply[found.start : found.end] == named


def test_correct_compares_letters() -> None:
    reference = Reference(("B",), CITIES)
    assert rule("choice").correct("B", reference)
    assert rule("choice").correct("b", reference)
    assert not rule("choice").correct("A", reference)


@pytest.mark.parametrize(
    "reply",
    [
        "B。",
        "（B）",
        "【B】",
        "「B」",
        "Ｂ",
        "Ⓑ",
        "B！",
        "答案是B。",
        "答案：B",
        "【答案】B",
        "正确答案是选项B",
        "因此，选B。",
        "我选择B",
        "故选：B",
        "应选 B 项",
        "B是正确答案",
        "答：B",
        "答えは B です",
        "正解はBです。",
        "Bが正解です",
        "정답은 B입니다.",
        "답: B",
        "Ответ: B",
        "Правильный ответ — B.",
        "الإجابة هي B",
        "उत्तर: B",
        "La respuesta es B.",
        "Réponse : B",
        "Die richtige Antwort ist B.",
        "A resposta correta é B",
        "La risposta è B",
        "Đáp án là B",
        "Jawaban: B",
        "The answer is B（Paris）",
        "A不对，选B。",
        "不是A，是B。\n答案是B",
    ],
)
def test_other_scripts_and_languages(reply: str) -> None:
    answer = rule("choice").extract(reply, Reference(("B",), CITIES))
    assert answer is not None
    assert answer.value == "B"
    assert reply[answer.start : answer.end] in ("B", "Ｂ", "Ⓑ")


@pytest.mark.parametrize("reply", ["A和B", "A、B", "A或B都可以", "A不对", "B는 오답입니다"])
def test_joined_and_denied_letters_of_other_languages(reply: str) -> None:
    assert chosen(reply) is None


def test_options_of_scripts_without_spaces() -> None:
    options = ("伦敦", "巴黎", "新约克", "約克")
    assert chosen("答案是巴黎。", options) == "B"
    assert chosen("巴黎", options) == "B"
    assert chosen("B. 巴黎", options) == "B"
    assert chosen("서울입니다", ("부산", "서울")) == "B"


@pytest.mark.parametrize(
    ("reply", "letter"),
    [
        ("First, A seems right. However C fits all evidence.\n\nC", "C"),
        ("First, A seems right. However C fits.\n\n**(C)**", "C"),
        ("I thought that A is correct. But no.\n\nNew York", "C"),
        ("The answer is A. Wait, let me see.\nOption D.", "D"),
        # The beginning of a list, or its end, is not a statement.
        ("The answer is B. The others:\nA", "B"),
        ("The answer is B.\nA) London\nB) Paris\nC", "B"),
        ("B it is, so the answer is B.\nLondon\nParis\nYork", "B"),
        ("Paris\nLondon", None),
    ],
)
def test_an_option_alone_on_the_last_line_is_the_last_statement(
    reply: str, letter: str | None
) -> None:
    assert chosen(reply) == letter


@pytest.mark.parametrize(
    "end",
    [
        *"…。！？；：、」】）~·•→|}>»”'\"`*$°",
        "…",
        "..",
        "**",
        "\\)",
        " - ",
        " .",
        "—because",
        "\x00",
    ],
)
def test_a_letter_before_what_does_not_join_is_a_letter(end: str) -> None:
    assert chosen(f"B{end}") == "B"


@pytest.mark.parametrize(
    "end", ["1", "b", "é", "-52", "'Artagnan", "’s", "_x", "+", "#", "&A", "/x", "(x)", "=5", "^2"]
)
def test_a_letter_before_what_joins_is_part_of_a_word(end: str) -> None:
    assert chosen(f"B{end}") is None


def test_the_number_of_a_lists_next_item_is_not_a_statement() -> None:
    assert chosen("1. First we add.\n2. Then\n3.", ("3", "1")) is None
    assert chosen("First we add 1.\n3.", ("3", "1")) == "A"


def test_an_unfinished_box_does_not_outdo_a_finished_one() -> None:
    assert chosen("\\boxed{B} and then \\boxed{C") == "B"
    assert chosen("\\boxed{B} and then \\boxed{") == "B"
    assert chosen("We get \\boxed{C") == "C"


@given(
    st.lists(
        st.sampled_from(
            [
                "The answer is",
                "A",
                "B",
                "(C)",
                "Paris",
                "York",
                "New",
                "not",
                "is",
                "correct",
                ".",
                "\n",
                ",",
                ":",
                "**",
                "or",
                "cat",
                "option",
                "a",
            ]
        ),
        max_size=12,
    ),
)
def test_the_span_names_the_value(words: list[str]) -> None:
    text = " ".join(words)
    found = rule("choice").extract(text, Reference(("B",), CITIES))
    if found is not None:
        option = CITIES["ABCD".index(found.value)]
        named = text[found.start : found.end]
        assert named.upper() == found.value or re.findall(r"\w+", named) == option.split()
