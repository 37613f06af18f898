"""Files that other tools wrote themselves; `files/write_*.py` has them written anew."""

from __future__ import annotations

import json
import math
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest
from command_line import output_of

FILES = Path(__file__).parent / "files"
UQLM = FILES / "uqlm_white_box.jsonl"
POLYGRAPH = FILES / "polygraph.man"
WHITE_BOX = (
    "question=prompt,answer=response,reference=truth,logprobs=logprob,"
    "confidence/min_probability=min_probability,"
    "confidence/sequence_probability=sequence_probability"
)
MANAGER = (
    "question=input_texts,answer=greedy_texts,correct=Accuracy,logprobs=greedy_log_likelihoods,"
    "confidence/own_perplexity=exp(-Perplexity),"
    "confidence/degmat=1-DegMat_Jaccard_score"
)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_a_result_frame_of_uqlm(importer: Any, suffix: str) -> None:
    run, rows = importer(UQLM.with_suffix(suffix), WHITE_BOX, scoring="number")
    assert run.rows == 4
    assert set(run.confidences) >= {
        "average_token_prob", "min_probability", "perplexity", "sequence_probability",
    }  # fmt: skip
    # Of the replies 7, "The answer is 7", 16 and 18, the third is wrong.
    verdicts = {row["doc"]["question"]: row["acc"] for row in rows}
    assert verdicts == {
        "What is 12 - 5?": 1.0, "What is 20 - 2?": 1.0, "What is 3 + 4?": 1.0,
        "What is 6 + 9?": 0.0,
    }  # fmt: skip
    for row in rows:
        # uqlm takes the geometric mean of the tokens' probabilities too, written to ten digits.
        ours, theirs = row["confidence/perplexity"], row["confidence/sequence_probability"]
        assert ours == pytest.approx(theirs, abs=1e-9)
        ours, theirs = row["confidence/min_token_prob"], row["confidence/min_probability"]
        assert ours == pytest.approx(theirs, abs=1e-9)


def test_sampled_responses_of_uqlm(importer: Any) -> None:
    columns = (
        "question=prompt,answer=response,correct=is_right,samples=sampled_responses,"
        "confidence/exact_match=exact_match"
    )
    _, rows = importer(FILES / "uqlm_black_box.jsonl", columns)
    found = {row["doc"]["question"]: row for row in rows}
    same = found["What is 20 - 2?"]  # 18, 18, 18
    assert (same["confidence/exact_match"], same["confidence/jaccard_degree"]) == (1.0, 1.0)
    two = found["What is 3 + 4?"]  # 7, 7, 8: the diagonal and the pair of equals are 1
    assert two["confidence/jaccard_degree"] == pytest.approx(5 / 9)
    assert two["confidence/exact_match"] == pytest.approx(2 / 3, abs=1e-9)


def test_the_same_frame_as_csv(importer: Any) -> None:
    columns = "question=prompt,answer=response,correct=is_right,confidence/x=exact_match"
    run, rows = importer(FILES / "uqlm_black_box.csv", columns)
    assert run.confidences == ["x"]
    assert [row["acc"] for row in rows] == [1.0, 1.0, 1.0, 0.0]
    assert [row["confidence/x"] for row in rows] == pytest.approx([0.0, 1.0, 2 / 3, 1 / 3])


def test_log_probs_that_python_wrote_into_csv_are_refused(importer: Any, file: Any) -> None:
    path = file("frame.csv", "q,ok,lp\na,1,\"[{'token': 't', 'logprob': -0.5}]\"\n")
    said = importer.fault(path, "question=q,correct=ok,logprobs=lp")
    assert "frame.csv, line 2: `lp` is" in said and "as Python writes it: a list as JSON" in said


def test_a_saved_manager_of_lm_polygraph(importer: Any) -> None:
    run, rows = importer(POLYGRAPH, MANAGER)
    assert set(run.confidences) >= {"average_token_prob", "degmat", "own_perplexity", "perplexity"}
    assert len(rows) == 6
    assert sorted(row["acc"] for row in rows) == [0.0] * 3 + [1.0] * 3
    for row in rows:
        # Its Perplexity is -mean log p, in float32.
        ours, theirs = row["confidence/perplexity"], row["confidence/own_perplexity"]
        assert ours == pytest.approx(theirs, rel=1e-6)
        assert 0 <= row["confidence/degmat"] <= 1 / 3


