"""The one lm-eval task class: questions with signals in, answers with confidences out."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from functools import partial
from typing import Any

from lm_eval.api.filter import FilterEnsemble
from lm_eval.api.task import ConfigurableTask
from lm_eval.utils import apply_template, create_iterator, warning_once

from slmroute_plugin.conversation import Message, messages_hash
from slmroute_plugin.observation import Answer
from slmroute_plugin.plugins.llms import llm_for
from slmroute_plugin.processes import is_first_of_equals
from slmroute_plugin.routing.routed_answer import RoutedAnswer
from slmroute_plugin.run.instance import RoutedInstance
from slmroute_plugin.run.request import REQUEST_TYPE, add_request_type
from slmroute_plugin.scoring import Reference
from slmroute_plugin.scoring.judge.judge import Judge
from slmroute_plugin.scoring.scorer import QuestionScorer, cases
from slmroute_plugin.settings.chosen_methods import chosen_methods
from slmroute_plugin.settings.parsing import parse_settings
from slmroute_plugin.signals import Restated
from slmroute_plugin.storage.sample_files import SLM_FILTER
from slmroute_plugin.task.aggregations import aggregation_for
from slmroute_plugin.task.columns import routed_columns, slm_columns
from slmroute_plugin.task.data import check_split, mirrored, named_dataset
from slmroute_plugin.task.filters import JudgingFilter, SlmFilter
from slmroute_plugin.task.keys import take_keys
from slmroute_plugin.task.model_arguments import exposed_keys, model_arguments, model_name
from slmroute_plugin.task.questions import AskedRow, question_of
from slmroute_plugin.task.routed_filter import RoutedFilter, RoutedTaskFacts
from slmroute_plugin.task.row_checks import named_columns, named_template

logger = logging.getLogger(__name__)

Doc = Mapping[str, Any]

_EXPOSED = (
    "--model_args holds a key ({}), and lm-eval writes these arguments into its logs and results: "
    "set the environment variable that the model class reads (OPENAI_API_KEY) instead, and replace "
    "the key before the results are passed on"
)


class RoutedTask(ConfigurableTask):  # type: ignore[misc]
    """A lm-eval task whose answers carry confidences.

    Written in YAML like any other, with these keys besides lm-eval's:
        scoring: `{rule: <name>, false_answers: <column or template>}`.
        cue: a last line of the user turn ("Answer:"), below any further instruction.
        subsample: `{rows: n, seed: s}` evaluates a fixed random part of the split.
        dataset: the family of data that the task draws from (default: its name on the Hub,
            or the task's name); subsets and copies of one data set share it.
        probe_rows: `training` if probes are to learn from this task, `cross_fit` if they have
            nothing else to learn from; default `evaluation`.

    Raises:
        SettingsError: `metadata.slmroute` cannot be used.
        ValueError: a key above is missing or wrong, or the data lacks a split.
    """

    def __init__(
        self,
        data_dir: str | None = None,
        cache_dir: str | None = None,
        download_mode: Any = None,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        own = dict(config or {})
        own.pop("class", None)
        self.keys = take_keys(own)
        self.rule = self.keys.rule
        metadata = own.get("metadata") or {}
        self.settings = parse_settings(metadata.get("slmroute"))
        if exposed := exposed_keys(metadata):
            # Once, however many tasks there are.
            warning_once(logger, _EXPOSED.format(", ".join(exposed)))
        self._model_name = model_name(metadata)
        self._model_arguments = model_arguments(metadata)
        self.source = self.keys.source(own)
        self._samples: list[int] | None = None
        self._columns: dict[str, None] = {}
        self._messages: list[Message] = []
        self._eval_docs: Any = None
        super().__init__(data_dir, cache_dir, download_mode, config=own)
        self.judge: Judge | None = None
        if self.settings.judge and self.rule.kind == "free":
            llm = partial(llm_for, self.settings.judge.llm(), self.settings.results)
            self.judge = Judge(self.settings.judge, llm, self.source.task)
        judging: list[Callable[[], Any]] = []
        if self.judge:
            judging.append(partial(JudgingFilter, self._consider))
        self._filters = [FilterEnsemble(SLM_FILTER, [SlmFilter, *judging])]
        if self.settings.route and self.source.rows != "training":
            facts = RoutedTaskFacts(self.source.task, self.settings, self.config.generation_kwargs)
            routed: Callable[[], Any] = partial(RoutedFilter, facts, self.settings.route)
            self._filters.append(FilterEnsemble("routed", [routed, *judging]))
        add_request_type()

    def download(self, dataset_kwargs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Load the dataset: from `$SLMROUTE_DATA/<org>/<name>` if that folder exists, else the Hub.

        Raises:
            ValueError: a split that the task names is not there.
        """
        task, dataset = str(self.config.task), self.config.dataset_path
        if folder := mirrored(dataset):
            self.DATASET_PATH = folder
        with named_dataset(task, dataset):
            super().download(dataset_kwargs, **kwargs)
        split = self.config.test_split or self.config.validation_split
        check_split(task, self.DATASET_PATH, self.dataset, split)

    @property
    def eval_docs(self) -> Any:
        """The rows to evaluate: the task's split, or the fixed part of it that it asks for."""
        if self._eval_docs is None:
            docs = super().eval_docs
            part = self.keys.subsample
            if part and part["rows"] < len(docs):
                drawn = random.Random(part["seed"]).sample(range(len(docs)), part["rows"])
                docs = docs.select(sorted(drawn))
            self._eval_docs = docs
        return self._eval_docs

    def doc_iterator(
        self,
        *,
        rank: int = 0,
        limit: int | None = None,
        world_size: int = 1,
        samples: list[int] | None = None,
    ) -> Iterator[tuple[int, Any]]:
        """Pairs of position and row for one rank.

        With `samples`, rows come in the order of the ids given: lm-eval logs the i-th row
        under the i-th id.
        """
        if not samples:
            every: Iterator[tuple[int, Any]] = super().doc_iterator(
                rank=rank, limit=limit, world_size=world_size
            )
            return every
        rows = len(self.eval_docs)
        outside = [index for index in samples if not 0 <= index < rows]
        if outside:
            raise ValueError(
                f"--samples for {self.config.task}: {outside} lie outside 0…{rows - 1}."
            )
        chosen: Iterator[tuple[int, Any]] = create_iterator(
            enumerate(self.eval_docs[index] for index in samples),
            rank=int(rank),
            limit=None,
            world_size=int(world_size),
        )
        return chosen

    def doc_to_text(self, doc: Doc, doc_to_text: Any = None) -> str:
        """The user turn: the question and its instruction, and the cue."""
        with named_columns(str(self.config.task), doc):
            return self._with_cue(super().doc_to_text(doc, doc_to_text))

    def doc_to_target(self, doc: Doc, doc_to_target: Any = None) -> Any:
        """The right answer: for choices its letter."""
        with named_columns(str(self.config.task), doc):
            target = super().doc_to_target(doc, doc_to_target)
        if isinstance(target, int) and self.rule.kind == "choice":
            return chr(ord("A") + target)
        return target

    def doc_to_decontamination_query(self, doc: Doc) -> str:
        """The question's own text, without instruction and options: what it is known by."""
        query = self.config.doc_to_decontamination_query
        if not self.config.should_decontaminate or query is None:
            return self.doc_to_text(doc)
        # lm-eval's own would read a rendered template as a Python literal.
        return str(doc[query] if query in doc else apply_template(query, doc))

    def reference(self, doc: Doc) -> Reference:
        """What a reply to this row is held against."""
        target = self.doc_to_target(doc)
        targets = target if isinstance(target, list) else [target]
        options = self.doc_to_choice(doc) if self.config.doc_to_choice is not None else []
        false: Any = []
        if self.keys.false_answers:
            false = super().doc_to_target(doc, self.keys.false_answers)
        return Reference(
            targets=tuple(str(each) for each in targets),
            options=tuple(str(each) for each in options),
            false_answers=tuple(str(each) for each in false),
        )

    def scorer(self, doc: Doc, judge: Judge | None = None) -> QuestionScorer:
        """Scores replies to this row: by `judge`, the task's own judge, or the rule."""
        return QuestionScorer(
            self.rule, self.doc_to_text(doc), self.reference(doc), judge or self.judge
        )

    def build_all_requests(self, *, samples: list[int] | None = None, **kwargs: Any) -> None:
        """Build the requests, and attach what our request type needs to serve them."""
        self._samples = samples or None
        super().build_all_requests(samples=samples, **kwargs)
        # Here rather than in construct_requests: requests that come out of lm-eval's cache
        # were pickled under other settings.
        chat = bool(kwargs.get("apply_chat_template"))
        restated = self._restated_signals()
        for instance in self._instances or []:
            row = self._asked_row(instance.doc, restated)
            instance.question = question_of(row, self.rule, instance, chat)
            instance.settings = self.settings
            instance.model_name = self._model_name
            instance.model_arguments = self._model_arguments
            instance.source = self.source
            instance.logged_doc_id = (
                self._samples[instance.doc_id] if self._samples else instance.doc_id
            )

    def fewshot_context(
        self, doc: Doc, *args: Any, chat_template: Callable[..., Any] | None = None, **kwargs: Any
    ) -> Any:
        """The prompt; the conversation that the chat template is given is remembered with it."""

        def template(messages: list[dict[str, str]], **how: Any) -> Any:
            self._messages = [Message(role=m["role"], content=m["content"]) for m in messages]
            with named_template(str(self.config.task)):
                return chat_template(messages, **how) if chat_template else messages

        self._messages = []
        return super().fewshot_context(
            doc, *args, chat_template=template if chat_template else None, **kwargs
        )

    def construct_requests(self, doc: Any, ctx: str, **kwargs: Any) -> RoutedInstance:
        """One request for one row."""
        messages = self._messages or [Message(role="user", content=ctx)]
        # lm-eval logs the arguments: the last one tells that another model, with another chat
        # template, was asked the same.
        same = {"messages_hash": messages_hash(messages)}
        return RoutedInstance(
            request_type=REQUEST_TYPE,
            doc=doc,
            arguments=(ctx, deepcopy(self.config.generation_kwargs), same),
            idx=0,
            metadata=kwargs["metadata"],
            messages=messages,
        )

    def process_results(self, doc: Any, results: Sequence[Any]) -> dict[str, Any]:
        """The columns of one sample: see `results/README.md`."""
        reply = results[0]
        answer = reply if isinstance(reply, Answer) else Answer(str(reply))
        columns: dict[str, Any] = {}
        if "bypass" in self._metric_fn_list:
            columns["bypass"] = 999
        if isinstance(reply, RoutedAnswer):
            columns |= routed_columns(reply, self.scorer(doc))
        else:
            columns |= slm_columns(answer, self.scorer(doc))
        self._columns |= dict.fromkeys(columns)
        return columns

    def aggregation(self) -> dict[str, Callable[[Any], Any]]:
        """How each column is summed up in lm-eval's table."""
        return {
            column: self._aggregation_list.get(column) or aggregation_for(column)
            for column in self._columns
        }

    def higher_is_better(self) -> dict[str, bool]:
        """Which way is up, for the columns where there is one."""
        return {
            column: True
            for column in self._columns
            if column.partition("/")[0] in ("acc", "auroc", "answer")
        }

    def _consider(self, docs: Sequence[Doc], answers: Sequence[str]) -> None:
        if self.judge is None:
            return
        asked = [
            case
            for doc, answer in zip(docs, answers, strict=True)
            for case in cases(self.scorer(doc), answer)
        ]
        if is_first_of_equals([repr(case) for case in asked]):
            self.judge.consider(asked)
        else:
            self.judge.leave_to_another(asked)

    def _with_cue(self, text: str) -> str:
        return f"{text.rstrip()}\n{self.keys.cue}" if self.keys.cue else text.rstrip()

    def _restated_signals(self) -> list[Restated]:
        return [
            ask
            for method in chosen_methods(self.settings).values()
            for ask in method.asks
            if isinstance(ask, Restated)
        ]

    def _asked_row(self, doc: Doc, restated: Sequence[Restated]) -> AskedRow:
        return AskedRow(
            query=self.doc_to_decontamination_query(doc),
            text=self.doc_to_text(doc),
            restated={signal: self._restated_text(doc, signal) for signal in restated},
            reference=self.reference(doc),
        )

    def _restated_text(self, doc: Doc, signal: Restated) -> str:
        question = super().doc_to_text(doc).rstrip()
        return self._with_cue(f"{question}\n\n{signal.instruction}")
