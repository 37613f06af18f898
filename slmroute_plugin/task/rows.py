"""The rows of a task: which of them are evaluated, and what each of them asks."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from typing import Any

from slmroute_plugin.backends.restated import restated_text, with_cue
from slmroute_plugin.harness import ConfigurableTask, apply_template, create_iterator
from slmroute_plugin.scoring import Reference, Rule
from slmroute_plugin.settings.parsing import parse_settings
from slmroute_plugin.signals import FirstTokenProbs, Restated
from slmroute_plugin.task.data import check_split, mirrored, named_dataset
from slmroute_plugin.task.keys import take_keys
from slmroute_plugin.task.questions import AskedRow
from slmroute_plugin.task.row_checks import named_columns
from slmroute_plugin.task.stock_rule import StockReference, StockRule
from slmroute_plugin.task.stock_scoring import StockScoring

Doc = Mapping[str, Any]


class RowTask(ConfigurableTask):  # type: ignore[misc]
    """An lm-eval task that reads our keys in its file, and its rows.

    Attributes:
        keys: The values of our keys.
        rule: The rule by which replies are scored.
        stock: The metric and the filter that score replies, of a task whose prompts, filters and
            metrics stay those of lm-eval; None for a task of ours.
        source: The source of the task's answers.

    Raises:
        ValueError: If one of our keys is missing or wrong, or if the data lacks a split.
    """

    # lm-eval's own, which says nothing of its type.
    _filters: list[Any]

    def __init__(
        self, data_dir: str | None, cache_dir: str | None, download_mode: Any, config: Doc | None
    ) -> None:
        own = dict(config or {})
        own.pop("class", None)
        self.keys = take_keys(own)
        settings = parse_settings((own.get("metadata") or {}).get("slmroute"))
        drawn = settings.subsample
        self._subsample = self.keys.subsample if drawn is None else drawn.model_dump()
        scoring = self.keys.rule
        self.stock = scoring if isinstance(scoring, StockScoring) else None
        self.rule: Rule = StockRule(self, scoring) if isinstance(scoring, StockScoring) else scoring
        self.source = self.keys.source(own)
        self._eval_docs: Any = None
        super().__init__(data_dir, cache_dir, download_mode, config=own)
        # lm-eval replaces a task's metrics for --predict_only, and answers are scored all the same.
        self._as_configured = copy(self)
        self._stock_filters = {each.name: each for each in self._filters}

    def download(self, dataset_kwargs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Load the dataset from `$SLMROUTE_DATA/<org>/<name>` if that folder exists, else the Hub.

        Raises:
            ValueError: If a split that the task names is missing.
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
        """The rows to evaluate: the task's split, or the fixed part that settings or task name."""
        if self._eval_docs is None:
            docs = super().eval_docs
            part = self._subsample
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
        """Return pairs of position and row for one rank.

        With `samples`, rows come in the order of the ids given, because lm-eval logs the i-th row
        under the i-th id.

        Raises:
            ValueError: If an id in `samples` lies outside the rows.
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
        """Return the user turn: the question and its instruction, and the cue."""
        text = self.question_text(doc, doc_to_text)
        # Of a stock task, the cue is part of the text, and not a character may change.
        return text if self.stock else with_cue(text, self.keys.cue)

    def question_text(self, doc: Doc, doc_to_text: Any = None) -> str:
        """Return the question and its instruction, as the template of the task has them."""
        with named_columns(str(self.config.task), doc):
            text: str = super().doc_to_text(doc, doc_to_text)
        return text

    def doc_to_target(self, doc: Doc, doc_to_target: Any = None) -> Any:
        """Return the right answer; for a choice, its letter."""
        with named_columns(str(self.config.task), doc):
            target = super().doc_to_target(doc, doc_to_target)
        if isinstance(target, int) and self.rule.kind == "choice":
            return chr(ord("A") + target)
        return target

    def doc_to_decontamination_query(self, doc: Doc) -> str:
        """Return the question's own text, without instruction and options, as its identity."""
        query = self.config.doc_to_decontamination_query
        if not self.config.should_decontaminate or query is None:
            return self.doc_to_text(doc)
        if callable(query):
            return str(query(doc))
        # The method of lm-eval would read a rendered template as a Python literal.
        return str(doc[query] if query in doc else apply_template(query, doc))

    def reference(self, doc: Doc) -> Reference:
        """Return the answers and options that a reply to this row is compared with."""
        target = self.doc_to_target(doc)
        targets = target if isinstance(target, list) else [target]
        options = self.doc_to_choice(doc) if self.config.doc_to_choice is not None else []
        false: Any = []
        if self.keys.false_answers:
            wrong = super().doc_to_target(doc, self.keys.false_answers)
            false = wrong if isinstance(wrong, list) else [wrong]
        if self.stock:
            # Where there are options, lm-eval takes a number for the option at that index.
            named = [options[at] if options and isinstance(at, int) else at for at in targets]
            return StockReference(tuple(str(right) for right in named), tuple(options), doc=doc)
        return Reference(
            targets=tuple(str(right) for right in targets),
            options=tuple(str(option) for option in options),
            false_answers=tuple(str(each) for each in false),
        )

    def asked_row(self, doc: Doc, restated: Sequence[Restated | FirstTokenProbs]) -> AskedRow:
        """Read a row as it is asked, with the user turn of each restated question."""
        return AskedRow(
            query=self.doc_to_decontamination_query(doc),
            text=self.doc_to_text(doc).rstrip(),
            restated={signal: self._restated_text(doc, signal) for signal in restated},
            reference=self.reference(doc),
        )

    def filtered_reply(self, doc: Doc, reply: str, filter_name: str) -> Any:
        """Return what a filter of the task's file makes of a reply to a row."""
        replies: Any = [[reply]]
        for step in self._stock_filters[filter_name].filters:
            replies = step().apply(replies, [doc])
        return next(iter(replies))

    def metric_values(self, doc: Doc, results: Sequence[Any]) -> dict[str, Any]:
        """Return the values of the metrics in the task's file for the filtered results of a row."""
        values: dict[str, Any] = ConfigurableTask.process_results(self._as_configured, doc, results)
        return values

    def _restated_text(self, doc: Doc, signal: Restated | FirstTokenProbs) -> str:
        text, cue = self.question_text(doc), self.keys.cue
        # Of a stock task, the text ends with the cue as it is.
        return restated_text(text if self.stock else with_cue(text, cue), signal, cue)
