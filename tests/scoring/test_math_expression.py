"""Final expressions in replies as models write them; texts are our own."""

from __future__ import annotations

import subprocess
import sys
import threading

import psutil
import pytest

from slmroute_plugin.scoring import Reference, rule, score
from slmroute_plugin.scoring.math_equivalence import MathEquivalence


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("\\boxed{\\frac{1}{2}}", "$\\frac{1}{2}$"),
        ("$$\\boxed{x^{2} + 1}$$ for 3 reasons, and the answer is 7.", "$x^{2} + 1$"),
        ("First \\boxed{3}, then, on reflection, better \\boxed{4}.", "$4$"),
        ("$x = \\boxed{1}$ or $x = \\boxed{-2}$", "$1, -2$"),
        ("\\boxed{\\{1, 2\\}}", "$\\{1, 2\\}$"),
        ("\\boxed{42", "$42$"),
        ("\\fbox{7}", "$7$"),
        ("\\boxed{$36}", "$36$"),
        ("\\boxed{} so the answer is 3", "$3$"),
        ("The answer is $\\frac{3}{4}$.", "$\\frac{3}{4}$"),
        ("The answer is \\(x = 5\\), where $k$ is odd.", "$x = 5$"),
        ("The answer is 5 because $2 + 3 = 5$.", "$5$"),
        ("The solutions add up, so the answers are $1$ and $2$.", "$1, 2$"),
        ("Final answer:\n\\[\n\\sqrt{51}\n\\]", "$\\sqrt{51}$"),
        ("The answer is x^2 + 1.", "$x^2 + 1$"),
        ("The answer is (3, \\frac{\\pi}{2}).", "$(3, \\frac{\\pi}{2})$"),
        ("The answer is -\\sqrt{3}", "$-\\sqrt{3}$"),
        ("The answer is **3/4**.", "$3/4$"),
        ("The answer is 5 apples in all.", "$5$"),
        ("The answer is that Tom has 12 of them.", "$12$"),
        ("The answer is Evelyn.", "$\\text{Evelyn}$"),
        ("Answer: 10,080", "$10,080$"),
        ("We have $y = 2$ at first, and then $y = 2x + 3$.", "$y = 2x + 3$"),
        ("The value of $x$ is 5.", "$5$"),
        ("Thus $f(x)$ equals -3/4 here.", "$-3/4$"),
        ("Then we look for $x$.\nThere are 12.", "$x$"),
        ("We see that $n$ is odd.", "$n$"),
        ("p - q", "$p - q$"),
        ("Adding up.\n\n17", "$17$"),
        ("Thus there are 12 ways.", "$12$"),
        ("", None),
        (" \n", None),
        ("nobody can know that", None),
        ("It costs $5 and later it costs $6 in all.", "$6$"),
        ("$$ $$", None),
        ("\\boxed{}", None),
    ],
)
def test_the_final_expression(reply: str, value: str | None) -> None:
    found = rule("math").extract(reply, Reference(("1",)))
    assert (found.value if found else None) == value


@pytest.mark.parametrize(
    ("reply", "target", "right"),
    [
        ("\\boxed{0.5}", "\\frac{1}{2}", True),
        ("\\boxed{1/2}", "\\frac12", True),
        ("The answer is $2\\sqrt{3}$.", "\\sqrt{12}", True),
        ("The answer is $(x+1)^2$.", "$x^2 + 2x + 1$", True),
        ("The answer is x = 5.", "5", True),
        ("$x = 2$ or $x = -1$", "-1, 2", True),
        ("\\boxed{\\text{east}}", "\\text{East}", True),
        ("The answer is 90 degrees", "90^\\circ", True),
        ("\\boxed{[1, 2)}", "[1,2)", True),
        ("\\boxed{[1, 2]}", "[1,2)", False),
        ("The answer is \\$1,050.", "\\$1{,}050", True),
        ("\\boxed{\\frac{2}{3}}", "\\frac{3}{2}", False),
        ("\\boxed{\\frac{1}{}", "1", False),
        ("\\boxed{}}}}{{{\\", "1", False),
        ("\\boxed{" + "x+" * 5_000 + "1}", "1", False),
        ("I do not know", "1", False),
    ],
)
def test_equality_is_mathematical(reply: str, target: str, right: bool) -> None:
    assert score(rule("math"), reply, Reference((target,))).correct is right


