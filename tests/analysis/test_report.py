"""`slmroute report`, from a folder of results to files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from command_line import slmroute
from typer.testing import Result

from slmroute_plugin.analysis.tables.tables import Tables

Rows = Callable[..., list[dict[str, Any]]]
Write = Callable[..., Path]


def report(*arguments: str | Path) -> Result:
    return slmroute("report", *arguments)


@pytest.fixture
def study(results: Path, write: Write, slm_rows: Rows, llm_rows: Rows) -> Path:
    for seed, task in enumerate(("gsm8k", "boolq")):
        write("small", task, slm_rows(30, seed, task=task))
        write("large", task, llm_rows(30, seed + 10, task=task, accuracy=0.9))
    return results


def quick(results: Path, out: Path, *more: str) -> Result:
    return report(results, "--out", out, "--no-figures", "--no-page", "--resamples", "50", *more)


def test_every_table_is_written_and_says_what_it_should(study: Path, tmp_path: Path) -> None:
    done = quick(study, tmp_path / "report")
    assert done.exit_code == 0, done.output
    for name in Tables.__dataclass_fields__:
        kind = "parquet" if name == "curves" else "csv"
        assert (tmp_path / "report" / f"{name}.{kind}").stat().st_size > 0
    alignment = pd.read_csv(tmp_path / "report" / "alignment.csv")
    assert len(alignment) == 2 * 2
    assert (alignment["auroc_low"] <= alignment["auroc"]).all()
    assert (alignment["auroc"] <= alignment["auroc_high"]).all()
    routing = pd.read_csv(tmp_path / "report" / "routing.csv")
    curves = pd.read_parquet(tmp_path / "report" / "curves.parquet")
    assert len(curves) == 101 * len(routing) == 101 * 4
    key = ["slm", "dataset", "method", "llm"]
    at_half = curves[curves["ratio"] == 0.5].merge(routing, on=key)
    assert at_half["accuracy"].to_list() == pytest.approx(at_half["acc_at_50"].to_list())


def test_the_whole_report_on_a_small_study(study: Path, tmp_path: Path) -> None:
    done = report(study, "--out", tmp_path / "report", "--resamples", "20")
    assert done.exit_code == 0, done.output
    for path in ("index.html", "figures/routing_curves.png", "latex/tables.tex"):
        assert (tmp_path / "report" / path).stat().st_size > 0
    assert (tmp_path / "report" / "index.html").resolve().as_uri() in done.output


def test_a_second_report_measures_only_what_has_changed(
    study: Path, tmp_path: Path, write: Write, slm_rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    from slmroute_plugin.analysis.tables import study_tables as measuring

    measured: list[str] = []
    ours = measuring.setting_tables

    def watched(setting: Any, options: Any) -> Any:
        measured.append(setting.slm.task)
        return ours(setting, options)

    monkeypatch.setattr(measuring, "setting_tables", watched)
    out = tmp_path / "report"
    quick(study, out, "--jobs", "1")
    assert sorted(measured) == ["boolq", "gsm8k"]
    first = (out / "routing.csv").read_bytes()
    measured.clear()
    quick(study, out, "--jobs", "1")
    assert measured == []
    assert (out / "routing.csv").read_bytes() == first
    write("small", "boolq", slm_rows(30, 7, task="boolq"))
    quick(study, out, "--jobs", "1")
    assert measured == ["boolq"]
    assert (out / "routing.csv").read_bytes() != first
    measured.clear()
    quick(study, out, "--jobs", "1", "--seed", "1")
    assert sorted(measured) == ["boolq", "gsm8k"]


def test_figures_of_an_earlier_report_that_cannot_be_read_are_measured_anew(
    study: Path, tmp_path: Path
) -> None:
    out = tmp_path / "report"
    quick(study, out)
    first = (out / "alignment.csv").read_bytes()
    for path in (out / ".figures").rglob("*.*"):
        path.write_bytes(b"no table")
    assert quick(study, out).exit_code == 0
    assert (out / "alignment.csv").read_bytes() == first


def test_without_any_change_nothing_is_done_and_everything_said_again(
    study: Path, tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    from slmroute_plugin.analysis import report as reporting

    broken = write("other", "gsm8k", [])
    broken.write_text('{"doc_id": 0, "filt', encoding="utf-8")
    out = tmp_path / "report"
    read: list[Path] = []
    ours = reporting.read_study

    def watched(results: Path, *more: Any) -> Any:
        read.append(results)
        return ours(results, *more)

    monkeypatch.setattr(reporting, "read_study", watched)
    quick(study, out)
    again = quick(study, out)
    assert len(read) == 1
    assert again.exit_code == 1
    assert f"{broken}, line 1" in again.output
    assert "Nothing has changed" in again.output
    (out / "ranks.csv").unlink()
    quick(study, out)
    assert len(read) == 2
    assert (out / "ranks.csv").exists()
    (out / "ranks.csv").write_text("mine", encoding="utf-8")
    quick(study, out)
    assert (out / "ranks.csv").read_text(encoding="utf-8").startswith("slm,")


def test_a_report_that_is_cut_short_leaves_the_last_one_whole(
    study: Path, tmp_path: Path, write: Write, slm_rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    from slmroute_plugin.analysis import report as reporting

    def files() -> dict[Path, bytes]:
        kept = out / ".figures"
        return {
            path: path.read_bytes()
            for path in out.rglob("*")
            if path.is_file() and not path.is_relative_to(kept)
        }

    def interrupted(*arguments: Any) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "report"
    report(study, "--out", out, "--no-figures", "--resamples", "20")
    first = files()
    write("small", "boolq", slm_rows(30, 7, task="boolq"))
    with monkeypatch.context() as patched:
        patched.setattr(reporting, "write_page", interrupted)
        report(study, "--out", out, "--no-figures", "--resamples", "20")
    assert files() == first
    report(study, "--out", out, "--no-figures", "--resamples", "20")
    second = files()
    assert second.keys() == first.keys()
    assert second != first


def test_files_of_the_last_report_that_no_longer_belong_are_deleted(
    study: Path, tmp_path: Path
) -> None:
    out = tmp_path / "report"
    report(study, "--out", out, "--no-page", "--resamples", "20")
    mine = out / "figures" / "notes.txt"
    mine.write_text("a reader's own", encoding="utf-8")
    old = {path.name for path in (out / "latex").iterdir()}
    (study / "small").rename(study / "tiny")
    report(study, "--out", out, "--no-page", "--resamples", "20")
    new = {path.name for path in (out / "latex").iterdir()}
    assert "alignment_small.tex" in old
    assert new == {name.replace("small", "tiny") for name in old}
    assert mine.exists()


def test_processes_give_the_files_of_one(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Let them share all of this little work.
    monkeypatch.setattr("slmroute_plugin.analysis.study.reading.MUCH", 0)
    monkeypatch.setattr("slmroute_plugin.analysis.figures.MANY", 1)

    def contents(jobs: str) -> dict[Path, bytes]:
        out = tmp_path / jobs
        done = report(study, "--out", out, "--resamples", "50", "--jobs", jobs)
        assert done.exit_code == 0, done.output
        files = [path.relative_to(out) for path in out.rglob("*.*") if path.is_file()]
        return {path: (out / path).read_bytes() for path in files if path.parts[0][0] != "."}

    alone, shared = contents("1"), contents("2")
    assert {path.suffix for path in alone} == {".csv", ".parquet", ".png", ".svg", ".tex", ".html"}
    assert alone.keys() == shared.keys()
    assert [path for path, content in alone.items() if shared[path] != content] == []


def test_what_cannot_be_used_is_named_and_the_rest_is_done(
    study: Path, tmp_path: Path, write: Write, slm_rows: Rows
) -> None:
    broken = write("other", "gsm8k", [])
    broken.write_text('{"doc_id": 0, "filt', encoding="utf-8")
    done = quick(study, tmp_path / "report")
    assert done.exit_code == 1
    assert f"{broken}, line 1" in done.output
    assert len(pd.read_csv(tmp_path / "report" / "alignment.csv")) == 4


def test_without_an_llm_there_is_alignment(
    results: Path, write: Write, slm_rows: Rows, tmp_path: Path
) -> None:
    write("small", "gsm8k", slm_rows(30))
    done = report(results, "--out", tmp_path / "report", "--resamples", "20")
    assert done.exit_code == 0, done.output
    assert len(pd.read_csv(tmp_path / "report" / "alignment.csv")) == 2
    assert (tmp_path / "report" / "index.html").exists()


def test_a_single_dataset_has_comparisons_but_no_other_dataset_to_take_a_threshold_from(
    results: Path, write: Write, slm_rows: Rows, llm_rows: Rows, tmp_path: Path
) -> None:
    write("small", "gsm8k", slm_rows(30, task="gsm8k"))
    write("large", "gsm8k", llm_rows(30, 10, task="gsm8k", accuracy=0.9))
    out = tmp_path / "report"
    for _ in ("measured", "as kept"):
        done = quick(results, out, "--jobs", "1")
        assert done.exit_code == 0, done.output
        (comparison,) = pd.read_csv(out / "comparison.csv").itertuples()
        assert comparison.datasets == 1
        assert pd.read_csv(out / "ranks.csv")["critical_difference"].isna().all()
        generalisation = pd.read_csv(out / "generalisation.csv")
        assert generalisation.empty
        assert "realised_ratio" in generalisation.columns
        (out / "insight.csv").unlink()


def test_routing_what_has_no_confidence_changes_the_curves_alone(
    study: Path, write: Write, slm_rows: Rows, tmp_path: Path
) -> None:
    rows = slm_rows(30, task="gsm8k")
    for row in rows[::3]:
        row["confidence/p_true"] = None
    write("small", "gsm8k", rows)
    tables = {}
    for unparsed in ("leave-out", "route"):
        quick(study, tmp_path / unparsed, "--unparsed", unparsed)
        tables[unparsed] = {
            name: pd.read_csv(tmp_path / unparsed / f"{name}.csv")
            for name in ("alignment", "routing")
        }
    left_out, routed = tables["leave-out"], tables["route"]
    pd.testing.assert_frame_equal(left_out["alignment"], routed["alignment"])
    where = (left_out["routing"]["method"] == "p_true") & (
        left_out["routing"]["dataset"] == "gsm8k"
    )
    assert left_out["routing"]["coverage"][where].item() == pytest.approx(2 / 3)
    assert left_out["routing"]["accuracy_slm"][where].item() != pytest.approx(
        routed["routing"]["accuracy_slm"][where].item()
    )
    same = ~where
    pd.testing.assert_frame_equal(left_out["routing"][same], routed["routing"][same])


def test_a_name_that_a_spreadsheet_would_run_is_made_harmless(
    results: Path, write: Write, slm_rows: Rows, tmp_path: Path
) -> None:
    write("=cmd()", "gsm8k", slm_rows(30))
    quick(results, tmp_path / "report")
    text = (tmp_path / "report" / "alignment.csv").read_text(encoding="utf-8")
    assert "'=cmd()" in text
    assert "\n=cmd()" not in text


def test_bad_arguments_are_refused_before_anything_is_read(study: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    assert "there is no folder" in report(tmp_path / "nowhere").output
    unknown = quick(study, out, "--llm", "larg")
    assert unknown.exit_code == 2
    assert "large" in unknown.output
    assert quick(study, out, "--resamples", "-1").exit_code == 2
    (tmp_path / "empty").mkdir()
    empty = quick(tmp_path / "empty", out)
    assert empty.exit_code == 1
    assert "Nothing to report" in empty.output
    assert not out.exists()


def test_a_report_imports_neither_torch_nor_lm_eval(study: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from slmroute_plugin.cli import app\n"
        f"sys.argv = ['slmroute', 'report', {str(study)!r}, '--out', {str(tmp_path / 'out')!r}, "
        "'--resamples', '20', '--jobs', '1', '--no-figures']\n"
        "try:\n    app()\nexcept SystemExit as done:\n    assert not done.code, done.code\n"
        "heavy = {'torch', 'lm_eval', 'transformers', 'datasets'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_papers_figures_take_the_place_of_the_reports_own(
    results: Path, write: Write, slm_rows: Rows, llm_rows: Rows, tmp_path: Path
) -> None:
    for seed, task in enumerate(("openbookqa", "boolq")):
        write("Qwen__Qwen3-0.6B", task, slm_rows(30, seed, task=task))
        write("gpt-4.1-mini", task, llm_rows(30, seed + 10, task=task, accuracy=0.9))
    out = tmp_path / "report"
    arguments = (results, "--out", out, "--resamples", "20", "--no-page")
    assert report(*arguments).exit_code == 0
    assert (out / "figures" / "routing_curves.png").exists()
    done = report(*arguments, "--paper")
    assert done.exit_code == 0, done.output
    drawn = {path.stem for path in (out / "figures").iterdir()}
    assert "figure_01_cd_routing_to_GPT-4.1_mini_openbookqa" in drawn
    assert all(name.startswith("figure_") for name in drawn)
    line = "Figure 9 is not drawn: no run of DeepSeek-R1; of any SLM but Qwen3-0.6B"
    assert line in done.output
    again = report(*arguments, "--paper")
    assert "Nothing has changed" in again.output
    assert line in again.output


def test_the_papers_figures_cannot_be_asked_for_without_figures(study: Path) -> None:
    done = report(study, "--paper", "--no-figures")
    assert done.exit_code == 2
    assert "--paper" in done.output


def test_prices_make_total_costs_and_verdicts(
    results: Path, tmp_path: Path, write: Write, slm_rows: Rows, llm_rows: Rows
) -> None:
    for seed, task in enumerate(("gsm8k", "boolq")):
        rows = slm_rows(300, seed, task=task)
        for row in rows:
            row["work/answer"] = {"read": 100, "cached": 0, "generated": 50}
            row["seconds"] = {"signals": {"answer": 0.5}, "methods": {"p_true": 0.25}}
            for method, tokens in (("perplexity", 0), ("p_true", 60)):
                alone = {"read": tokens, "cached": 150, "generated": 0}
                row[f"method_work/{method}"] = {"alone": alone, "beside_others": alone}
                row["seconds"]["methods"][method] = 0.25 if tokens else 0.0
        write("small", task, rows)
        write("large", task, llm_rows(300, seed + 10, task=task, accuracy=0.95))
    prices = tmp_path / "prices.yaml"
    prices.write_text(
        "small: {input_usd: 1, cached_usd: 0, output_usd: 2}\n"
        "large: {input_usd: 1000, output_usd: 1000}\n"
    )
    out = tmp_path / "report"
    quick(results, out)
    without = pd.read_csv(out / "routing.csv")
    assert without[["cost_slm_usd", "break_even", "area_cost"]].isna().all(axis=None)
    assert pd.read_csv(out / "envelope.csv").empty
    assert (without["tokens_slm"] == 300 * 150).all()
    done = quick(results, out, "--prices", str(prices))
    assert done.exit_code == 0, done.output
    routing = pd.read_csv(out / "routing.csv").set_index(["dataset", "method"])
    row = routing.loc[("gsm8k", "p_true")]
    assert row["cost_slm_usd"] == pytest.approx(300 * 200 / 1e6)
    assert row["cost_method_usd"] == pytest.approx(300 * 60 / 1e6)
    assert row["break_even"] == pytest.approx(
        1 - (row["cost_slm_usd"] + row["cost_method_usd"]) / row["cost_llm_usd"]
    )
    assert row["area_cost"] == pytest.approx(row["area"], abs=0.01)
    assert (row["seconds_slm"], row["seconds_method"]) == (0.5, 0.25)
    curves = pd.read_parquet(out / "curves.parquet")
    assert (curves["total_cost_usd"] > curves["cost_usd"]).all()
    verdicts = pd.read_csv(out / "verdicts.csv")
    assert len(verdicts) == 2 * 3
    assert (verdicts["verdict"] == "ROUTE").all()
    assert (verdicts["costs"] == "all costs").all()
    # By its prices the LLM takes the more, so that much of that is saved.
    savings = pd.read_csv(out / "savings.csv", keep_default_na=False)
    assert savings["dataset"].to_list() == ["boolq"] * 2 + ["gsm8k"] * 2 + ["(all)"] * 2
    assert savings["model"].to_list() == ["small", "large"] * 3
    envelope = pd.read_csv(out / "envelope.csv")
    assert envelope.groupby("dataset").size().to_list() == [21, 21, 21]
    over_all = envelope[envelope["dataset"] == "(all)"]
    assert (over_all["n"] == 600).all()
    last_budget = over_all.iloc[-1]
    rows_routed = routing[routing["llm"] == "large"]
    assert last_budget["budget_usd"] == pytest.approx(
        rows_routed["cost_llm_usd"].groupby("dataset").first().mean() / 300
    )
    assert last_budget["accuracy_single"] == pytest.approx(
        rows_routed["accuracy_llm"].groupby("dataset").first().mean()
    )
    last = done.output.strip().splitlines()[-1]
    assert last == "small to large: ROUTE by p_true, perplexity."
    # The same is said again when nothing has changed, and prices are part of what may change.
    again = quick(results, out, "--prices", str(prices))
    assert again.output.strip().splitlines()[-1] == last
    assert "Nothing has changed" in again.output
    dearer = tmp_path / "dearer.yaml"
    dearer.write_text(
        "small: {input_usd: 1e6, output_usd: 1e6}\nlarge: {input_usd: 1, output_usd: 1}\n"
    )
    done = quick(results, out, "--prices", str(dearer))
    assert "DO NOT ROUTE by p_true, perplexity (it costs more than the LLM alone)" in done.output


def test_models_without_prices_are_named(
    results: Path, tmp_path: Path, write: Write, slm_rows: Rows, llm_rows: Rows
) -> None:
    for model, seed in (("small", 0), ("other", 1)):
        rows = slm_rows(60, seed, task="a")
        for row in rows:
            row["cost_usd"] = 1.0 if model == "small" else None
            row["method_cost_usd/perplexity"] = row["method_cost_usd/p_true"] = 0.0
        write(model, "a", rows)
    write("large", "a", [row | {"cost_usd": 9.0} for row in llm_rows(60, 2, task="a")])
    done = quick(results, tmp_path / "report")
    assert "The envelope of all models is without other, whose costs are not known" in done.output
    savings = pd.read_csv(tmp_path / "report" / "savings.csv")
    assert set(savings["model"]) == {"small", "large"}


def test_a_file_of_prices_that_cannot_be_used_is_refused(study: Path, tmp_path: Path) -> None:
    prices = tmp_path / "prices.yaml"
    prices.write_text("small: {input_usd: 1}")
    done = quick(study, tmp_path / "report", "--prices", str(prices))
    assert done.exit_code == 2
    assert "gpu_hour_usd" in done.output
