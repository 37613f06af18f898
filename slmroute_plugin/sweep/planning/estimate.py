"""The rough cost of a cell: tokens, hours of a GPU, dollars."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

from slmroute_plugin.llm.model_price import PriceList, price_of
from slmroute_plugin.sweep.grid.cells import Cell
from slmroute_plugin.sweep.planning.workload import Ratios, TaskWork, ratios, stated_work
from slmroute_plugin.sweep.records import CellRecord


@dataclass(frozen=True)
class Estimate:
    """The estimated cost of a cell, or of several; None where a figure is not known.

    Attributes:
        questions: the number of questions.
        tokens: the tokens read and written by the model.
        gpu_hours: the hours of an 80 GB GPU; 0 for a model behind an API.
        usd: the dollars for its answers if it is behind an API, and for a judge.
    """

    questions: int | None
    tokens: float | None
    gpu_hours: float | None
    usd: float | None

    @classmethod
    def total(cls, estimates: Iterable[Estimate]) -> Estimate:
        """Sum estimates, taking figures that are not known as 0."""
        listed = list(estimates)
        figures = [[getattr(estimate, field.name) for estimate in listed] for field in fields(cls)]
        return cls(*(sum(value for value in column if value is not None) for column in figures))


@dataclass(frozen=True)
class _Tokens:
    """The tokens that a model reads, and those that it writes."""

    read: float
    written: float

    @property
    def all(self) -> float:
        """The tokens read and written together."""
        return self.read + self.written


class Estimator:
    """An estimator of cells, from what is known of their tasks, and of runs that are done.

    Args:
        measured: the work per task, as measured among the results.
        cells: all cells.
        records: the records of the cells that have ended.
        prices: the prices that the grid states.
    """

    def __init__(
        self,
        measured: Mapping[str, TaskWork],
        cells: Iterable[Cell],
        records: Mapping[str, CellRecord],
        prices: PriceList | None = None,
    ) -> None:
        self._prices = prices or {}
        self._measured = measured
        self._ratios = ratios()
        self._pace = self._paces(cells, records)

    def estimate(self, cell: Cell) -> Estimate:
        """Estimate the cost of a cell."""
        work = self._work(cell)
        if work is None:
            return Estimate(None, None, None, None)
        questions = sum(task.rows for task in work)
        tokens = self._tokens(cell, work)
        return Estimate(
            questions, tokens.all, self._gpu_hours(cell, tokens), self._usd(cell, work, tokens)
        )

    def _work(self, cell: Cell) -> list[TaskWork] | None:
        """List the work of a cell's tasks; None if that of a task is not known."""
        tasks = []
        for name in cell.tasks:
            work = self._measured.get(name) or stated_work(name)
            if work is None:
                return None
            tasks.append(work._replace(rows=_asked(cell, work.rows)))
        return tasks

    def _tokens(self, cell: Cell, work: Iterable[TaskWork]) -> _Tokens:
        """Count the tokens that a cell's tasks take."""
        replies, further = (
            (self._ratios.replies, self._ratios.further_prompt)
            if cell.is_local and _runs_methods(cell)
            else (1.0, 0.0)
        )
        read = written = 0.0
        for task in work:
            read += task.rows * (task.prompt + further)
            written += task.rows * (task.reply + cell.thinking_tokens) * replies
        return _Tokens(read, written)

    def _gpu_hours(self, cell: Cell, tokens: _Tokens) -> float | None:
        """Estimate the GPU-hours of a cell, by the pace of its model's earlier runs if any."""
        if not cell.is_local:
            return 0.0
        if cell.model in self._pace:
            return self._pace[cell.model] * tokens.all
        if cell.parameters_b is None:
            return None
        how = self._ratios
        if cell.is_on_vllm:
            how = how._replace(prompt_share=how.vllm_prompt_share, reply_share=how.vllm_reply_share)
        return seconds_on_gpu(cell.parameters_b, tokens.read, tokens.written, how) / 3600

    def _usd(self, cell: Cell, work: Iterable[TaskWork], tokens: _Tokens) -> float | None:
        """Estimate the dollars of a cell: its answers, and a judge's verdicts where one is set."""
        answers: float | None = 0.0
        if not cell.is_local:
            name = str(cell.config["model_args"].get("model"))
            answers = self._paid(name, tokens)
        judge = (cell.settings.get("judge") or {}).get("model")
        if not judge or answers is None:
            return answers
        # A method that obtains an answer of its own has that answer judged too.
        verdicts = 2 if _runs_methods(cell) else 1
        read = written = 0.0
        for task in work:
            if task.is_free:
                asked = task.rows * verdicts
                read += asked * (self._ratios.judge_prompt + task.prompt + task.reply)
                written += asked * self._ratios.judge_reply
        judged = self._paid(str(judge), _Tokens(read, written))
        return None if judged is None else answers + judged

    def _paid(self, model: str, tokens: _Tokens) -> float | None:
        """Estimate the dollars that a model takes for tokens; None if its price is not known."""
        price = price_of(model, self._prices)
        if price is None:
            return None
        return price.of_answer(round(tokens.read), round(tokens.written))

    def _paces(self, cells: Iterable[Cell], records: Mapping[str, CellRecord]) -> dict[str, float]:
        """Compute the GPU-hours per token of each local model that has run, whatever it ran on."""
        seconds: dict[str, float] = {}
        tokens: dict[str, float] = {}
        for cell in cells:
            record, work = records.get(cell.name), self._work(cell)
            if record is None or record.state != "done" or record.digest != cell.digest:
                continue
            if work is None or not cell.is_local:
                continue
            taken = record.seconds * max(1, cell.needs.gpus)
            seconds[cell.model] = seconds.get(cell.model, 0.0) + taken
            tokens[cell.model] = tokens.get(cell.model, 0.0) + self._tokens(cell, work).all
        return {model: seconds[model] / 3600 / tokens[model] for model in seconds if tokens[model]}


def _asked(cell: Cell, rows: int) -> int:
    """Count the questions that a cell asks of a task with so many rows, as lm-eval cuts them."""
    drawn = (cell.settings.get("subsample") or {}).get("rows", rows)
    limit = cell.config.get("limit")
    rows = min(rows, drawn)
    if limit is None:
        return rows
    # Below 1, a limit is a share.
    return min(rows, math.ceil(rows * limit) if limit < 1 else int(limit))


def _runs_methods(cell: Cell) -> bool:
    """Tell whether a cell's answers get confidences."""
    # By default, training rows are answered without methods.
    without = ("none",) if cell.kind == "evaluation" else ("none", "auto")
    return cell.role == "slm" and cell.settings.get("uq", "auto") not in without


def seconds_on_gpu(parameters_b: float, read: float, written: float, assumed: Ratios) -> float:
    """Estimate the seconds of a GPU, at two floating-point operations for each parameter and token.

    Args:
        parameters_b: the billions of parameters.
        read: the tokens of prompts.
        written: the tokens of replies.
        assumed: the speed of the GPU, and the shares of it that are reached.

    >>> from slmroute_plugin.sweep.planning.workload import Ratios
    >>> seconds_on_gpu(1.0, 1e6, 0.0, Ratios(7, 98, 1e15, 0.5, 0.05, 0.5, 0.1, 0, 0))
    4.0
    """
    operations = 2e9 * parameters_b
    return read * operations / (assumed.flops * assumed.prompt_share) + written * operations / (
        assumed.flops * assumed.reply_share
    )
