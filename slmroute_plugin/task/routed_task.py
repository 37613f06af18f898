"""The task class of lm-eval for questions with signals, and for answers with confidences."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import partial
from typing import Any

from slmroute_plugin.conversation import Message, messages_hash
from slmroute_plugin.harness import FilterEnsemble, warning_once
from slmroute_plugin.observation import Answer
from slmroute_plugin.plugins.llms import llm_for
from slmroute_plugin.processes import is_first_of_equals
from slmroute_plugin.routing.routed_answer import RoutedAnswer
from slmroute_plugin.run.instance import RoutedInstance
from slmroute_plugin.run.request import REQUEST_TYPE, add_request_type
from slmroute_plugin.scoring import score
from slmroute_plugin.scoring.final_answers import FinalAnswers
from slmroute_plugin.scoring.judge.judge import Judge
from slmroute_plugin.scoring.scorer import QuestionScorer, cases
from slmroute_plugin.settings.chosen_methods import other_questions
from slmroute_plugin.settings.parsing import parse_settings
from slmroute_plugin.storage.sample_files import ANSWERED, SLM_FILTER
from slmroute_plugin.task.aggregations import aggregation_for, higher_is_better, mean_of_known
from slmroute_plugin.task.cached_requests import are_current
from slmroute_plugin.task.columns import routed_columns, slm_columns
from slmroute_plugin.task.filters import JudgingFilter, PlainTextFilter, SlmFilter
from slmroute_plugin.task.model_arguments import exposed_keys, model_arguments, model_name
from slmroute_plugin.task.questions import question_of
from slmroute_plugin.task.routed_filter import RoutedFilter, RoutedTaskFacts
from slmroute_plugin.task.row_checks import named_template
from slmroute_plugin.task.rows import Doc, RowTask
from slmroute_plugin.task.stock_scoring import GENERATED, check_output_type

logger = logging.getLogger(__name__)

_EXPOSED = (
    "--model_args holds a key ({}), and lm-eval writes these arguments into its logs and results: "
    "set the environment variable that the model class reads (OPENAI_API_KEY) instead, and replace "
    "the key before the results are passed on"
)


class RoutedTask(RowTask):
    """An lm-eval task whose answers carry confidences.

    It is written in YAML like any other task, with these keys besides lm-eval's:
        scoring: The rule, `{rule: <name>, false_answers: <column or template>}`; or, for a task
            that comes with lm-eval, `{rule: task, metric: <name>, filter: <name>}`, which leaves
            its prompts, filters and metrics as they are.
        cue: A last line of the user turn ("Answer:"), below any further instruction.
        subsample: A fixed random part of the split to evaluate, `{rows: n, seed: s}`.
        dataset: The family of data that the task draws from (default: its name on the Hub, or
            the task's name). Subsets and copies of one data set share it.
        probe_rows: What probes may do with the rows: `training` if probes are to learn from this
            task, `cross_fit` if probes have nothing else to learn from; default `evaluation`.

    Raises:
        SettingsError: If `metadata.slmroute` cannot be used.
        ValueError: If a key above is missing or wrong, or if the data lacks a split.
    """

    def __init__(
        self,
        data_dir: str | None = None,
        cache_dir: str | None = None,
        download_mode: Any = None,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        metadata = (config or {}).get("metadata") or {}
        self.settings = parse_settings(metadata.get("slmroute"))
        if exposed := exposed_keys(metadata):
            # The warning is given once, however many tasks there are.
            warning_once(logger, _EXPOSED.format(", ".join(exposed)))
        self._model_name = model_name(metadata)
        self._model_arguments = model_arguments(metadata)
        self._samples: list[int] | None = None
        self._columns: dict[str, None] = {}
        self._messages: list[Message] = []
        self._routes_before = False
        check_output_type(config or {}, GENERATED, type(self).__name__)
        super().__init__(data_dir, cache_dir, download_mode, config)
        self.judge: Judge | None = None
        if self.settings.judge and self.rule.kind == "free":
            llm = partial(llm_for, self.settings.judge.llm(), self.settings.results)
            self.judge = Judge(self.settings.judge, llm, self.source.task)
        judging: list[Callable[[], Any]] = []
        if self.judge:
            judging.append(partial(JudgingFilter, self._consider))
        stock = self._filters if self.stock else []
        self._filters = [
            *(FilterEnsemble(each.name, [PlainTextFilter, *each.filters]) for each in stock),
            FilterEnsemble(SLM_FILTER, [SlmFilter, *judging]),
        ]
        if self.settings.route and self.source.rows != "training":
            self._routes_before = self.settings.route.when == "before"
            facts = RoutedTaskFacts(self.source.task, self.settings, self.config.generation_kwargs)
            routed: Callable[[], Any] = partial(RoutedFilter, facts, self.settings.route)
            self._filters.append(FilterEnsemble("routed", [routed, *judging]))
        if self.stock:
            self._try_metric()
        add_request_type()

    def scorer(self, doc: Doc, judge: Judge | None = None) -> QuestionScorer:
        """Return the scorer of replies to a row.

        Replies are scored by `judge`, else by the task's own judge, else by the rule.
        """
        return QuestionScorer(
            self.rule, self.doc_to_text(doc), self.reference(doc), judge or self.judge
        )

    def build_all_requests(
        self, *, samples: list[int] | None = None, cache_requests: bool = False, **kwargs: Any
    ) -> None:
        """Build the requests, and attach what our request type needs to serve them.

        lm-eval's cache of requests does not know which samples it holds. It is not used if samples
        are chosen, and requests in it that are not those of this run are built anew.
        """
        self._samples = samples or None
        cached = cache_requests and not samples
        super().build_all_requests(samples=samples, cache_requests=cached, **kwargs)
        if cached and not self._are_current(**kwargs):
            logger.warning(
                "%s: lm-eval's cache holds other requests than those of this run, which are built "
                "anew; --cache_requests refresh replaces them.",
                self.config.task,
            )
            super().build_all_requests(samples=samples, cache_requests=False, **kwargs)
        # This is done here rather than in construct_requests, because requests that come out of
        # lm-eval's cache were pickled under other settings.
        chat = bool(kwargs.get("apply_chat_template"))
        restated = other_questions(self.settings)
        for instance in self._instances or []:
            row = self.asked_row(instance.doc, restated)
            instance.question = question_of(row, self.rule, instance, chat)
            instance.answer_rule = partial(FinalAnswers, self.rule, row.reference)
            instance.settings = self.settings
            instance.model_name = self._model_name
            instance.model_arguments = self._model_arguments
            instance.source = self.source
            instance.logged_doc_id = (
                self._samples[instance.doc_id] if self._samples else instance.doc_id
            )

    def _are_current(
        self, *, limit: int | None = None, rank: int = 0, world_size: int = 1, **_: Any
    ) -> bool:
        rows = self.doc_iterator(rank=rank, limit=limit, world_size=world_size)
        return are_current(self._instances, rows, self.config.generation_kwargs, self.doc_to_text)

    def fewshot_context(
        self, doc: Doc, *args: Any, chat_template: Callable[..., Any] | None = None, **kwargs: Any
    ) -> Any:
        """Return the prompt of a row, and remember the conversation that it was made from."""

        def template(messages: list[dict[str, str]], **options: Any) -> Any:
            self._messages = [Message(role=m["role"], content=m["content"]) for m in messages]
            with named_template(str(self.config.task)):
                return chat_template(messages, **options) if chat_template else messages

        self._messages = []
        return super().fewshot_context(
            doc, *args, chat_template=template if chat_template else None, **kwargs
        )

    def construct_requests(self, doc: Any, ctx: str, **kwargs: Any) -> RoutedInstance:
        """Make the request for a row."""
        messages = self._messages or [Message(role="user", content=ctx)]
        # lm-eval logs the arguments: the hash shows that another model, with another chat
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
        """Return the columns of one sample; see `results/README.md`."""
        reply = results[0]
        if self.stock and not isinstance(reply, Answer | RoutedAnswer):
            # A filter that came with the task made it: the metrics that came with the task follow.
            stock: dict[str, Any] = super().process_results(doc, results)
            return stock
        answer = reply if isinstance(reply, Answer) else Answer(str(reply))
        columns: dict[str, Any] = {}
        if "bypass" in self._metric_fn_list:
            columns["bypass"] = 999
        if isinstance(reply, RoutedAnswer):
            columns |= routed_columns(reply, self.scorer(doc))
        else:
            columns |= slm_columns(answer, self.scorer(doc))
            if self._routes_before:
                columns[ANSWERED] = float(answer.answered)
        self._columns |= dict.fromkeys(columns)
        return columns

    def aggregation(self) -> dict[str, Callable[[Any], Any]]:
        """Return the aggregation of each column for lm-eval's table."""
        stock = self._aggregation_list if self.stock else {}
        own = {
            column: self._aggregation_list.get(column) or aggregation_for(column)
            for column in self._columns
        }
        # Of a question that the SLM did not answer, it is not known whether it is right.
        return stock | own | ({"acc": mean_of_known} if self._routes_before else {})

    def higher_is_better(self) -> dict[str, bool]:
        """Return which columns are better if they are higher; others are left out."""
        stock = self._higher_is_better if self.stock else {}
        return stock | higher_is_better(self._columns)

    def _try_metric(self) -> None:
        """Score an empty reply, so that a metric that says no right or wrong shows at once."""
        try:
            score(self.rule, "", self.reference(self.task_docs[0]))
        except ValueError as error:
            raise ValueError(f"{self.config.task}: {error}") from None

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