@pytest.mark.parametrize(
    ("written", "target"),
    [
        ("1 1/4", "\\frac{5}{4}"),
        ("-1 1/4", "-\\frac{5}{4}"),
        ("1\\,\\frac{1}{4}", "\\frac54"),
        ("½", "\\frac12"),
        ("3½", "3.5"),
        ("3⁄4", "\\frac34"),
        ("3 sqrt(2)", "3\\sqrt{2}"),
        ("sqrt(21)/5", "\\frac{\\sqrt{21}}{5}"),
        ("sqrt(sqrt(2)+1)", "\\sqrt{\\sqrt{2}+1}"),
        ("4√2", "4\\sqrt{2}"),
        ("√12", "2\\sqrt{3}"),
        ("∛8", "2"),
        ("cbrt(2)", "\\sqrt[3]{2}"),
        ("4\\sqrt(2)", "4\\sqrt{2}"),
        ("2^(1/3)", "\\sqrt[3]{2}"),
        ("pi/3", "\\frac{\\pi}{3}"),
        ("2*pi", "2\\pi"),
        ("2π", "2\\pi"),
        ("2/3 π", "\\frac{2\\pi}{3}"),
        ("-π/6", "-\\frac\\pi6"),
        ("θ + 1", "\\theta + 1"),
        ("x²", "x^2"),
        ("x**2", "x^2"),
        ("x⁻¹", "\\frac{1}{x}"),
        ("x_1 + x₂", "x_1 + x_2"),
        ("sin(x)", "\\sin x"),
        ("arcsin(x)", "\\arcsin x"),
        ("ln(2)", "\\ln 2"),
        ("log_2(8)", "3"),
        ("exp(2x)", "e^{2x}"),
        ("\\frac{1}{\\mathrm{e}}", "e^{-1}"),
        ("1\\,000\\,000", "1000000"),
        ("1'000'000", "1000000"),
        ("1 000 000", "1000000"),
        ("3x10^4", "30000"),
        ("3 × 10⁴", "30000"),
        ("6.72e-5", ".0000672"),
        ("5cm^2", "5"),
        ("5 cm²", "5 \\text{ cm}^2"),
        ("12 square centimeters", "12"),
        ("5~\\text{cm}", "5"),
        ("5\\ \\mathrm{cm}", "5"),
        ("5\\quad\\text{cm}", "5"),
        ("12 sq. cm", "12"),
        ("3/4 cup", "\\frac34"),
        ("30 km/h", "30"),
        ("5\\text{ feet per second}", "5"),
        ("5 m", "5"),
        ("5 h", "5 \\text{ hours}"),
        ("90 degrees", "90^\\circ"),
        ("45°", "45^\\circ"),
        ("{90^\\circ}", "90^\\circ"),
        ("5 dollars", "\\$5"),
        ("50 percent", "50\\%"),
        ("0.5", "50\\%"),
        ("(-∞,3)∪(3,∞)", "(-\\infty,3)\\cup(3,\\infty)"),
        ("(-inf, 3) U (3, inf)", "(-\\infty,3)\\cup(3,\\infty)"),
        ("[−2, 7]", "[-2,7]"),
        ("+/- 2", "\\pm 2"),
        ("1 ± √19", "1 \\pm \\sqrt{19}"),
        ("x >= 3", "x \\geq 3"),
        ("x ≤ 3", "x \\leq 3"),
        ("–3", "-3"),
        ("negative 3", "-3"),
        ("minus 3", "-3"),
        ("３", "3"),
        ("٤٢", "42"),
        ("Evelyn", "\\text{Evelyn}"),
        ("C", "\\text{(C)}"),
        ("3, 5, and 7", "3,5,7"),
        ("2516 base 8", "2516_8"),
        ("2516_{\\text{eight}}", "2516_8"),
        ("2516", "2516_8"),
        ("255_{10}", "255"),
        ("3.14159265", "\\pi"),
        ("3141592.65", "10^6\\pi"),
        ("0.333333", "\\frac13"),
        ("1/2006!", "\\frac{1}{2006!}"),
    ],
)
def test_plain_text_is_mathematics_too(written: str, target: str) -> None:
    reference = Reference((target,))
    for reply in (f"\\boxed{{{written}}}", f"The answer is {written}.", f"Answer: ${written}$"):
        assert score(rule("math"), reply, reference).correct, reply


