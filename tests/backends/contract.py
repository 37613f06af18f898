"""What every backend promises. A backend is held to it by a subclass with the fixture `make`."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pytest
import torch

from slmroute_plugin import Missing, Tokens
from slmroute_plugin.backends import Backend, Observed, Question, ReadsPrompts, Resumable, Span
from slmroute_plugin.plugins.backends import backend_for
from slmroute_plugin.signals import (
    SIGNALS,
    ChoiceProb,
    FirstTokenProbs,
    HiddenState,
    NextTokenProbs,
    PromptStates,
    Reply,
    Restated,
    Sample,
    Samples,
    Signal,
    TokenLogprobs,
    TokenStatistics,
    VocabularyStatistics,
)
from uq_plugins import Verbalization1S

P_TRUE = NextTokenProbs("Proposed: {answer}\nTrue or False?\nIt is:", ("True", "False"))
SURE = Reply("How sure are you, in percent?", max_tokens=6)
RESTATED = Restated("Then say how sure you are.", extra_tokens=4)
STATED = Verbalization1S(instruction="Then a line:\nConfidence: <how sure>").asks[0]
# Words that are whole tokens, with a space before them and without.
CAN_ANSWER = FirstTokenProbs("Do not answer yet. Can you? Begin with It or How.", ("It", "How"))
SHOWN = Samples(2)
HOW_OF_SAMPLES = NextTokenProbs("{samples}\nOr {answer}? It or How?", CAN_ANSWER.words, SHOWN)
SURE_OF_SAMPLES = replace(SURE, follow_up="{samples}\n" + SURE.follow_up, samples=SHOWN)
EXAMPLES: tuple[Signal[Any], ...] = (
    TokenLogprobs(),
    TokenStatistics(),
    ChoiceProb(),
    HiddenState(),
    HiddenState(-1, "last_prompt"),
    HiddenState((-2, -1), "mean_answer"),
    PromptStates(),
    Samples(3),
    P_TRUE,
    SURE,
    RESTATED,
    CAN_ANSWER,
)
TEXTS = (
    "What is the capital of France?",
    "Tom has 3 apples and buys 4 more. How many apples does he have? Explain in short.",
    "Name a colour.",
    "Is water wet? Reply True or False.",
    "Hello",
)
SELF_TALK = "5\nConfidence: 90%\n\nQuestion: 2 + 2?\nAnswer: 4\nConfidence: 20%"


@dataclass(frozen=True)
class Subject:
    """A model whose backend is tested.

    Attributes:
        lm: lm-eval's model.
        reference: the same weights as lm-eval's `HFLM`, in memory: numbers are held against it.
        refuses: the kinds of signals that its backend cannot deliver.
        as_messages: whether the model is handed conversations and no prompts.
        seeds_samples: whether the same seed draws the same samples.
        tolerance: by how much a log-probability may differ from the reference's.
    """

    lm: Any
    reference: Any
    refuses: frozenset[type[Signal[Any]]] = frozenset()
    as_messages: bool = False
    seeds_samples: bool = True
    tolerance: float = 1e-4
    backend: Backend = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "backend", backend_for(self.lm))

    @property
    def signals(self) -> frozenset[Signal[Any]]:
        """The examples of all signals that the backend delivers."""
        return frozenset(one for one in EXAMPLES if type(one) not in self.refuses)

    def question(
        self,
        text: str,
        until: Sequence[str] = (),
        tokens: int = 12,
        restated: Iterable[Restated | FirstTokenProbs] = (RESTATED, CAN_ANSWER),
        **changes: Any,
    ) -> Question:
        """A question in the chat template, whose first letter names an option."""
        messages = [{"role": "user", "content": text}]
        further = {signal: f"{text}\n\n{signal.instruction}" for signal in restated}

        def prompt(content: str) -> Any:
            chat = [{"role": "user", "content": content}]
            return (self.lm if self.as_messages else self.reference).apply_chat_template(chat)

        return replace(
            Question(
                prompt=prompt(text),
                text=text,
                kind="choice",
                generation={"until": list(until), "max_gen_toks": tokens},
                chat=True,
                restated={
                    signal: Missing("the prompt is not text") if self.as_messages else prompt(more)
                    for signal, more in further.items()
                },
                messages=messages,
                restated_text=further,
                locate=lambda reply: Span(0, 1) if reply else None,
            ),
            **changes,
        )

    def observe(
        self, questions: Sequence[Question], signals: Iterable[Signal[Any]] = (), seed: int = 0
    ) -> list[Observed]:
        """What the backend sees, in the order of the questions; each of them comes once."""
        seen = list(self.backend.observe(questions, frozenset(signals), seed))
        assert sorted(one.index for one in seen) == list(range(len(questions)))
        assert not seen or seen[-1].ends_batch
        return sorted(seen, key=lambda one: one.index)

    def encode(self, text: str) -> list[int]:
        """The tokens of a rendered prompt."""
        return list(self.reference.tok_encode(text))

    def encode_within(self, text: str) -> list[int]:
        """The tokens of a text that stands behind other text."""
        return list(self.reference.tokenizer.encode(text, add_special_tokens=False))

    def rendered(self, question: Question, *further: tuple[str, str]) -> str:
        """The question's conversation and further turns, in the chat template."""
        turns = [{"role": role, "content": text} for role, text in further]
        text: str = self.reference.apply_chat_template([*question.messages, *turns])
        return text

    def greedy(self, prompt: str, tokens: int) -> Greedy:
        """Token by token the likeliest continuation, from plain forwards of the reference."""
        known = _GREEDY.setdefault(self.reference, {})
        if (prompt, tokens) not in known:
            known[prompt, tokens] = self._greedy(prompt, tokens)
        return known[prompt, tokens]

    def _greedy(self, prompt: str, tokens: int) -> Greedy:
        ids = self.encode(prompt)
        start, logprobs = len(ids), []
        for _ in range(tokens):
            logits = self.forward(ids).logits[0, -1].float()
            token = int(logits.argmax())
            if token in (self.reference.tokenizer.eos_token_id, self._end):
                break
            logprobs.append(float(logits.log_softmax(-1)[token]))
            ids.append(token)
        return Greedy(self.reference.tokenizer, ids[start:], logprobs)

    @property
    def _end(self) -> int | None:
        end = getattr(self.reference.model.generation_config, "eos_token_id", None)
        return end if isinstance(end, int) else None

    def forward(self, ids: Sequence[int]) -> Any:
        """One plain forward of the reference over these tokens, with all hidden states."""
        with torch.no_grad():
            return self.reference.model(torch.tensor([list(ids)]), output_hidden_states=True)


