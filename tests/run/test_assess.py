"""`slmroute_plugin.assess`: lists of prompts and chats, as a run of lm-eval would answer them."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any

import pytest
from lm_eval import simple_evaluate
from lm_eval.models.dummy import DummyLM
from lm_eval.models.openai_completions import LocalChatCompletion
from lm_eval.tasks import TaskManager
from stock_tasks import KnownReplies

from slmroute_plugin import Answer, TokenLogprobs, assess
from slmroute_plugin.backends import Question
from slmroute_plugin.backends.transformers.backend import TransformersBackend
from slmroute_plugin.include_path import include_path
from slmroute_plugin.plugins.backends import backend_for
from slmroute_plugin.settings.schema import SettingsError

SHORT = {"max_gen_toks": 6}
TEXTS = ["What is the capital of France?", "Name a colour.", "How many apples has Tom?"]


@pytest.fixture(scope="module")
def lm(tiny: Any) -> Any:
    return tiny(num_hidden_layers=9, max_position_embeddings=1024, max_length=1024)


def test_every_generating_method_gives_a_confidence_or_a_reason(
    lm: Any, generation_methods: frozenset[str]
) -> None:
    answers = assess(lm, TEXTS, sorted(generation_methods), generation=SHORT)
    assert len(answers) == len(TEXTS)
    for answer in answers:
        assert isinstance(answer, Answer) and isinstance(answer, str)
        assert set(answer.confidence) == generation_methods
        for method, confidence in answer.confidence.items():
            assert (confidence is None) == (method in answer.reasons)
            assert confidence is None or 0 <= confidence <= 1


def test_answers_and_confidences_are_those_of_a_run_of_lm_eval(lm: Any, tmp_path: Path) -> None:
    methods = ["perplexity", "p_true", "jaccard_degree", "verbalization_1s"]
    task = "slmroute_demo_arithmetic"
    settings = {"uq": methods, "results": str(tmp_path), "hidden_states": None, "journal": "off"}
    manager = TaskManager(
        include_path=include_path(), include_defaults=False, metadata={"slmroute": settings}
    )
    run = simple_evaluate(
        lm, tasks=[task], task_manager=manager, limit=3, bootstrap_iters=0, log_samples=True,
        apply_chat_template=True, gen_kwargs=dict(SHORT),
    )  # fmt: skip
    samples = run["samples"][task]
    row_task = manager.load([task])["tasks"][task]
    texts = [row_task.doc_to_text(sample["doc"]) for sample in samples]
    generation = {**samples[0]["arguments"][0][1]}
    chats = [[{"role": "user", "content": text}] for text in texts]
    for answers in (
        assess(lm, chats, methods, generation=generation),
        assess(lm, texts, methods, generation=generation, chat=True),
    ):
        assert answers == [sample["resps"][0][0] for sample in samples]
        for answer, sample in zip(answers, samples, strict=True):
            assert answer.prompt == sample["arguments"][0][0]
            ours = {method: sample[f"confidence/{method}"] for method in methods}
            assert answer.confidence == ours


def test_a_text_is_what_the_model_sees(lm: Any) -> None:
    (answer,) = assess(lm, ["Name a colour. "], ["perplexity"], generation=SHORT)
    assert answer.prompt == "Name a colour. "
    question = Question(prompt="Name a colour. ", text="Name a colour.", generation=SHORT)
    (seen,) = backend_for(lm).observe([question], {TokenLogprobs()}, 0)
    logprobs = seen.observation[TokenLogprobs()].logprobs
    assert answer == seen.observation.answer
    assert answer.confidence["perplexity"] == pytest.approx(
        math.exp(sum(logprobs) / len(logprobs)), abs=1e-12
    )
    assert answer.tokens == seen.tokens


def test_a_chat_keeps_its_earlier_turns(lm: Any) -> None:
    chat = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi"},
        {"role": "user", "content": "Name a colour."},
    ]
    (answer,) = assess(lm, [chat], ["perplexity"], generation=SHORT)
    assert answer.prompt == lm.apply_chat_template(chat)
    assert answer.messages == chat


def test_further_instructions_stand_above_the_cue() -> None:
    asked: list[str] = []

    def reply(prompt: str) -> str:
        asked.append(prompt)
        return "7\nConfidence: 80%" if "\n\n" in prompt else "7"

    question = "What is 3 + 4?\nAnswer:"
    (answer,) = assess(KnownReplies(reply), [question], ["verbalization_1s"], cue="Answer:")
    plain, restated = asked
    assert plain == question
    assert restated.startswith("What is 3 + 4?\n\n") and restated.endswith("\nAnswer:")
    assert answer.confidence == {"verbalization_1s": 0.8}
    assert answer == "7"


def test_the_probability_of_a_choice_is_that_of_the_option(lm: Any) -> None:
    options = [["red", "blue"]] * len(TEXTS)
    answers = assess(
        lm, TEXTS, ["average_token_prob"], kind="choice", options=options, generation=SHORT
    )
    # Random weights name no letter.
    assert {answer.confidence["average_token_prob"] for answer in answers} == {None}
    assert all("option" in answer.reasons["average_token_prob"] for answer in answers)


def test_the_seed_decides_the_samples(lm: Any) -> None:
    first, again, other = (
        [
            answer.confidence
            for answer in assess(
                lm, TEXTS * 4, ["jaccard_degree"], generation={"max_gen_toks": 1}, seed=seed
            )
        ]
        for seed in (0, 0, 1)
    )
    assert first == again != other


def test_options_of_a_method_are_those_of_the_settings(lm: Any) -> None:
    (answer,) = assess(
        lm, TEXTS[:1], ["jaccard_degree"], generation=SHORT,
        method_options={"jaccard_degree": {"n": 2}},
    )  # fmt: skip
    # Of two samples, the mean is ½ + ½·similarity.
    assert answer.confidence["jaccard_degree"] is not None
    assert answer.confidence["jaccard_degree"] >= 0.5


def test_samples_that_a_follow_up_shows_are_drawn_kept_and_counted(lm: Any, tmp_path: Path) -> None:
    asked = {"methods": ["p_true"], "method_options": {"p_true": {"shown_samples": 2}}}
    first = assess(lm, TEXTS, generation=SHORT, journal=tmp_path, **asked)
    again = assess(lm, TEXTS, generation=SHORT, journal=tmp_path, **asked)
    assert [answer.confidence for answer in first] == [answer.confidence for answer in again]
    assert None not in [answer.confidence["p_true"] for answer in first]
    for answer in first:
        samples = answer.work["work/samples"]
        alone = answer.work["method_work/p_true"]["alone"]
        assert 0 < samples["generated"] == alone["generated"]


def test_a_journal_gives_the_same_answers_without_asking(
    lm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = assess(lm, TEXTS, ["perplexity"], generation=SHORT, journal=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".journal"]

    def refuse(*arguments: Any, **options: Any) -> Any:
        raise AssertionError("the model was asked again")

    monkeypatch.setattr(TransformersBackend, "observe", refuse)
    again = assess(lm, TEXTS, ["perplexity"], generation=SHORT, journal=tmp_path)
    assert again == first
    assert [each.confidence for each in again] == [each.confidence for each in first]


def test_nothing_is_written_without_a_journal(
    lm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assess(lm, TEXTS[:1], generation=SHORT)
    assert list(tmp_path.iterdir()) == []


def test_models_that_show_text_alone_serve_the_methods_of_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert [each.confidence for each in assess(DummyLM(), TEXTS)] == [{}] * 3
    assert "shows text alone" in caplog.text
    named = assess(DummyLM(), TEXTS, ["verbalization_2s"])
    assert [set(each.confidence) for each in named] == [{"verbalization_2s"}] * 3


def test_chats_go_to_a_server_as_they_are(httpserver: Any) -> None:
    path = "/v1/chat/completions"
    message = {"content": "blue", "role": "assistant"}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    httpserver.expect_request(path).respond_with_json({"choices": [choice]})
    model = LocalChatCompletion(
        base_url=httpserver.url_for(path), model="any", tokenizer_backend=None,
        tokenized_requests=False, num_concurrent=1,
    )  # fmt: skip
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "A colour?"}]
    assert assess(model, [chat], "none", generation=SHORT) == ["blue"]
    assert httpserver.log[0][0].json["messages"] == [
        {"role": each["role"], "content": each["content"]} for each in chat
    ]


def test_no_questions_are_no_answers(lm: Any) -> None:
    assert assess(lm, []) == []


USER = {"role": "user", "content": "Hello"}


@pytest.mark.parametrize(
    ("question", "fault"),
    [
        ("  ", r"questions\[1\]: the question is empty"),
        (7, r"questions\[1\] is 7: a text or a list of messages"),
        ([], r"questions\[1\] is \[\]"),
        ([{"role": "user"}], r"questions\[1\]: \{'role': 'user'\} is not a message"),
        ([USER, {"role": "assistant", "content": "Hi"}], "the last message is of the role 'assist"),
        (["Hello"], "'Hello' is not a message"),
    ],
)
def test_a_question_that_cannot_be_asked_is_named(lm: Any, question: Any, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        assess(lm, ["Name a colour.", question], ["perplexity"])


def test_a_text_in_place_of_a_list_is_refused(lm: Any) -> None:
    with pytest.raises(ValueError, match="questions is a text"):
        assess(lm, "Name a colour.")


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"methods": ["perplexty"]}, "^methods: no UQ method .* Did you mean 'perplexity'"),
        ({"methods": "perplexity,p_tru"}, "^methods: no UQ method is called 'p_tru'"),
        ({"method_options": {"p_true": {"x": 1}}}, "^method_options.p_true: unknown option 'x'"),
        ({"methods": ["trained_probe"]}, "trained_probe needs a probe .* names no folder"),
        ({"seed": -1}, "^seed: .*not -1"),
        ({"kind": "letter"}, "kind must be"),
        ({"options": [["a", "b"]]}, "options are for kind='choice'"),
        ({"options": [["a", "b"]] * 2, "kind": "choice"}, "1 questions, but options of 2"),
        ({"generation": {"max_gen_toks": 0}}, "max_gen_toks must be 1 or more"),
    ],
)
def test_arguments_that_cannot_be_used_are_named(
    lm: Any, arguments: dict[str, Any], fault: str
) -> None:
    with pytest.raises(ValueError, match=fault):
        assess(lm, TEXTS[:1], **arguments)


def test_a_method_that_the_model_cannot_serve_is_named() -> None:
    with pytest.raises(SettingsError, match=r"^methods: p_true cannot run: the model"):
        assess(DummyLM(), TEXTS, ["p_true"])


def test_a_journal_of_a_model_that_cannot_be_seen_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^journal: "):
        assess(DummyLM(), TEXTS, "none", journal=tmp_path)


def test_a_model_without_a_chat_template_takes_texts(
    lm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lm.tokenizer, "chat_template", None)
    with pytest.raises(ValueError, match=r"questions\[0\]: the model cannot be asked this chat"):
        assess(lm, TEXTS, ["perplexity"], chat=True)


def test_missing_confidences_are_counted_once(lm: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "slmroute_plugin"):
        assess(lm, TEXTS, ["verbalization_2s"], generation=SHORT)
    lines = [line for line in caplog.messages if "has no confidence for 3 of 3" in line]
    assert len(lines) == 1
