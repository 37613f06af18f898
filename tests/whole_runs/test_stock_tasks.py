"""Stock tasks of lm-eval, wrapped and not: the same scores, and confidences besides."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import datasets
import lm_eval.tasks
import pytest
from command_line import output_of
from lm_eval import simple_evaluate
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager
from scipy.special import softmax
from sklearn.metrics import roc_auc_score
from stock_tasks import COLOUR_ROWS, KnownReplies, rows_of, stock_index, write_stock_tasks

from slmroute_plugin.analysis.study.reading import read_study, sample_texts
from slmroute_plugin.settings.schema import SettingsError
from slmroute_plugin.storage.hidden_states import load_hidden_states
from slmroute_plugin.storage.sample_files import newest_sample_files, read_samples, write_samples
from slmroute_plugin.storage.threshold_file import read_threshold_file
from slmroute_plugin.task.wrapped_files import wrapped_files

# What lm-eval does not log alike for two runs: times, and what only our rows have.
SAME = ("doc_id", "doc", "target", "filtered_resps", "doc_hash", "prompt_hash", "target_hash")


@pytest.fixture
def stock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    return write_stock_tasks(tmp_path / "stock")


@pytest.fixture
def run(stock: Path, tmp_path: Path) -> Callable[..., Any]:
    """Runs a task or a group, as it comes or wrapped, and returns lm-eval's results."""

    def run(model: Any, name: str, wrapped: bool, further: str = "", **settings: Any) -> Any:
        folders = [stock]
        if wrapped:
            folders.append(tmp_path / "wrapped")
            folders[1].mkdir(exist_ok=True)
            for file in wrapped_files([name], stock_index(stock)):
                (folders[1] / file.name).write_text(file.text + further)
        options = settings.pop("options", {})
        manager = TaskManager(
            include_path=[str(folder) for folder in folders],
            include_defaults=False,
            metadata={"slmroute": {"results": str(tmp_path / "results"), **settings}},
        )
        return simple_evaluate(
            model=model,
            tasks=[name],
            task_manager=manager,
            log_samples=True,
            bootstrap_iters=100,
            **options,
        )

    return run


def reply(prompt: str) -> str:
    """Reply to a sum, sometimes right for one filter only, and state a confidence if asked."""
    if "percent" in prompt.rpartition("Question:")[2] or "sure" in prompt.rpartition("\n")[2]:
        return "90"
    numbers = re.findall(r"What is (\d+) \+", prompt)
    n = int(numbers[-1])
    return {
        0: f"#### {2 * n}",
        1: f"It makes {2 * n}",
        2: f"#### {n} or {2 * n}",
        3: "I do not know",
    }[n % 4]


def assert_same_scores(stock: Any, wrapped: Any, task: str) -> None:
    """Hold every number and row that the stock task gives to the wrapped task's, exactly."""
    assert stock["results"][task].items() <= wrapped["results"][task].items()
    assert stock["n-shot"] == wrapped["n-shot"]
    for name, better in stock["higher_is_better"][task].items():
        assert wrapped["higher_is_better"][task][name] == better
    for filter_name in {row["filter"] for row in stock["samples"][task]}:
        before, after = (rows_of(each, task, filter_name) for each in (stock, wrapped))
        for old, new in zip(before, after, strict=True):
            assert [old[name] for name in SAME] == [new[name] for name in SAME]
            assert old["metrics"] == new["metrics"]
            assert [old[name] for name in old["metrics"]] == [new[name] for name in old["metrics"]]
            assert [old["arguments"][0][0], old["resps"]] == [new["arguments"][0][0], new["resps"]]


def test_a_generative_task_keeps_its_scores_under_every_filter(run: Callable[..., Any]) -> None:
    model = KnownReplies(reply)
    stock, wrapped = (run(model, "stock_sums", each) for each in (False, True))
    scores = stock["results"]["stock_sums"]
    # Of eight rows, two each are right by both filters, by the last alone, and by neither.
    assert scores["exact_match,strict"] == 0.25
    assert scores["exact_match,flexible"] == 0.75
    assert_same_scores(stock, wrapped, "stock_sums")
    assert wrapped["results"]["stock_sums"]["acc,slm"] == 0.75
    flexible = rows_of(wrapped, "stock_sums", "flexible")
    slm = rows_of(wrapped, "stock_sums", "slm")
    assert [row["acc"] for row in slm] == [row["exact_match"] for row in flexible]
    assert [row["answer"] for row in slm[:2]] == [None, "8"]