@dataclass(frozen=True)
class Greedy:
    """A continuation in tokens."""

    tokenizer: Any
    ids: list[int]
    logprobs: list[float]

    def text(self, count: int | None = None) -> str:
        """The text of the first tokens; of all by default."""
        return str(self.tokenizer.decode(self.ids[:count], skip_special_tokens=True))

    def tokens_for(self, text: str) -> int:
        """How many tokens it takes until their text begins with this one."""
        return next(
            count for count in range(len(self.ids) + 1) if self.text(count).startswith(text)
        )


# Of each reference, what was worked out before: many tests ask for the same.
_GREEDY: WeakKeyDictionary[Any, dict[tuple[str, int], Greedy]] = WeakKeyDictionary()

Make = Callable[..., Subject]


class BackendContract:
    """What every backend promises.

    A subclass has the fixture `make`, which returns a function: called with the option
    `think_end` (a string that ends think text) or without, and with `replies` (by text of a
    user turn, what the model has learned to reply) or without, it returns a `Subject`.
    """

    @pytest.fixture
    def subject(self, make: Make) -> Subject:
        """The model as it comes."""
        return make()

    def test_every_kind_of_signal_is_delivered_or_refused(self, subject: Subject) -> None:
        assert {type(one) for one in EXAMPLES} == set(SIGNALS), "the contract lacks an example"
        refused = {type(one) for one in EXAMPLES if subject.backend.refuses(one)}
        assert refused == set(subject.refuses)
        for seen in subject.observe([subject.question(text) for text in TEXTS], subject.signals):
            for signal in subject.signals:
                assert_value(signal, seen.observation.signals[signal])

    def test_an_unknown_signal_is_refused_by_its_name(self, subject: Subject) -> None:
        class Unheard(Signal[float]):
            pass

        assert "Unheard" in (subject.backend.refuses(Unheard()) or "")

    def test_the_answer_is_the_greedy_one(self, subject: Subject) -> None:
        asked = [subject.question(text) for text in TEXTS]
        for question, seen in zip(asked, subject.observe(asked), strict=True):
            greedy = subject.greedy(subject.rendered(question), 12)
            assert seen.observation.answer == greedy.text()
            assert seen.observation.question == question.text
            assert seen.observation.kind == "choice"
            assert seen.is_answer

    def test_log_probabilities_are_those_of_raw_logits(self, subject: Subject) -> None:
        self._needs(subject, TokenLogprobs)
        asked = [subject.question(text) for text in TEXTS]
        signals = {TokenLogprobs(), ChoiceProb()}
        for question, seen in zip(asked, subject.observe(asked, signals), strict=True):
            greedy = subject.greedy(subject.rendered(question), 12)
            tokens = seen.observation[TokenLogprobs()]
            assert tokens.logprobs == pytest.approx(greedy.logprobs, abs=subject.tolerance)
            assert tokens.ids in (tuple(greedy.ids), (-1,) * len(greedy.ids))
            chosen = greedy.tokens_for(greedy.text()[:1])
            assert seen.observation[ChoiceProb()] == pytest.approx(
                math.exp(greedy.logprobs[chosen - 1]), abs=subject.tolerance
            )

    def test_statistics_are_those_of_the_whole_vocabulary(self, subject: Subject) -> None:
        self._needs(subject, TokenStatistics)
        asked = [subject.question(text, until=["\n\n"]) for text in TEXTS]
        signals = {TokenLogprobs(), TokenStatistics()}
        for question, seen in zip(asked, subject.observe(asked, signals), strict=True):
            prompt = subject.encode(subject.rendered(question))
            answer = seen.observation[TokenLogprobs()].ids
            logits = subject.forward([*prompt, *answer]).logits[0, len(prompt) - 1 : -1].double()
            logprobs = logits[: len(answer)].log_softmax(-1)
            top = logprobs.exp().topk(2).values
            expected = (
                torch.distributions.Categorical(logits=logprobs).entropy(),
                top[:, 0],
                top[:, 1],
                logprobs.mean(-1),
            )
            told = seen.observation[TokenStatistics()]
            assert told.possible == (logits.shape[-1],) * len(answer)
            for values, wanted in zip(told, expected, strict=False):
                assert values == pytest.approx(wanted.tolist(), abs=10 * subject.tolerance)

    @pytest.mark.parametrize("keeps", [0, 1, 4])
    def test_stop_strings_cut_the_text_and_its_tokens(self, subject: Subject, keeps: int) -> None:
        asked = subject.question(TEXTS[1])
        whole = subject.greedy(subject.rendered(asked), 12)
        text = whole.text()
        stop = text[keeps : keeps + 3]
        kept = text[: text.index(stop)]
        signals = {TokenLogprobs(), ChoiceProb()} & subject.signals
        (seen,) = subject.observe([subject.question(TEXTS[1], until=[stop])], signals)
        assert seen.observation.answer == kept
        # A server that shows tokens by their spelling tells nothing of white space alone.
        told = seen.observation.signals.get(TokenLogprobs())
        if not kept or (not kept.strip() and isinstance(told, Missing)):
            assert_nothing_is_told(seen.observation.signals)
        elif TokenLogprobs() in signals:
            count = whole.tokens_for(kept)
            logprobs = seen.observation[TokenLogprobs()].logprobs
            assert logprobs == pytest.approx(whole.logprobs[:count], abs=subject.tolerance)

    def test_an_empty_answer_has_every_signal_or_a_reason(self, subject: Subject) -> None:
        asked = subject.question(TEXTS[0])
        first = subject.greedy(subject.rendered(asked), 12).text()[0]
        (seen,) = subject.observe([replace_stops(asked, [first])], subject.signals)
        assert seen.observation.answer == ""
        for signal in subject.signals - {TokenLogprobs(), ChoiceProb()}:
            value = seen.observation.signals[signal]
            assert isinstance(value, Missing) or value is not None
            if not isinstance(value, Missing):
                assert_value(signal, value)

    def test_the_work_is_that_of_the_answer_and_of_signals_asked_for(
        self, subject: Subject
    ) -> None:
        for seen in subject.observe([subject.question(text) for text in TEXTS], subject.signals):
            if not seen.work:
                continue
            assert [each.signal is None for each in seen.work] == [
                at == 0 for at in range(len(seen.work))
            ]
            assert {each.signal for each in seen.work[1:]} <= subject.signals
            for at, each in enumerate(seen.work):
                assert each.prompt >= 0
                assert each.generated >= 0
                assert each.seconds >= 0
                assert len(each.shares) in (0, at)
                assert each.cached is None or 0 <= each.cached <= each.prompt

    def test_think_text_is_not_part_of_the_answer(self, make: Make) -> None:
        plain = make()
        asked = plain.question(TEXTS[1])
        whole = plain.greedy(plain.rendered(asked), 12)
        mark = whole.text()[2:5]
        answer = whole.text().rpartition(mark)[2].lstrip()
        thinking = make(think_end=mark)
        signals = {TokenLogprobs()} & thinking.signals
        # A stop string within the think text does not count.
        for until in ([], [whole.text()[:2]]):
            asked = thinking.question(TEXTS[1], until=until)
            (seen,) = thinking.observe([asked], signals)
            kept = answer.partition(until[0])[0] if until else answer
            assert seen.observation.answer == kept
            if not kept:
                assert_nothing_is_told(seen.observation.signals)
            elif TokenLogprobs() in signals and not until:
                logprobs = seen.observation[TokenLogprobs()].logprobs
                assert logprobs == pytest.approx(
                    whole.logprobs[len(whole.logprobs) - len(logprobs) :], abs=thinking.tolerance
                )

    def test_a_next_word_is_summed_over_the_tokens_that_begin_it(self, subject: Subject) -> None:
        self._needs(subject, NextTokenProbs)
        asked = [subject.question(text) for text in TEXTS]
        for question, seen in zip(asked, subject.observe(asked, {P_TRUE}), strict=True):
            answer = seen.observation.answer
            turn = P_TRUE.follow_up.replace("{answer}", answer)
            prompt = subject.rendered(question, ("assistant", answer), ("user", turn))
            if not self._is_read_alike(subject, question, prompt):
                continue
            logits = subject.forward(subject.encode(prompt)).logits[0, -1].double()
            for word in P_TRUE.words:
                spelled = {subject.encode_within(lead + word)[0] for lead in ("", " ")}
                expected = sum(float(logits.softmax(-1)[token]) for token in spelled)
                assert seen.observation[P_TRUE][word] == pytest.approx(expected, rel=2e-3)

    def test_a_first_word_is_that_of_the_restated_question(self, subject: Subject) -> None:
        self._needs(subject, FirstTokenProbs)
        asked = [subject.question(text) for text in TEXTS]
        for question, seen in zip(asked, subject.observe(asked, {CAN_ANSWER}), strict=True):
            messages = [{"role": "user", "content": question.restated_text[CAN_ANSWER]}]
            prompt = subject.encode(subject.reference.apply_chat_template(messages))
            chances = subject.forward(prompt).logits[0, -1].double().softmax(-1)
            for word in CAN_ANSWER.words:
                spelled = {subject.encode_within(lead + word)[0] for lead in ("", " ")}
                expected = sum(float(chances[token]) for token in spelled)
                assert seen.observation[CAN_ANSWER][word] == pytest.approx(expected, rel=2e-3)

    def test_a_model_that_thinks_aloud_has_no_first_word(self, make: Make) -> None:
        thinking = make(think_end="</think>")
        self._needs(thinking, FirstTokenProbs)
        assert "thinks aloud" in (thinking.backend.refuses(CAN_ANSWER) or "")

    @pytest.mark.parametrize("signal", [HOW_OF_SAMPLES, SURE_OF_SAMPLES], ids=["word", "reply"])
    def test_a_follow_up_may_show_the_samples(self, subject: Subject, signal: Any) -> None:
        self._needs(subject, Samples)
        self._needs(subject, type(signal))
        asked = [subject.question(text, until=["\n\n"]) for text in TEXTS]
        signals = {signal, Samples(3)} if subject.seeds_samples else {signal, SHOWN}
        for question, seen in zip(asked, subject.observe(asked, signals), strict=True):
            answer = seen.observation.answer
            (drawn,) = (v for s, v in seen.observation.signals.items() if isinstance(s, Samples))
            lines = "\n".join(" ".join(one.split()) for one in drawn[: SHOWN.n])
            turn = signal.follow_up.replace("{samples}", lines).replace("{answer}", answer)
            prompt = subject.rendered(question, ("assistant", answer), ("user", turn))
            if not self._is_read_alike(subject, question, prompt):
                continue
            value = seen.observation[signal]
            if isinstance(signal, Reply):
                assert value == subject.greedy(prompt, 6).text()
                continue
            chances = subject.forward(subject.encode(prompt)).logits[0, -1].double().softmax(-1)
            for word in signal.words:
                spelled = {subject.encode_within(lead + word)[0] for lead in ("", " ")}
                expected = sum(float(chances[token]) for token in spelled)
                assert value[word] == pytest.approx(expected, rel=2e-3)

    def test_samples_that_are_shown_are_drawn_without_being_asked_for(
        self, subject: Subject
    ) -> None:
        self._needs(subject, Samples)
        (seen,) = subject.observe([subject.question(TEXTS[0])], {SURE_OF_SAMPLES})
        assert isinstance(seen.observation[SURE_OF_SAMPLES], str)

    def test_a_reply_is_the_greedy_one_to_the_whole_conversation(self, subject: Subject) -> None:
        self._needs(subject, Reply)
        asked = [subject.question(text, until=["\n\n"]) for text in TEXTS]
        for question, seen in zip(asked, subject.observe(asked, {SURE}), strict=True):
            answer = seen.observation.answer
            turns = ("assistant", answer), ("user", SURE.follow_up)
            prompt = subject.rendered(question, *turns)
            if self._is_read_alike(subject, question, prompt):
                assert seen.observation[SURE] == subject.greedy(prompt, 6).text()

    def test_a_restated_reply_is_the_greedy_one_to_the_restated_question(
        self, subject: Subject
    ) -> None:
        self._needs(subject, Restated)
        asked = [subject.question(text) for text in TEXTS]
        for question, seen in zip(asked, subject.observe(asked, {RESTATED}), strict=True):
            messages = [{"role": "user", "content": question.restated_text[RESTATED]}]
            prompt = subject.reference.apply_chat_template(messages)
            assert seen.observation[RESTATED] == subject.greedy(prompt, 16).text()

    @pytest.mark.parametrize(
        ("until", "reply"),
        [
            (["\n\nQuestion:"], "5\nConfidence: 90%"),
            (["\n"], "5\nConfidence: 90%"),
            (["\n\n", "."], "5\nConfidence: 90%"),
            ([], SELF_TALK),
        ],
    )
    def test_a_stated_confidence_is_that_of_the_question_asked(
        self, make: Make, until: list[str], reply: str
    ) -> None:
        text = "2 + 3?"
        subject = make(replies={f"{text}\n\n{STATED.instruction}": SELF_TALK, text: "5"})
        self._needs(subject, Restated)
        asked = subject.question(text, until=until, tokens=64, restated=[STATED])
        (seen,) = subject.observe([asked], {STATED})
        assert seen.observation[STATED] == reply
        method = Verbalization1S(instruction=STATED.instruction)
        assert method.confidence(seen.observation) == 0.9
        assert method.answer(seen.observation) == "5"

    def test_hidden_states_are_the_models_own(self, subject: Subject) -> None:
        self._needs(subject, HiddenState)
        asked = [subject.question(text) for text in TEXTS[:3]]
        states = {
            HiddenState(layer, position)
            for layer in (-8, -1)
            for position in ("last_prompt", "last_answer")
        }
        for question, seen in zip(asked, subject.observe(asked, states), strict=True):
            prompt = subject.encode(subject.rendered(question))
            answer = subject.greedy(subject.rendered(question), 12).ids
            for state in states:
                behind = answer if state.position == "last_answer" else []
                hidden = subject.forward([*prompt, *behind]).hidden_states[state.layer][0, -1]
                expected = hidden.float().numpy()
                scale = float(np.abs(expected).max())
                assert np.abs(seen.observation[state] - expected).max() < 1e-3 * scale

    def test_hidden_states_are_averaged_over_the_answer(self, subject: Subject) -> None:
        self._needs(subject, HiddenState)
        asked = [
            subject.question(TEXTS[0], until=["\n\n"]),
            subject.question(TEXTS[1], tokens=5),
            subject.question(TEXTS[2], tokens=1),
        ]
        states = {
            HiddenState(-1, "mean_answer"),
            HiddenState((-8, -1), "mean_answer"),
            HiddenState((-1, -8), "last_answer"),
        }
        for question, seen in zip(asked, subject.observe(asked, states), strict=True):
            prompt = subject.encode(subject.rendered(question))
            tokens = int(question.generation["max_gen_toks"])
            greedy = subject.greedy(subject.rendered(question), tokens)
            count = greedy.tokens_for(seen.observation.answer)
            hidden = subject.forward([*prompt, *greedy.ids[:count]]).hidden_states
            begin = len(prompt) if count else len(prompt) - 1
            for state in states:
                own = [hidden[layer][0, begin:].float() for layer in state.layers]
                means = [
                    each.mean(0) if state.position == "mean_answer" else each[-1] for each in own
                ]
                expected = torch.stack(means).numpy()
                value = np.atleast_2d(seen.observation[state])
                assert value.shape == expected.shape
                assert np.abs(value - expected).max() < 1e-3 * np.abs(expected).max()

    def test_prompt_states_are_means_over_the_prompt(self, subject: Subject) -> None:
        self._needs(subject, PromptStates)
        asked = [subject.question(text) for text in TEXTS[:3]]
        for question, seen in zip(asked, subject.observe(asked, {PromptStates()}), strict=True):
            layers = subject.forward(subject.encode(subject.rendered(question))).hidden_states
            means = torch.stack([layer[0].float().mean(0) for layer in layers]).numpy()
            assert np.allclose(seen.observation[PromptStates()], means, rtol=1e-3, atol=1e-3)

    def test_prompts_alone_tell_what_they_tell_beside_an_answer(self, subject: Subject) -> None:
        backend = subject.backend
        signals = frozenset(one for one in subject.signals if not one.needs_answer)
        if not isinstance(backend, ReadsPrompts) or not signals:
            pytest.skip("this backend answers every prompt that it reads")
        asked = [subject.question(text) for text in TEXTS]
        for wanted in (signals, *(frozenset({signal}) for signal in signals)):
            beside = subject.observe(asked, wanted)
            alone = sorted(backend.observe_prompts(asked, wanted, 0), key=lambda one: one.index)
            for question, one, other in zip(asked, alone, beside, strict=True):
                assert (one.observation.answer, one.tokens) == ("", None)
                for signal in wanted:
                    values = (each.observation.signals[signal] for each in (one, other))
                    assert_alike(*values, 10 * subject.tolerance)
                # What is read is the question's own prompt, or the restated one, and no more.
                more = [{"role": "user", "content": question.restated_text[CAN_ANSWER]}]
                restated = subject.reference.apply_chat_template(more)
                read = {None: subject.rendered(question), CAN_ANSWER: restated}
                for each in one.work:
                    assert each.signal in wanted
                    prompt = read[CAN_ANSWER if each.signal == CAN_ANSWER else None]
                    assert each.prompt == len(subject.encode(prompt))
                    # An engine may have to generate a token, which it does not read.
                    assert each.generated <= 1

    def test_samples_are_further_answers_seeded_by_question(self, subject: Subject) -> None:
        self._needs(subject, Samples)
        asked = [subject.question(text) for text in TEXTS]
        drawn = [one.observation[Samples(3)] for one in subject.observe(asked, {Samples(3)})]
        assert all(len(samples) == 3 for samples in drawn)
        assert any(len(set(samples)) > 1 for samples in drawn)
        if subject.seeds_samples:
            (alone,) = subject.observe([asked[2]], {Samples(3)})
            assert alone.observation[Samples(3)] == drawn[2]
            other = [one.observation[Samples(3)] for one in subject.observe(asked, {Samples(3)}, 1)]
            assert other != drawn

    def test_samples_carry_the_log_probabilities_of_their_tokens(self, subject: Subject) -> None:
        self._needs(subject, Samples)
        self._needs(subject, TokenLogprobs)
        # Raw logits, whatever the temperature.
        drawn = Samples(3, 0.7)
        asked = [subject.question(text) for text in TEXTS]
        for question, seen in zip(asked, subject.observe(asked, {drawn}), strict=True):
            prompt = subject.encode(subject.rendered(question))
            for sample in seen.observation[drawn]:
                assert isinstance(sample, Sample)
                if sample.tokens is None:  # a server's tokens need not spell every text
                    assert not sample.isascii() or not sample.strip()
                    continue
                ids = list(sample.tokens.ids)
                if -1 in ids:
                    ids = subject.encode_within(sample)
                    if len(ids) != len(sample.tokens.logprobs):
                        continue
                assert subject.reference.tokenizer.decode(ids, skip_special_tokens=True) == sample
                logits = subject.forward([*prompt, *ids]).logits[0].double().log_softmax(-1)
                logprobs = [
                    float(logits[at, token]) for at, token in enumerate(ids, len(prompt) - 1)
                ]
                assert sample.tokens.logprobs == pytest.approx(logprobs, abs=subject.tolerance)

    def test_order_and_company_change_nothing(self, subject: Subject) -> None:
        # Each alone, all in order, and all the other way round.
        signals = {one for one in subject.signals if not isinstance(one, Samples)}
        asked = [subject.question(text, until=["\n\n"]) for text in TEXTS]
        together = subject.observe(asked, signals)
        turned = subject.observe(asked[::-1], signals)[::-1]
        alone = [subject.observe([question], signals)[0] for question in asked]
        for one, *others in zip(together, turned, alone, strict=True):
            for other in others:
                assert one.observation.answer == other.observation.answer
                for signal in signals:
                    assert_alike(
                        one.observation.signals[signal],
                        other.observation.signals[signal],
                        10 * subject.tolerance,
                    )

    @pytest.mark.parametrize("limit", [0, -1])
    def test_a_question_that_cannot_be_asked_is_an_error_before_the_first(
        self, subject: Subject, limit: int
    ) -> None:
        good = subject.question(TEXTS[0])
        bad = replace(good, generation={"max_gen_toks": limit})
        with pytest.raises(ValueError, match="max_gen_toks must be 1 or more"):
            next(iter(subject.backend.observe([good, bad], frozenset(), 0)))

    def test_no_questions_are_no_work(self, subject: Subject) -> None:
        assert subject.observe([], subject.signals) == []

    def test_a_fingerprint_is_json_and_stays_the_same(self, make: Make) -> None:
        one, other = make(), make()
        assert isinstance(one.backend, Resumable) and isinstance(other.backend, Resumable)
        prints = [dict(subject.backend.fingerprint()) for subject in (one, other)]
        # What differs between two servers of one model is where they are.
        texts = [json.dumps({**each, "url": None}, sort_keys=True) for each in prints]
        assert texts[0] == texts[1]

    def test_a_run_that_goes_on_gives_what_it_would_have_given(self, subject: Subject) -> None:
        signals = {one for one in subject.signals if not isinstance(one, Samples)}
        asked = [subject.question(text) for text in TEXTS]
        whole = subject.observe(asked, signals)
        kept: list[Observed] = []
        for seen in subject.backend.observe(asked, signals, 0):
            kept.append(seen)
            if seen.ends_batch:
                break
        done = {seen.index for seen in kept}
        left = [index for index in range(len(asked)) if index not in done]
        rest = subject.observe([asked[index] for index in left], signals)
        again = {**{s.index: s for s in kept}, **dict(zip(left, rest, strict=True))}
        for seen in whole:
            assert again[seen.index].observation.answer == seen.observation.answer
            for signal in signals:
                values = (one.observation.signals[signal] for one in (again[seen.index], seen))
                assert_alike(*values, 10 * subject.tolerance)

    def _needs(self, subject: Subject, kind: type[Signal[Any]]) -> None:
        if kind in subject.refuses:
            pytest.skip(f"this backend refuses {kind.__name__}, and says why")

    def _is_read_alike(self, subject: Subject, question: Question, prompt: str) -> bool:
        """Whether the conversation, read anew, has the answer in the tokens that were generated."""
        head = subject.rendered(question)
        generated = [*subject.encode(head), *subject.greedy(head, 12).ids]
        return subject.encode(prompt)[: len(generated)] == generated


