"""What SmolLM2-135M-Instruct said when it was asked how sure it is, on the demo's word problems.

The replies are as they came, cut off where their limit cut them off.
"""

from __future__ import annotations

import pytest

from slmroute_plugin import NoConfidence
from uq_plugins.stated_confidence import stated_confidence

STATED = {
    "The probability of the answer being correct is 100%.": 1.0,
    "0.9999999...": 0.9999999,
    "0.999999999999999999999999999999": 1.0,
    "Probability: 0.99999999...": 0.99999999,
    "A. 0.999...": 0.999,
    "A. 99.99999999999999999999999999": 1.0,
    "Dara's answer is 0% to 100%\n\nProbability: 0.0000000000": 0.0,
    "Confidence: 0.00000000000000001": 1e-17,
    "Confidence: 0.95555555555555555555555555555555555555555555555555555555555555555555": 0.9555556,
    "The probability of Nils giving 3 oranges to Jonas is 100%": 1.0,
    "Your answer is correct, but I'll provide a probability of 100% to ensure you understand the "
    "probability.": 1.0,
    "The probability of your answer being correct is 100% (100% of the time).": 1.0,
    "Confidence: 0.99%\n\nThis is a confidence level, and it's calculated by multiplying the "
    "probability by 100%.": 0.0099,
}

NOT_STATED = (
    "The answer is 100%",  # of what?
    'The answer is "100%."',
    "The answer is 100%\n\nThe answer is 100%\n\nThe answer is 100%\n\nThe answer is 10",
    "Your answer is correct.",
    "1.10: 1.10 (1.10 in total)",
    "1.1: 10 + 4 = 14\n2.2: 17 + 2 = 19\n\nThe",
    "Confidence: 0.95 (100% - 5%)",
    "SmolLM: Yusuf brings home 4 trays, and every one of them holds 6 postcards.\n\n"
    "Probability: 0.",
    "Sami has 112 pencils in the end.",
    "Sami fills 20 flowers with 20 degrees outside.",
    "Dara sells 9 buttons worth of 2 dollars each, so she gets 9 * 2 = 18 dollars. The probability "
    "of getting a",
    "Liam earns 24 dollars in total, so 24% of Liam's earnings is 24 * 0.24 = ",
    "Pablo counts 9 cards. 3 rows of the same length. 1 card. 9% of 1 card. 9% of 1 card. 9% of",
    "Noor picks up 3 lemons, so he sells 3 * 5 = 15 lemons for 15 dollars. So, 15 * 1.5 = 20.5 "
    "dollars, which is 20.5% of 15 lemons, which is 20.5 * 1.5 = 32.15 dollars. So, 3",
    "Your answer is correct, but I'll provide a probability of 0% to 100% to make it easier to "
    "understand.",
    "The probability of getting 5 dollars for a single pear is 0.1000001, which is the confidence "
    "level of the calculation.",
    "Somoja: 100%",
)


@pytest.mark.parametrize(("reply", "confidence"), STATED.items(), ids=str)
def test_what_the_model_stated_is_read(reply: str, confidence: float) -> None:
    assert stated_confidence(reply) == pytest.approx(confidence, rel=1e-6)


@pytest.mark.parametrize("reply", NOT_STATED)
def test_what_states_nothing_for_certain_is_no_confidence(reply: str) -> None:
    with pytest.raises(NoConfidence):
        stated_confidence(reply)


@pytest.mark.parametrize("reply", ["Confidence: 0.", "My confidence is 0.", "0."])
def test_a_number_that_may_be_cut_off_is_not_nought(reply: str) -> None:
    with pytest.raises(NoConfidence, match="may break off within a number"):
        stated_confidence(reply)
