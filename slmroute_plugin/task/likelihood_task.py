"""The task class of lm-eval for multiple choice by likelihood, with confidences in the choice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from slmroute_plugin.harness import Filter, FilterEnsemble
from slmroute_plugin.methods.option_likelihoods import NORMALISED, PLAIN
from slmroute_plugin.observation import Answer
from slmroute_plugin.run.instance import RoutedInstance
from slmroute_plugin.run.request import add_request_type
from slmroute_plugin.settings.parsing import parse_settings
from slmroute_plugin.settings.schema import SettingsError
from slmroute_plugin.storage.sample_files import SLM_FILTER
from slmroute_plugin.task.aggregations import aggregation_for, higher_is_better
from slmroute_plugin.task.likelihood_columns import (
    OptionLikelihood,
    add_probed,
    likelihood_columns,
)
from slmroute_plugin.task.probing_requests import RowFacts, probing_request, probing_settings
from slmroute_plugin.task.rows import Doc, RowTask
from slmroute_plugin.task.stock_scoring import LIKELIHOOD, check_output_type


class OptionFilter(Filter):  # type: ignore[misc]
    """A filter that passes on what the model says of each option; rows under it score the SLM."""

    def apply(
        self, resps: Iterable[Sequence[Any]], docs: Sequence[Doc]
    ) -> list[OptionLikelihood | Answer]:
        """Return the first response to each option, and the answer whose features probes read."""
        firsts = [responses[0] for responses in resps]
        return [each if isinstance(each, Answer) else OptionLikelihood(*each) for each in firsts]


class LikelihoodTask(RowTask):
    """An lm-eval task whose answers are the likeliest options, with confidences in them.

    Requests, filters and metrics are those of lm-eval: nothing is generated, and the confidences
    come from the log-likelihoods that the task asks for anyway. It takes `scoring`, as
    `{rule: task, metric: <name>}`, and the keys `subsample`, `dataset` and `probe_rows`, as
    `RoutedTask` does.

    If `uq` names methods that are trained on hidden states, each row has a further request, of one
    token behind the prompt, for the hidden state at the prompt's last token.

    Raises:
        SettingsError: If `metadata.slmroute` cannot be used, or asks for a route.
        ValueError: If a key is missing or wrong, or if the data lacks a split.
    """

    def __init__(
        self,
        data_dir: str | None = None,
        cache_dir: str | None = None,
        download_mode: Any = None,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        config = config or {}
        settings = parse_settings((config.get("metadata") or {}).get("slmroute"))
        if settings.route:
            raise SettingsError(
                f"metadata.slmroute.route: {config.get('task')} scores given options and asks for "
                "no text, so nothing can be sent to another model while it runs. Leave the task "
                "or the route out; `slmroute report` draws the curves of both models' samples."
            )
        check_output_type(config, LIKELIHOOD, type(self).__name__)
        self._probing = probing_settings(settings)
        self._metadata = dict(config.get("metadata") or {})
        self._columns: dict[str, None] = {}
        super().__init__(data_dir, cache_dir, download_mode, config)
        if self.stock is None:
            raise ValueError(
                f"{config.get('task')}: its options are scored by its own metric; write "
                "`scoring: {rule: task}`."
            )
        # Both are needed for the confidences, whichever metrics the task lists.
        self._as_configured._metric_fn_list = {
            **self._metric_fn_list,
            **dict.fromkeys((PLAIN, NORMALISED)),
        }
        self._filters = [*self._filters, FilterEnsemble(SLM_FILTER, [OptionFilter])]
        if self._probing is not None:
            add_request_type()

    def build_all_requests(
        self, *, samples: list[int] | None = None, cache_requests: bool = False, **kwargs: Any
    ) -> None:
        """Build the requests; those for probes are not in lm-eval's cache of requests."""
        cached = cache_requests and self._probing is None
        super().build_all_requests(samples=samples, cache_requests=cached, **kwargs)
        for instance in self._instances or []:
            if isinstance(instance, RoutedInstance):
                at = instance.doc_id
                instance.logged_doc_id = samples[at] if samples else at

    def construct_requests(self, doc: Doc, ctx: Any, **kwargs: Any) -> Any:
        """Make the requests for a row: one for each option, and one for probes where asked."""
        requests = super().construct_requests(doc, ctx, **kwargs)
        # Where each option has a prompt of its own, there is no prompt of the row.
        if self._probing is not None and isinstance(ctx, str):
            facts = RowFacts(
                self.doc_to_decontamination_query(doc),
                str(self.doc_to_text(doc)),
                self._probing,
                self.source,
                self._metadata,
            )
            chat = bool(kwargs.get("apply_chat_template"))
            requests.append(
                probing_request(doc, ctx, facts, len(requests), kwargs["metadata"], chat=chat)
            )
        return requests

    def process_results(self, doc: Doc, results: Sequence[Any]) -> dict[str, Any]:
        """Return the columns of one sample; see `results/README.md`."""
        probed = [each for each in results if isinstance(each, Answer)]
        results = [each for each in results if not isinstance(each, Answer)]
        if self.stock is None or not isinstance(results[0], OptionLikelihood):
            stock: dict[str, Any] = super().process_results(doc, results)
            return stock
        options = self.doc_to_choice(doc)
        metrics = self.metric_values(doc, results)
        columns = likelihood_columns(
            # Behind them, `acc_mutual_info` has those without the prompt.
            [each.log_likelihood for each in results[: len(options)]],
            options,
            metrics,
            self.stock.metric,
        )
        for answer in probed:
            add_probed(columns, answer, metrics, self.stock.metric)
        if "bypass" in self._metric_fn_list:
            columns["bypass"] = 999
        self._columns |= dict.fromkeys(columns)
        return columns

    def is_right(self, doc: Doc, chosen: int) -> bool:
        """Return whether a row's answer is right, if the option at an index is the likeliest."""
        if self.stock is None:
            return False
        count = len(self.doc_to_choice(doc))
        results = [(0.0 if at == chosen else -1000.0, at == chosen) for at in range(count)]
        # Behind the options, `acc_mutual_info` has them once more without the prompt.
        unprompted = [(-1.0, False)] * count if "acc_mutual_info" in self._metric_fn_list else []
        return bool(self.metric_values(doc, [*results, *unprompted])[self.stock.metric])

    def aggregation(self) -> dict[str, Callable[[Any], Any]]:
        """Return the aggregation of each column for lm-eval's table."""
        stock: dict[str, Callable[[Any], Any]] = self._aggregation_list
        return {column: aggregation_for(column) for column in self._columns} | stock

    def higher_is_better(self) -> dict[str, bool]:
        """Return which columns are better if they are higher; others are left out."""
        stock: dict[str, bool] = self._higher_is_better
        return stock | higher_is_better(self._columns)