def test_the_metric_and_the_filter_that_the_file_names_decide(run: Callable[..., Any]) -> None:
    named = "\nscoring: {rule: task, metric: exact_match, filter: strict}\n"
    wrapped = run(KnownReplies(reply), "stock_sums", True, named)
    assert wrapped["results"]["stock_sums"]["acc,slm"] == 0.25


def test_a_real_backend_gives_stock_replies_and_confidences(
    run: Callable[..., Any], tiny: Callable[..., Any]
) -> None:
    model = tiny(max_length=512, num_hidden_layers=2)
    options = {"limit": 3, "num_fewshot": 0, "gen_kwargs": {"max_gen_toks": 4}}
    stock = run(model, "stock_sums", False, options=options)
    wrapped = run(model, "stock_sums", True, uq=["perplexity"], options=options)
    assert_same_scores(stock, wrapped, "stock_sums")
    for row in rows_of(wrapped, "stock_sums", "slm"):
        assert row["resps"][0][0]
        assert 0 < row["confidence/perplexity"] < 1
        assert row["auroc/perplexity"] == [row["confidence/perplexity"], row["acc"]]


def test_a_restated_question_keeps_the_cue_last(run: Callable[..., Any]) -> None:
    prompts: list[str] = []

    def noting(prompt: str) -> str:
        prompts.append(prompt)
        return reply(prompt)

    model = KnownReplies(noting)
    run(model, "stock_sums", True, 'cue: "Answer: "\n', uq=["verbalization_1s"])
    restated = [prompt for prompt in prompts if "onfidence" in prompt]
    assert len(restated) == 8
    assert all(prompt.rstrip().endswith("\nAnswer:") for prompt in restated)
    # Two shots and the question.
    assert all(prompt.count("Answer:") == 3 for prompt in restated)


def test_predictions_alone_have_confidences_too(run: Callable[..., Any]) -> None:
    options = {"options": {"predict_only": True}}
    sums = run(KnownReplies(reply), "stock_sums", True, **options)
    assert sums["results"]["stock_sums"]["bypass,flexible"] == 999
    assert sums["results"]["stock_sums"]["acc,slm"] == 0.75
    colours = run(KnownReplies(), "stock_colours", True, **options)
    assert colours["results"]["stock_colours"]["bypass,slm"] == 999
    assert rows_of(colours, "stock_colours", "slm")[0]["confidence/choice_margin"] == 0.0


def preference(prompt: str, text: str) -> float:
    """Prefer "blue" by likelihood; per character, the longest option."""
    thing = int(re.findall(r"thing (\d)", prompt)[0])
    return {" red": -4.0, " dark green": -5.0, " blue": -1.0 - thing}[text]


def test_multiple_choice_keeps_its_requests_and_scores_and_gains_confidences(
    run: Callable[..., Any],
) -> None:
    model = KnownReplies(log_likelihood=preference)
    stock, wrapped = (run(model, "stock_colours", each) for each in (False, True))
    assert_same_scores(stock, wrapped, "stock_colours")
    every = rows_of(stock, "stock_colours", "none"), rows_of(wrapped, "stock_colours", "slm")
    for old, new in zip(*every, strict=True):
        assert old["arguments"] == new["arguments"]
        assert new["acc"] == old["acc"]
        assert new["acc/choice_prob_norm"] == old["acc_norm"]
        assert new["auroc/choice_prob"] == [new["confidence/choice_prob"], old["acc"]]
    first = every[1][0]
    assert first["answer"] == "blue"
    # exp(-1) against exp(-4) and exp(-5).
    assert first["confidence/choice_prob"] == pytest.approx(0.936240, abs=1e-6)
    assert first["confidence/choice_margin"] == pytest.approx(0.889627, abs=1e-6)
    assert "auroc/choice_entropy,slm" in wrapped["results"]["stock_colours"]


