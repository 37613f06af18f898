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