def replace_stops(question: Question, until: Sequence[str]) -> Question:
    """The question with other stop strings."""
    return replace(question, generation={**question.generation, "until": list(until)})


def assert_nothing_is_told(signals: Mapping[Signal[Any], Any]) -> None:
    """Hold the signals of an empty answer to say nothing of tokens that are not there."""
    for signal, value in signals.items():
        if isinstance(signal, TokenLogprobs) and not isinstance(value, Missing):
            assert value.logprobs == ()
        if isinstance(signal, ChoiceProb):
            assert isinstance(value, Missing)


def assert_value(signal: Signal[Any], value: Any) -> None:
    """Hold a value to its signal's type and range."""
    match signal:
        case TokenLogprobs():
            assert isinstance(value, Tokens)
            assert len(value.ids) == len(value.logprobs)
            assert all(math.isfinite(one) and one <= 0 for one in value.logprobs)
        case TokenStatistics():
            assert isinstance(value, VocabularyStatistics)
            assert len({len(each) for each in value}) == 1
            for entropy, first, second, mean, possible in zip(*value, strict=True):
                assert 0 <= second <= first <= 1
                assert 0 <= entropy <= math.log(possible) + 1e-6 <= -mean + 2e-6
        case ChoiceProb():
            assert 0 <= value <= 1
        case HiddenState():
            several = isinstance(signal.layer, tuple)
            assert value.shape[:-1] == ((len(signal.layers),) if several else ())
            assert value.dtype == np.float32 and np.isfinite(value).all()
        case PromptStates():
            assert value.ndim == 2 and value.dtype == np.float32 and np.isfinite(value).all()
        case Samples(n=n):
            assert len(value) == n and all(isinstance(one, str) for one in value)
            for one in value:
                if isinstance(one, Sample) and one.tokens is not None:
                    assert_value(TokenLogprobs(), one.tokens)
        case NextTokenProbs(words=words) | FirstTokenProbs(words=words):
            assert set(value) == set(words)
            assert all(0 <= one <= 1 for one in value.values())
        case Reply() | Restated():
            assert type(value) is str
        case _:
            raise AssertionError(f"the contract does not know {signal!r}")


def assert_alike(one: Any, other: Any, tolerance: float) -> None:
    """Hold two values of a signal to be the same, but for rounding."""
    if isinstance(one, Tokens):
        assert one.ids == other.ids
        assert one.logprobs == pytest.approx(other.logprobs, abs=tolerance)
    elif isinstance(one, VocabularyStatistics):
        for value, other_value in zip(one, other, strict=True):
            assert value == pytest.approx(other_value, abs=tolerance)
    elif isinstance(one, np.ndarray):
        assert np.allclose(one, other, rtol=tolerance, atol=tolerance * float(np.abs(one).max()))
    elif isinstance(one, Mapping | float):
        assert one == pytest.approx(other, abs=tolerance)
    else:
        assert one == other