def test_probes_read_the_prompt_of_multiple_choice(
    stock: Path, tmp_path: Path, tiny: Callable[..., Any]
) -> None:
    rows = [
        row | {"question": row["question"].replace("thing", f"thing {copy}")}
        for copy in range(5)
        for row in COLOUR_ROWS
    ]
    (stock / "more.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    folder = tmp_path / "wrapped"
    folder.mkdir()
    (file,) = wrapped_files(["stock_colours"], stock_index(stock))
    (folder / file.name).write_text(file.text + "dataset: colours\n")
    (folder / "train.yaml").write_text(
        "include: stock_colours.yaml\ntask: stock_colours_train\nprobe_rows: training\n"
        f"dataset_kwargs: {{data_files: {{test: '{stock / 'more.jsonl'}'}}}}\n"
    )
    model = tiny(max_length=512, num_hidden_layers=9)
    results = tmp_path / "results"

    def evaluate(task: str, folders: list[Path], **settings: Any) -> Any:
        manager = TaskManager(
            include_path=[str(each) for each in folders],
            include_defaults=False,
            metadata={"slmroute": {"results": str(results), **settings}},
        )
        return simple_evaluate(
            model, tasks=[task], task_manager=manager, log_samples=True, bootstrap_iters=0
        )

    asked = {"uq": ["trained_probe", "perplexity"]}
    trained = evaluate("stock_colours_train", [stock, folder], **asked)
    (states,) = results.glob("*/hidden_states/stock_colours_train.safetensors")
    kept = load_hidden_states(states)
    assert (kept.signal.position, len(kept.doc_id)) == ("last_prompt", len(rows))
    model_folder = states.parent.parent
    samples = rows_of(trained, "stock_colours_train", "slm")
    write_samples(model_folder, "stock_colours_train", samples)
    output_of("probes", "fit", model_folder, "--jobs", "1")

    plain = evaluate("stock_colours", [stock])
    found = evaluate("stock_colours", [stock, folder], **asked)
    assert plain["results"]["stock_colours"].items() <= found["results"]["stock_colours"].items()
    for old, new in zip(
        rows_of(plain, "stock_colours", "none"),
        rows_of(found, "stock_colours", "slm"),
        strict=True,
    ):
        assert new["prompt_hash"] == old["prompt_hash"]
        assert 0 < new["confidence/trained_probe"] < 1
        assert new["auroc/trained_probe"] == [new["confidence/trained_probe"], old["acc"]]
        assert new["fitted_on/trained_probe"] == "training split"
        assert "confidence/perplexity" not in new
        assert new["confidence/choice_prob"] is not None
    save(tmp_path / "runs", "small", found)
    (setting,) = read_study(tmp_path / "runs").settings
    assert {"trained_probe", "choice_prob"} <= set(setting.slm.scores)
    texts = {text.answer for text in sample_texts(setting.slm)}
    assert texts <= {"red", "dark green", "blue"}
    ours = rows_of(found, "stock_colours", "slm")
    bare = [{k: v for k, v in row.items() if not k.endswith("/trained_probe")} for row in ours]
    write_samples(model_folder, "stock_colours", bare)
    output_of("score", model_folder)
    scored = read_samples(newest_sample_files(model_folder)["stock_colours"])
    assert [row["confidence/trained_probe"] for row in scored] == pytest.approx(
        [row["confidence/trained_probe"] for row in ours]
    )
    # The report of the stock rows of this run leaves the token behind the prompt out too.
    (line, *_) = rows_of(found, "stock_colours", "none")
    assert len(line["filtered_resps"]) == 4


def test_the_methods_that_generate_run_on_lettered_options(
    stock: Path, tmp_path: Path, tiny: Callable[..., Any], generation_methods: frozenset[str]
) -> None:
    folder = tmp_path / "lettered"
    folder.mkdir()
    for file in wrapped_files(["stock_colours"], stock_index(stock), lettered=True):
        (folder / file.name).write_text(file.text)
    settings = {"results": str(tmp_path / "results"), "uq": sorted(generation_methods)}
    manager = TaskManager(
        include_path=str(folder), include_defaults=False, metadata={"slmroute": settings}
    )
    found = simple_evaluate(
        tiny(max_length=1024, num_hidden_layers=9), tasks=["stock_colours_lettered"],
        task_manager=manager, log_samples=True, bootstrap_iters=0,
        gen_kwargs={"max_gen_toks": 4}, num_fewshot=0,
    )  # fmt: skip
    for row in rows_of(found, "stock_colours_lettered", "slm"):
        options = row["doc"]["options"]
        prompt = row["arguments"][0][0]
        head, *listed, _, instruction, cue = prompt.split("\n")
        assert head == row["doc"]["question"]
        assert sorted(line[3:] for line in listed) == sorted(options)
        assert [line[:3] for line in listed] == ["A. ", "B. ", "C. "]
        assert instruction.startswith("Reply with the letter") and cue == "Answer:"
        assert listed["ABC".index(row["target"])][3:] == options[row["doc"]["gold"]]
        assert {name for name in row if name.startswith("confidence/")} == {
            f"confidence/{method}" for method in generation_methods
        }
    assert list((tmp_path / "results").glob("*/hidden_states/*.safetensors"))


def test_a_group_leads_to_wrapped_tasks_and_keeps_its_score(run: Callable[..., Any]) -> None:
    model = KnownReplies(reply, preference)
    stock, wrapped = (run(model, "stock_group", each) for each in (False, True))
    for task in ("stock_sums", "stock_colours"):
        assert_same_scores(stock, wrapped, task)
    # The group sums `acc` up by filter.
    old, new = (each["results"]["stock_group"] for each in (stock, wrapped))
    assert {name: new[name] for name in old if "none" in name} == {
        name: value for name, value in old.items() if "none" in name
    }
    assert new["acc,slm"] == pytest.approx((6 + 2) / 14)


def test_a_route_is_refused_for_multiple_choice(run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "replay").mkdir()
    route = {"method": "perplexity", "ratio": 0.5, "llm": {"replay": str(tmp_path / "replay")}}
    with pytest.raises(SettingsError, match="stock_colours scores given options"):
        run(KnownReplies(), "stock_colours", True, route=route, uq=["perplexity"])


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("metric: chrf", r"stock_sums: the metric 'chrf' of an answer is \["),
        ("metric: exact", "stock_sums: it has no metric 'exact'"),
        ("filter: loose", "stock_sums: it has no filter 'loose'"),
        ("rules: 1", r"unknown keys under `scoring`: \['rules'\]"),
    ],
)
def test_scoring_that_cannot_be_used_is_an_error_before_the_first_question(
    run: Callable[..., Any], named: str, said: str
) -> None:
    asked: list[str] = []
    model = KnownReplies(lambda prompt: asked.append(prompt) or "")
    with pytest.raises(ValueError, match=said):
        run(model, "stock_sums", True, f"\nscoring: {{rule: task, {named}}}\n")
    assert not asked


