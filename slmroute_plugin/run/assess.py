"""Answers with confidences for a list of prompts or chats, without tasks of lm-eval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slmroute_plugin.conversation import Message
from slmroute_plugin.observation import Answer, AnswerKind
from slmroute_plugin.run.assessor import NAME, Assessor
from slmroute_plugin.run.listed_questions import checked_options
from slmroute_plugin.run.request import answer_task

if TYPE_CHECKING:
    from slmroute_plugin.harness import LM


def assess(
    lm: LM,
    questions: Sequence[str | Sequence[Message]],
    methods: str | Sequence[str] = "auto",
    *,
    kind: AnswerKind = "free",
    options: Sequence[Sequence[str]] | None = None,
    chat: bool = False,
    cue: str = "",
    generation: Mapping[str, Any] | None = None,
    method_options: Mapping[str, Mapping[str, Any]] | None = None,
    seed: int = 0,
    journal: Path | str | None = None,
    probes: Path | str | None = None,
    dataset: str = "",
) -> list[Answer]:
    """Answer a list of prompts or chats, with a confidence in each answer from every method.

    Args:
        lm: A model of lm-eval, of any class. Its class decides what it can serve, as in a run.
        questions: The questions. A text is what the model sees, to the letter; a chat is a list
            of messages, `{"role": …, "content": …}`, of which the last is the user's, and goes
            through the model's chat template.
        methods: `auto` (every method that a local model can serve, but for those on request;
            none for a model behind an API), `all` (every method that can be served), `none`, or
            the names of methods.
        kind: The kind of answer: `free`, `choice` (the letter of an option) or `boolean` (true
            or false). It decides what `average_token_prob` is the probability of.
        options: For choices, the texts of the options of each question, in the order of their
            letters. Their number says which letters there are, so that without them no reply
            names one, and the probability of the choice is not known.
        chat: Whether a text is a user's message, and goes through the chat template too.
        cue: The last line of every question ("Answer:"), above which a method that asks for a
            further line (`verbalization_1s`) puts its instruction; "" for none.
        generation: lm-eval's generation settings (`until`, `max_gen_toks`, …). The answer is
            greedy unless they say otherwise.
        method_options: The fields of a method to replace, by method name; prompts, for instance.
        seed: The seed of the sampled answers.
        journal: A folder in which finished questions are kept, and from which they are taken
            when the same is asked again; None for no journal.
        probes: A model's folder of results (`results/<model>`) with fitted probes, for trained
            methods; None to leave these out.
        dataset: The family of data that the questions draw from, as it is called in the task
            that the probes were fitted for.

    Returns:
        An answer for each question, in the same order: a `str` with the attributes `confidence`
        and `reasons` by method, and others; see `Answer`.

    Raises:
        SettingsError: If a method is unknown or cannot be served, or if an option, the journal or
            a probe cannot be used. It is raised before the first token is generated.
        ValueError: If a question cannot be asked; its text names the question's index.
    """
    if isinstance(questions, str):
        raise ValueError("questions is a text: a list of questions is needed, [question].")
    given = checked_options(kind, options, len(questions))
    assessor = Assessor(
        lm, methods, kind=kind, chat=chat, cue=cue, method_options=method_options, seed=seed,
        journal=journal, probes=probes, dataset=dataset,
    )  # fmt: skip
    instances = [
        assessor.instance(question, generation or {}, given[index], index)
        for index, question in enumerate(questions)
    ]
    if not instances:
        return []
    return answer_task(lm, assessor.backend, NAME, instances, assessor.plan)