@pytest.mark.parametrize(
    ("written", "target"),
    [
        ("4\\sqrt(2)", "4"),
        ("4√2", "4"),
        ("2516_9", "2516_8"),
        ("2516_8", "2516"),
        ("2516_{10}", "2516_8"),
        ("5_8+3_8", "8"),
        ("1 + \\frac{1}{\\mathrm{e}}", "1 - \\frac{1}{\\mathrm{e}}"),
        ("1 + \\frac{1}{", "1"),
        ("\\frac{1}{2006!}", "\\frac{1}{2004!}"),
        ("100! + 1", "100!"),
        ("0.0000001", "0.0000002"),
        ("10^{-20}", "10^{-21}"),
        ("2x \\cdot 10^{-20}", "x \\cdot 10^{-20}"),
        ("\\{10^{-8}, 1\\}", "\\{10^{-9}, 1\\}"),
        ("0.33", "\\frac13"),
        ("3.14", "\\pi"),
        ("42.000001", "42"),
        ("1234567.1", "1234567.2"),
        ("2c", "2"),
        ("5m", "5"),
        ("3 4", "7"),
        ("2 3/4", "\\frac54"),
        ("f'(x)", "f(x)"),
        ("1,2,\\ldots,10", "1,2,10"),
        ("\\pi R^2 - \\pi r^2", "0"),
        ("x^2=-4", "x^2=-9"),
        ("listen", "\\text{silent}"),
        ("seat", "east"),
        ("odd", "\\text{even}"),
        ("5 km", "5 \\text{ cm}"),
        ("5 dollars", "5 \\text{ cents}"),
        ("(1,2)", "(2,1)"),
        ("[1,2]", "[1,2)"),
        ("\\infty", "-\\infty"),
        ("3", "-3"),
        ("–3", "3"),
        ("50%", "5"),
    ],
)
def test_unequal_answers_are_not_equal(written: str, target: str) -> None:
    reference = Reference((target,))
    for reply in (f"\\boxed{{{written}}}", f"The answer is {written}.", f"Answer: ${written}$"):
        assert not score(rule("math"), reply, reference).correct, reply


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        ("The answer is Evelyn, since she is fastest.", "$\\text{Evelyn}$"),
        ("The answer is Evelyn, since 5 > 3.", "$\\text{Evelyn}$"),
        ("The answer is an ellipse, as shown.", "$\\text{ellipse}$"),
        ("Final answer: $Evelyn$", "$\\text{Evelyn}$"),
        ("The answer is x².", "$x²$"),
        ("The answer is 3 sqrt(2) apples.", "$3 sqrt(2)$"),
        ("The answer is 5 km away.", "$5 km$"),
        ("\\boxed{3} and after that \\boxed{", "$3$"),
        ("\\boxed{3} and after that \\boxed{4", "$3$"),
        ("答案是 $\\frac{1}{2}$。", "$\\frac{1}{2}$"),
    ],
)
def test_words_plain_text_and_unfinished_boxes(reply: str, value: str) -> None:
    answer = rule("math").extract(reply, Reference(("1",)))
    assert answer is not None
    assert answer.value == value


def test_an_expression_is_compared_outside_the_main_thread() -> None:
    verdicts: list[bool] = []

    def compare() -> None:
        verdicts.append(rule("math").correct("$2/4$", Reference(("0.5",))))

    threads = [threading.Thread(target=compare) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verdicts == [True, True, True]


def test_an_expression_too_large_to_evaluate_is_given_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    compare = MathEquivalence(seconds=1.0)
    assert compare("$4$", "$2 + 2$")
    assert not compare("$4$", "$9^{9^{9^9}}$")
    assert "given up" in caplog.text
    assert compare("$4$", "$2 + 2$")


def test_a_worker_that_says_nothing_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    others = set(psutil.Process().children())
    compare = MathEquivalence(seconds=1.0)
    assert compare("$4$", "$2 + 2$")
    (worker,) = set(psutil.Process().children()) - others
    worker.suspend()
    # It would never answer.
    assert not compare("$4$", "$2 + 2$")
    assert "given up" in caplog.text
    assert not worker.is_running()
    assert compare("$4$", "$2 + 2$")


def test_a_program_that_compares_ends_by_itself() -> None:
    program = (
        "from slmroute_plugin.scoring import Reference, rule\n"
        "print(rule('math').correct('$2/4$', Reference(('0.5',))))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True
    )
    assert (ended.stdout, ended.stderr) == ("True\n", "")
