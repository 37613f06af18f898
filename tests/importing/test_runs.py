"""What an import writes, and what it refuses: each fault with its line."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from slmroute_plugin.analysis.study.reading import read_run, read_study
from slmroute_plugin.importing.faults import ImportFault
from slmroute_plugin.importing.runs import ImportSettings, import_file

COLUMNS = "id=n,correct=ok,confidence/p=p"


def table(*rows: str) -> str:
    return "\n".join(["n,ok,p", *rows]) + "\n"


def test_a_row_is_a_sample_of_the_filter_slm(importer: Any, file: Any) -> None:
    path = file("a.jsonl", json.dumps({
        "n": "q-7", "asked": "3 + 4?", "said": "It is 7.", "truth": [7, "seven"], "lp": [-0.5],
        "p": 90, "usd": 0.25,
    }) + "\n")  # fmt: skip
    columns = [
        "id=n, question=asked, answer=said, reference=truth, cost_usd=usd, logprobs=lp",
        "confidence/stated=p/100",
    ]
    run, (row,) = importer(path, columns, scoring="number")
    assert run.path.parent.name == "m" and run.path.name.startswith("samples_t_")
    assert row["doc"] == {"question": "3 + 4?", "id": "q-7"}
    assert row["target"] == ["7", "seven"]
    assert row["arguments"] == {"gen_args_0": {"arg_0": "3 + 4?"}}
    assert (row["resps"], row["filtered_resps"]) == ([["It is 7."]], ["It is 7."])
    assert (row["filter"], row["acc"], row["answer"]) == ("slm", 1.0, "7")
    assert (row["scored_by"], row["cost_usd"]) == ("number", 0.25)
    assert row["confidence/stated"] == 0.9
    assert row["auroc/stated"] == [0.9, 1.0]
    assert row["confidence/perplexity"] == pytest.approx(0.6065306597126334)
    assert row["no_confidence"] == {}


def test_a_choice_is_scored_by_its_options(importer: Any, file: Any) -> None:
    path = file("a.csv", "q,said,a,b,right\nWhich?,red,blue,red,B\nWhat?,A,blue,red,B\n")
    columns = "question=q,answer=said,options=a,options=b,reference=right"
    _, rows = importer(path, columns, scoring="choice")
    assert [(row["acc"], row["answer"]) for row in rows] == [(0.0, "A"), (1.0, "B")]


@pytest.mark.parametrize(
    ("said", "right", "fault"),
    [
        ("B", "blue", "line 2: `right` is 'blue': one of the letters A to B is needed"),
        ("B", "C", "line 2: `right` is 'C': one of the letters A to B is needed"),
        ("B", "[]", "line 2: `right` names no answer"),
    ],
)
def test_a_reference_by_which_no_reply_is_right_is_a_fault(
    importer: Any, file: Any, said: str, right: str, fault: str
) -> None:
    path = file("a.csv", f"q,said,a,b,right\nWhich?,{said},red,blue,{right}\n")
    columns = "question=q,answer=said,options=a,options=b,reference=right"
    assert fault in importer.fault(path, columns, scoring="choice")


def test_letters_without_options_are_refused(importer: Any, file: Any) -> None:
    path = file("a.csv", "q,said,right\nWhich?,B,B\n")
    columns = "question=q,answer=said,reference=right"
    assert "needs --columns options=…" in importer.fault(path, columns, scoring="choice")


def test_a_cost_below_nothing_is_a_fault(importer: Any, file: Any) -> None:
    path = file("a.csv", "n,ok,usd\n1,1,0\n2,1,-0.5\n")
    fault = importer.fault(path, "id=n,correct=ok,cost_usd=usd")
    assert fault == f"{path}, line 3: `usd` is '-0.5': dollars of 0 or more are needed"


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pa.array([0.5, 0.25]), "the column 'p' is there more than once"),
        (pa.array([0, 2**61], pa.timestamp("us")), "behind row 0: a value cannot be read"),
        (pa.array([b"a", b"\xff"]).view(pa.string()), "behind row 0: a value cannot be read"),
    ],
    ids=["twice", "time", "text"],
)
def test_a_parquet_file_that_a_row_cannot_hold_is_named(
    importer: Any, tmp_path: Path, column: Any, said: str
) -> None:
    path = tmp_path / "a.parquet"
    known = [pa.array([1, 2]), pa.array([1, 0]), pa.array([0.5, 0.75])]
    name = "p" if column.type == pa.float64() else "further"
    parquet.write_table(pa.table([*known, column], names=["n", "ok", "p", name]), path)
    fault = importer.fault(path, COLUMNS)
    assert str(path) in fault and said in fault


def test_files_in_another_order_are_about_the_same_questions(tmp_path: Path, file: Any) -> None:
    results = tmp_path / "results"
    weak = file("weak.csv", "q,ok,p\na,1,.5\nb,0,.25\nc,1,.75\n")
    strong = file("strong.csv", "q,ok\nc,0\na,1\nb,1\n")
    told = ImportSettings("slm", "t", ["question=q,correct=ok,confidence/p=p"])
    import_file(weak, results, told)
    import_file(strong, results, ImportSettings("llm", "t", ["question=q,correct=ok"]))
    study = read_study(results)
    assert list(study.problems) == []
    (setting,) = study.settings
    llm = setting.llms["llm"]
    assert llm.doc_id.tolist() == setting.slm.doc_id.tolist()
    pairs = set(zip(setting.slm.correct.tolist(), llm.correct.tolist(), strict=True))
    assert pairs == {(True, True), (False, True), (True, False)}


def test_other_questions_under_the_same_ids_are_no_match(tmp_path: Path, file: Any) -> None:
    results = tmp_path / "results"
    for model, question in (("slm", "a"), ("llm", "b")):
        path = file(f"{model}.csv", f"n,q,ok,p\n1,{question},1,.5\n2,c,0,.5\n")
        columns = ["id=n,question=q,correct=ok" + ",confidence/p=p" * (model == "slm")]
        import_file(path, results, ImportSettings(model, "t", columns))
    (problem,) = read_study(results).problems
    assert "other questions" in problem.why


def test_missing_confidences_are_allowed_on_request(importer: Any, file: Any) -> None:
    path = file("a.csv", table("1,1,0.5", "2,0,", "3,1,nan"))
    said = importer.fault(path, COLUMNS)
    assert "a.csv, line 3: `p` is missing" in said and "a.csv, line 4: `p` is missing" in said
    run, rows = importer(path, COLUMNS, allow_missing=True)
    assert [row["confidence/p"] for row in rows] == [0.5, None, None]
    assert [row["no_confidence"] for row in rows] == [{}] + [{"p": "p is missing"}] * 2
    assert read_run(run.path, "m", "t").scores["p"].known.tolist() == [True, False, False]


def test_an_infinite_confidence_is_never_missing(importer: Any, file: Any) -> None:
    path = file("a.csv", table("1,1,inf"))
    said = importer.fault(path, COLUMNS, allow_missing=True)
    assert said == f"{path}, line 2: `p` is inf: a finite number is needed"


FAULTS = {
    "a verdict": (table("1,yes,0.5"), COLUMNS, "line 2: `ok` is 'yes': 1 or 0, or true or false"),
    "no verdict": (table("1,,0.5"), COLUMNS, "line 2: `ok` is missing"),
    "half right": (table("1,0.5,0.5"), COLUMNS, "line 2: `ok` is '0.5'"),
    "above 1": (table("1,1,0.5", "2,1,90"), COLUMNS, "line 3: `p` is '90': a confidence from 0 to"),
    "below 0": (table("1,1,-0.1"), COLUMNS, "line 2: `p` is '-0.1': a confidence from 0 to 1"),
    "a word": (table("1,1,high"), COLUMNS, "line 2: `p` is 'high': a number is needed"),
    "1_0": (table("1,1,1_0"), COLUMNS, "line 2: `p` is '1_0': a number is needed"),
    "no id": (table(",1,0.5"), COLUMNS, "line 2: `n` is missing"),
    "twice": (table("1,1,0.5", "2,1,1", "1,1,0"), COLUMNS, "line 4: the id '1' is there already, "),
    "too long": (table("1,1,0.5,9"), COLUMNS, "line 2: 4 cells, but there are 3 columns"),
    "too short": (table("1,1"), COLUMNS, "line 2: 2 cells, but there are 3 columns"),
    "two columns": ("n,n,ok\n1,1,1\n", "id=n,correct=ok", "the column 'n' is there more than once"),
    "an open quote": (table('1,1,"0.5'), COLUMNS, "line 2: it is not CSV (unexpected end of data)"),
    "no rows": (table(), COLUMNS, "it holds no rows"),
    "nothing": ("", COLUMNS, "it holds no rows"),
    "a negative uncertainty": (
        table("1,1,-800"), "id=n,correct=ok,confidence/p=exp(-p)", "exp(-x) of it does not lie"
    ),
    "no such column": (table("1,1,0"), COLUMNS.replace("=ok", "=okay"), "Did you mean 'ok'?"),
    "no such part": (table("1,1,0"), "corect=ok", "no part 'corect'. Did you mean 'correct'?"),
    "no name": (table("1,1,0"), "confidence/=p", "there is no part 'confidence/'"),
    "no column": (table("1,1,0"), "id", "PART=COLUMN is needed"),
    "a part twice": (table("1,1,0"), "id=n,id=ok", "id is given twice"),
    "a confidence twice": (
        table("1,1,0"), "confidence/p=p,confidence/p=n", "confidence/p is given twice"
    ),
    "no question": (table("1,1,0"), "correct=ok", "--columns question=… or id=…"),
    "no right and wrong": (table("1,1,0"), "id=n", "--columns correct=…, or answer=… and"),
    "references": (table("1,1,0"), "id=n,correct=ok,reference=p", "reference need --scoring RULE"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "columns", "said"), FAULTS.values(), ids=list(FAULTS))
def test_a_fault_is_named_by_its_line(
    importer: Any, file: Any, text: str, columns: str, said: str
) -> None:
    assert said in importer.fault(file("a.csv", text), columns)


@pytest.mark.parametrize(
    ("columns", "scoring", "said"),
    [
        ("id=n,correct=ok", "number", "both say what is right"),
        ("id=n,answer=ok", "number", "needs --columns answer=… and reference=…"),
        ("id=n,answer=ok,reference=p", "numbr", "--scoring: Unknown scoring rule 'numbr'. Did you"),
    ],
)
def test_scoring_without_texts_is_refused(
    importer: Any, file: Any, columns: str, scoring: str, said: str
) -> None:
    assert said in importer.fault(file("a.csv", table("1,1,0")), columns, scoring=scoring)


def test_faults_beyond_the_fifth_are_counted(importer: Any, file: Any) -> None:
    said = importer.fault(file("a.csv", table(*(f"{n},x,0.5" for n in range(9)))), COLUMNS)
    assert len(said.splitlines()) == 6
    assert said.endswith("… and 4 more")


def test_a_row_of_several_lines_is_named_by_its_first(importer: Any, file: Any) -> None:
    path = file("a.csv", 'q,ok\n"a\nb\nc",1\n"d\ne",x\n')
    assert "a.csv, line 5: `ok` is 'x'" in importer.fault(path, "question=q,correct=ok")


def test_lines_of_json_that_hold_no_row_are_named(importer: Any, file: Any) -> None:
    path = file("a.jsonl", '{"n": 1, "ok": 1}\n\n{"n": 2, "ok"\n[1]\n')
    said = importer.fault(path, "id=n,correct=ok").splitlines()
    assert said[0].startswith(f"{path}, line 3: not one JSON object")
    assert said[1] == f"{path}, line 4: not a JSON object"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "`lp` is missing"),
        ([0.5], "holds 0.5: log-probabilities are at most 0"),
        ([-0.5, None], "is None: a number is needed"),
        ([{"token": "a"}], "is None: a number is needed"),
        ([float("nan")], "a finite number is needed"),
        ("-0.5 -0.5", "a list of numbers as JSON, [-0.1, -2.3], is needed"),
        ("[-0.5", "a list of numbers as JSON"),
    ],
)
def test_log_probs_are_checked(importer: Any, file: Any, value: Any, said: str) -> None:
    path = file("a.jsonl", json.dumps({"n": 1, "ok": True, "lp": value}) + "\n")
    assert said in importer.fault(path, "id=n,correct=ok,logprobs=lp")


@pytest.mark.parametrize(
    ("row", "columns", "said"),
    [
        ({"n": 1, "ok": 1, "p": 10**400}, COLUMNS, "a finite number is needed"),
        ({"n": "1" * 5000, "ok": 1, "p": 1}, COLUMNS, "a number from 0 to 2**53 - 1 is needed"),
        ({"n": "9007199254740992", "ok": 1, "p": 1}, COLUMNS, "a number from 0 to 2**53 - 1"),
        ({"n": 1, "ok": '["\\ud800"]'}, "id=n,correct=ok,samples=ok", "half a character"),
    ],
    ids=["number", "long id", "id", "text"],
)
def test_a_value_beyond_what_can_be_written_is_named(
    importer: Any, file: Any, row: dict[str, Any], columns: str, said: str
) -> None:
    path = file("a.jsonl", json.dumps(row) + "\n")
    assert f"{path}, line 1: `" in (fault := importer.fault(path, columns)) and said in fault


def test_a_question_may_be_a_long_number_and_a_reference_open_many_brackets(
    importer: Any, file: Any
) -> None:
    row = {"q": 10**400, "a": "1", "r": "[" * 100_000}
    path = file("a.jsonl", json.dumps(row) + "\n")
    _, (read,) = importer(path, "question=q,answer=a,reference=r", scoring="match")
    assert read["doc"]["question"] == str(10**400)
    assert (read["target"], read["acc"]) == ("[" * 100_000, 0.0)


@pytest.mark.parametrize("samples", ["['4', '4', '5']", "[4, '5']", "['it\\'s', \"a\"]"])
def test_a_list_as_python_writes_it_is_refused(importer: Any, file: Any, samples: str) -> None:
    path = file("a.jsonl", json.dumps({"n": 1, "ok": True, "s": samples}) + "\n")
    said = importer.fault(path, "id=n,correct=ok,samples=s")
    assert "a list as Python writes it: a list as JSON" in said


def test_an_answer_of_no_tokens_has_no_confidence(importer: Any, file: Any) -> None:
    path = file("a.jsonl", '{"n": 1, "ok": 1, "lp": [-1]}\n{"n": 2, "ok": 0, "lp": []}\n')
    _, rows = importer(path, "id=n,correct=ok,logprobs=lp")
    assert [row["confidence/perplexity"] is None for row in rows] == [False, True]
    assert rows[1]["no_confidence"]["perplexity"] == "the answer is empty"


def test_a_text_that_looks_like_a_list_is_one_text(importer: Any, file: Any) -> None:
    columns = "question=q,answer=a,reference=r"
    given = [{"q": "1", "a": "\\boxed{[-2,7]}", "r": "[-2,7]"}]
    given += [{"q": "2", "a": "\\boxed{7}", "r": "[-2,7]"}]
    path = file("a.jsonl", "".join(json.dumps(row) + "\n" for row in given))
    _, rows = importer(path, columns, scoring="math")
    assert [(row["target"], row["acc"]) for row in rows] == [("[-2,7]", 1.0), ("[-2,7]", 0.0)]
    texts = {"q": "3", "a": "Paris", "r": json.dumps(["Paris", "Paree"])}
    _, (row,) = importer(file("b.jsonl", json.dumps(texts) + "\n"), columns, scoring="match")
    assert (row["target"], row["acc"]) == (["Paris", "Paree"], 1.0)
    path = file("a.csv", 'q,a,r\n1,[0],"[""[-2,7]""]"\n')
    assert importer(path, columns, scoring="math").rows[0]["target"] == "[-2,7]"


def test_a_long_cell_is_read(importer: Any, file: Any) -> None:
    long = "x" * 200_000
    _, (row,) = importer(
        file("a.csv", f"q,ok,p\n{long},1,0.5\n"), "question=q,correct=ok,confidence/p=p"
    )
    assert row["doc"]["question"] == long


@pytest.mark.parametrize("task", ["", "org/data"])
def test_a_task_that_names_no_file_is_refused(tmp_path: Path, file: Any, task: str) -> None:
    with pytest.raises(ImportFault, match="give a name without slashes"):
        import_file(file("a.csv", table("1,1,0.5")), tmp_path, ImportSettings("m", task, [COLUMNS]))
    assert not list(tmp_path.rglob("samples_*"))


@pytest.mark.parametrize("model", ["", ".", "..", "a\0b"])
def test_a_model_that_names_no_folder_of_its_own_is_refused(
    tmp_path: Path, file: Any, model: str
) -> None:
    settings = ImportSettings(model, "t", [COLUMNS])
    with pytest.raises(ImportFault, match=r"--model .* becomes a folder's name"):
        import_file(file("a.csv", table("1,1,0.5")), tmp_path / "results", settings)
    assert [path.name for path in tmp_path.rglob("samples_*")] == []


def test_a_given_name_that_is_computed_too_is_refused(importer: Any, file: Any) -> None:
    path = file("a.jsonl", '{"n": 1, "ok": 1, "lp": [-1], "p": 0.5}\n')
    columns = "id=n,correct=ok,logprobs=lp,confidence/perplexity=p"
    assert "perplexity is computed from the columns" in importer.fault(path, columns)


def test_an_empty_answer_is_told_from_none(importer: Any, file: Any) -> None:
    columns = "id=n,answer=a,reference=r"
    _, (row,) = importer(file("a.jsonl", '{"n": 1, "a": "", "r": 7}\n'), columns, scoring="number")
    assert (row["acc"], row["resps"]) == (0.0, [[""]])


@pytest.mark.parametrize("second", ['{"n": 2, "a": null, "r": 7}', '{"n": 2, "r": 7}'])
def test_a_missing_answer_is_a_fault(importer: Any, file: Any, second: str) -> None:
    path = file("a.jsonl", '{"n": 1, "a": "7", "r": 7}\n' + second + "\n")
    said = importer.fault(path, "id=n,answer=a,reference=r", scoring="number")
    assert said == f"{path}, line 2: `a` is missing"


def test_files_that_cannot_be_read_are_named(importer: Any, file: Any, tmp_path: Path) -> None:
    assert "is not known, only .csv" in importer.fault(file("a.xlsx", ""), COLUMNS)
    assert "No such file" in importer.fault(tmp_path / "none.csv", COLUMNS)
    assert "No such file" in importer.fault(tmp_path / "none.parquet", COLUMNS)
    assert "it is not parquet" in importer.fault(file("a.parquet", "no"), COLUMNS)
    latin = tmp_path / "latin.csv"
    latin.write_bytes(b"n,ok\n" + b"1,1\n" * 10_000 + b"caf\xe9,1\n")
    said = importer.fault(latin, "id=n,correct=ok")
    assert "latin.csv, line 10002: it is not text in UTF-8" in said
    assert "0xe9 in position 3" in said


def test_ids_of_parquet_may_be_numbers_but_no_fractions(importer: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pd.DataFrame({"n": [1.0, 2.0], "ok": [True, False]}).to_parquet(path)
    said = importer.fault(path, "id=n,correct=ok")
    assert "a.parquet, row 1: `n` is 1.0: a whole number or a text is needed" in said
    pd.DataFrame({"n": [1, 2], "ok": [True, False]}).to_parquet(path)
    _, rows = importer(path, "id=n,correct=ok")
    assert [row["doc_id"] for row in rows] == [1, 2]


def test_ids_that_look_like_numbers_stay_apart(importer: Any, file: Any) -> None:
    _, rows = importer(file("a.csv", "n,ok\n7,1\n007,0\n"), "id=n,correct=ok")
    assert [row["doc"]["question"] for row in rows] == ["007", "7"]
    assert rows[1]["doc_id"] == 7


ROWS = st.lists(
    st.tuples(
        st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1).filter(
            lambda text: text.strip() and text.strip().lower() != "nan"
        ),
        st.booleans(),
        st.floats(0, 1),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda row: row[0],
)


@given(rows=ROWS)
def test_every_kind_of_file_gives_the_same_run(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, bool, float]]
) -> None:
    folder = tmp_path_factory.mktemp("formats")
    named = [{"q": q, "ok": ok, "p": p} for q, ok, p in rows]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, ["q", "ok", "p"])
    writer.writeheader()
    writer.writerows(named)
    (folder / "a.csv").write_bytes(text.getvalue().encode("utf-8"))
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in named)
    (folder / "a.jsonl").write_bytes(lines.encode("utf-8"))
    pd.DataFrame(named).to_parquet(folder / "a.parquet")

    def read(suffix: str) -> list[Any]:
        told = ImportSettings("m", "t", ["question=q,correct=ok,confidence/p=p"])
        run = import_file(folder / f"a{suffix}", folder / suffix[1:], told)
        return [json.loads(line) for line in run.path.read_bytes().splitlines()]

    expected = read(".jsonl")
    assert read(".csv") == expected
    assert read(".parquet") == expected
    assert {row["doc"]["question"]: row["confidence/p"] for row in expected} == {
        q: p for q, _, p in rows
    }