def test_metrics_between_0_and_1_are_no_verdicts(importer: Any) -> None:
    columns = MANAGER.replace("correct=Accuracy", "correct=Rouge_rougeL")
    said = importer.fault(POLYGRAPH, columns)
    assert "polygraph.man, row 1: `Rouge_rougeL` is missing" in said
    columns = MANAGER.replace("correct=Accuracy", "correct=Perplexity")
    assert "1 or 0, or true or false, is needed" in importer.fault(POLYGRAPH, columns)


class _Runs:
    def __reduce__(self) -> Any:
        return print, ("this ran",)


def _archive(path: Path, content: bytes, compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", content)
    return path


def test_no_code_in_a_manager_is_run(
    importer: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _archive(tmp_path / "hostile.man", pickle.dumps({"estimations": {}, "x": _Runs()}, 2))
    assert "holds more than numbers and texts (__builtin__.print)" in importer.fault(path, "id=x")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (pickle.dumps({"estimations": []}), "not a manager"),
        (pickle.dumps({"estimations": {}}), "no estimates of whole answers"),
        (pickle.dumps({"estimations": {("claim", "x"): [1.0]}}), "no estimates of whole answers"),
        (
            pickle.dumps({"estimations": {("sequence", "x"): [1.0], ("sequence", "y"): []}}),
            "'y' has 0 values, but 'x' has 1",
        ),
        (b"\x80\x02}", "it is damaged"),
        (b"", "it is damaged"),
    ],
)
def test_what_is_no_manager_is_said(
    importer: Any, tmp_path: Path, content: bytes, said: str
) -> None:
    assert said in importer.fault(_archive(tmp_path / "x.man", content), "id=x")


def test_archives_that_torch_does_not_write_are_refused(importer: Any, tmp_path: Path) -> None:
    content = pickle.dumps({"estimations": {}})
    path = _archive(tmp_path / "x.man", content, zipfile.ZIP_DEFLATED)
    assert "it is compressed" in importer.fault(path, "id=x")
    path.write_text("not an archive")
    assert "not a manager that lm-polygraph saved" in importer.fault(path, "id=x")


def test_two_columns_are_reported_and_calibrated(tmp_path: Path) -> None:
    rows = [(math.sin(at) ** 2, at % 3 != 0) for at in range(60)]
    path = tmp_path / "two.csv"
    lines = [f"{at},{ok:d},{sure!r}" for at, (sure, ok) in enumerate(rows)]
    path.write_text("n,ok,score\n" + "\n".join(lines) + "\n")
    strong = tmp_path / "strong.csv"
    strong.write_text("n,ok\n" + "\n".join(f"{at},1" for at in reversed(range(60))) + "\n")
    results = tmp_path / "results"

    told = ["--task", "numbers", "--out", results]
    columns = "id=n,correct=ok,confidence/score=score"
    said = output_of("import", path, "--columns", columns, "--model", "org/slm", *told)
    assert "60 answers written to" in said and "with the confidences score." in said
    said = output_of("import", strong, "--columns", "id=n,correct=ok", "--model", "llm", *told)
    assert "without confidences: a model to route to" in said
    output_of("report", results, "--out", tmp_path / "report", "--no-figures", "--resamples", "0")
    table = (tmp_path / "report" / "alignment.csv").read_text().splitlines()
    found = dict(zip(table[0].split(","), table[1].split(","), strict=True))
    from sklearn.metrics import roc_auc_score

    area = roc_auc_score([ok for _, ok in rows], [sure for sure, _ in rows])
    assert float(found["auroc"]) == pytest.approx(area)
    assert (tmp_path / "report" / "routing.csv").exists()
    calibrated = output_of(
        "calibrate", results, "--slm", "org__slm", "--method", "score", "--llm", "llm",
        "--accuracy", "0.8", "--out", tmp_path / "threshold.json",
    )  # fmt: skip
    assert "Threshold: " in calibrated
    assert json.loads((tmp_path / "threshold.json").read_text())["threshold"] is not None