def save(folder: Path, model: str, results: Any) -> None:
    """Write the samples of a run as lm-eval writes them."""
    tracker = EvaluationTracker(output_path=str(folder))
    tracker.general_config_tracker.model_name_sanitized = model
    tracker.date_id = "2026-01-01T00-00-00.000000"
    for task, samples in results["samples"].items():
        tracker.save_results_samples(task, samples)


def test_the_report_reads_wrapped_tasks(run: Callable[..., Any], tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    model = KnownReplies(reply, preference)
    save(runs, "small", run(model, "stock_sums", True, uq=["verbalization_2s"]))
    save(runs, "small", run(model, "stock_colours", True))
    study = read_study(runs)
    assert not study.problems
    slms = {setting.slm.task: setting.slm for setting in study.settings}
    assert slms["stock_sums"].correct.mean() == 0.75
    assert set(slms["stock_sums"].scores) == {"verbalization_2s"}
    assert len(slms["stock_colours"].doc_id) == len(COLOUR_ROWS)
    assert {"choice_prob", "choice_prob_norm"} <= set(slms["stock_colours"].scores)
    assert [text.answer for text in sample_texts(slms["stock_colours"])][:4] == [
        "blue", "blue", "blue", "red"
    ]  # fmt: skip


def test_the_report_reads_runs_that_never_heard_of_us(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    plain, wrapped = tmp_path / "plain", tmp_path / "wrapped runs"
    model = KnownReplies(reply, preference)
    save(plain, "small", run(model, "stock_colours", False))
    save(wrapped, "small", run(model, "stock_colours", True))
    (stock,), (ours,) = (read_study(folder).settings for folder in (plain, wrapped))
    assert stock.slm.correct.tolist() == ours.slm.correct.tolist()
    assert set(stock.slm.scores) == set(ours.slm.scores)
    for method, scores in ours.slm.scores.items():
        assert stock.slm.scores[method].confidence == pytest.approx(scores.confidence)
        assert stock.slm.scores[method].correct.tolist() == scores.correct.tolist()


def test_a_plain_run_of_a_generative_task_is_an_llm_to_route_to(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    save(runs, "small", run(KnownReplies(reply), "stock_sums", True, uq=["verbalization_2s"]))
    save(runs, "large", run(KnownReplies(reply), "stock_sums", False))
    (setting,) = read_study(runs).settings
    assert setting.slm.model == "small"
    assert setting.llms["large"].correct.tolist() == setting.slm.correct.tolist()


def table_of(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_report_and_calibrate_read_stock_runs_of_multiple_choice(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    runs, report = tmp_path / "runs", tmp_path / "report"
    small = run(KnownReplies(reply, preference), "stock_colours", False)
    save(runs, "small", small)
    right = [row["gold"] for row in COLOUR_ROWS]

    def knows(prompt: str, text: str) -> float:
        n = int(re.findall(r"thing (\d+)", prompt)[-1])
        return -0.1 if text == f" {COLOUR_ROWS[n]['options'][right[n]]}" else -4.0

    save(runs, "large", run(KnownReplies(reply, knows), "stock_colours", False))
    output_of("report", runs, "--out", report, "--llm", "large", "--no-figures", "--resamples", "0")
    found = {
        row["method"]: row for row in table_of(report, "alignment.csv") if row["slm"] == "small"
    }
    assert set(found) == {"choice_prob", "choice_margin", "choice_entropy", "choice_prob_norm"}
    rows = rows_of(small, "stock_colours", "none")
    sure = [max(softmax([float(pair[0]) for pair in row["filtered_resps"]])) for row in rows]
    area = roc_auc_score([row["acc"] for row in rows], sure)
    assert float(found["choice_prob"]["auroc"]) == pytest.approx(area)
    routed = [row for row in table_of(report, "routing.csv") if row["slm"] == "small"]
    assert {row["llm"] for row in routed} == {"large"}
    said = output_of(
        "calibrate", runs, "--slm", "small", "--method", "choice_prob", "--llm", "large",
        "--accuracy", "1", "--out", tmp_path / "threshold.json",
    )  # fmt: skip
    assert "Threshold: " in said
    provenance = read_threshold_file(tmp_path / "threshold.json").provenance
    assert "generation" not in provenance
    assert "generation" not in provenance["reference"]["stock_colours"]["setup"]


def test_report_and_calibrate_route_to_stock_runs_of_generative_tasks(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    runs, report = tmp_path / "runs", tmp_path / "report"
    save(runs, "small", run(KnownReplies(unsure), "stock_sums", True, uq=["verbalization_2s"]))

    def knows(prompt: str) -> str:
        (*_, last) = re.findall(r"What is (\d+)", prompt)
        return f"#### {2 * int(last)}"

    save(runs, "large", run(KnownReplies(knows), "stock_sums", False))
    output_of("report", runs, "--out", report, "--no-figures", "--resamples", "0")
    (row,) = table_of(report, "routing.csv")
    assert (row["slm"], row["llm"], row["method"]) == ("small", "large", "verbalization_2s")
    assert float(row["accuracy_slm"]) == 0.75
    assert float(row["accuracy_llm"]) == 1.0
    said = output_of(
        "calibrate", runs, "--slm", "small", "--method", "verbalization_2s", "--llm", "large",
        "--accuracy", "1", "--out", tmp_path / "threshold.json",
    )  # fmt: skip
    # The two wrong answers are the unsure ones.
    assert re.search(r"share routed\s+│ 0.2500", said)


def unsure(prompt: str) -> str:
    """Reply as `reply`, and state less confidence in what is wrong."""
    said = reply(prompt)
    numbers = re.findall(r"What is (\d+) \+", prompt)
    return ("20" if int(numbers[-1]) % 4 == 3 else "90") if said == "90" else said


def test_gsm8k_on_real_rows_keeps_its_scores(real_data: Path, tmp_path: Path) -> None:
    data = real_data / "openai" / "gsm8k"
    if not data.is_dir():
        pytest.skip(f"no rows of gsm8k in {real_data}")
    # The index of all tasks that come with lm-eval takes a minute.
    index = stock_index(Path(lm_eval.tasks.__file__).parent / "gsm8k")
    (file,) = wrapped_files(["gsm8k"], index)
    wrapped_file = tmp_path / file.name
    wrapped_file.write_text(file.text)
    stock, wrapped = (gsm8k(path.parent, data) for path in (index["gsm8k"].yaml_path, wrapped_file))
    assert 0 < stock["results"]["gsm8k"]["exact_match,strict-match"] < 1
    assert_same_scores(stock, wrapped, "gsm8k")
    flexible = stock["results"]["gsm8k"]["exact_match,flexible-extract"]
    assert wrapped["results"]["gsm8k"]["acc,slm"] == flexible


def gsm8k(folder: Path, data: Path) -> Any:
    """Run the gsm8k of a folder on real rows, with a model that knows some of the answers."""
    answers: Mapping[str, str] = {
        row["question"]: row["answer"]
        for row in datasets.load_dataset(str(data), "main", split="test")
    }

    def known(prompt: str) -> str:
        question = prompt.rpartition("Question: ")[2].removesuffix("\nAnswer:")
        text = answers[question]
        number = text.rpartition("#### ")[2]
        return [text, f"So it is ${number}.", "It is 1, or 2.", ""][len(question) % 4]

    manager = TaskManager(include_path=str(folder), include_defaults=False)
    group = {"group": "here", "task": [{"task": "gsm8k", "dataset_path": str(data)}]}
    return simple_evaluate(
        model=KnownReplies(known),
        tasks=[group],
        task_manager=manager,
        limit=40,
        log_samples=True,
        bootstrap_iters=100,
    )
