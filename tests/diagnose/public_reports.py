"""What the diagnosis says of the scripts in examples/, with the time it takes, as a page.

python public_reports.py plan FOLDER                        writes the configuration, pairs.json
python public_reports.py tell FOLDER > docs/reports.md      what was said of the pairs, as a table

Between the two, diagnose FOLDER/pairs.json in FOLDER.
"""

import csv
import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from planted_scripts import table

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
OLD, NEW = "tf1.14-keras2.2.4", "tf2.0-keras2.3.1"
UPGRADE = f"{OLD} {NEW}"
WHOLE = (0.999, 1.001)


@dataclass
class Case:
    """A pair of scripts, or one script in two releases, and what is right to say of it.

    `shares` are the bounds of the share of each cause that is named; no other is. `place` is the
    step of the first difference from an equal start, and whether the loss differs in this step.
    """

    scripts: str
    environments: str
    shares: dict[str, tuple[float, float]] = field(default_factory=dict)
    says: str = ""
    place: tuple[int, bool] | None = None
    unrepeatable: bool | None = False  # None: it may be so, from run to run
    comparison: str = ""  # the same pair in the workflow's own verdicts.csv

    def pair(self):
        """Return the pair as a configuration has it."""
        paths = [str(EXAMPLES / f"{script}.py") for script in self.scripts.split()]
        keys = ("first", "second") if len(paths) == 2 else ("script",)
        return dict(zip(keys, paths, strict=True)) | {"in": self.environments}


CASES = {
    # --- the page, in both versions and across them
    "answer 1.14": Case("page/answer_v1 page/answer_v2", OLD, {"initial draws": WHOLE},
                        "from equal weights all 180 steps agree to the bit"),
    "answer 2.0": Case("page/answer_v1 page/answer_v2", NEW,
                       says="No difference: the last evaluated loss is 0.8184"),
    "question 1.14": Case("page/question_plain page/question_bn", OLD,
                          {"initial draws": (1.179, 1.181), "computation": (-0.181, -0.179)},
                          "0.7751016616821289 and 1.12298",
                          comparison="batch_normalization_1_14"),
    "question 2.0": Case("page/question_plain page/question_bn", NEW, {"computation": WHOLE},
                         "1.168250560760498 and 1.12782"),
    "question plain, upgrade": Case("page/question_plain", UPGRADE, {"initial draws": WHOLE},
                                    comparison="upgrade_without_bn"),
    "question BN, upgrade": Case("page/question_bn", UPGRADE, {"initial draws": WHOLE},
                                 comparison="upgrade_with_bn"),
    "V1, upgrade": Case("page/answer_v1", UPGRADE, {"initial draws": WHOLE}),
    "V2, upgrade": Case("page/answer_v2", UPGRADE, {"initial draws": WHOLE}),
    # --- public reports
    "SOFTMAXID 1.14": Case("cases/softmax_plain cases/softmax_identity", OLD,
                           {"computation": WHOLE}, place=(1, True)),
    "SOFTMAXID 2.0": Case("cases/softmax_plain cases/softmax_identity", NEW,
                          says="all 48 steps agree to the bit"),
    "LSTMACT": Case("cases/recurrent_lstm", UPGRADE,
                    {"initial draws": (0.93, 0.96),
                     "changed default LSTM.recurrent_activation": (0.04, 0.07)},
                    "LSTM.recurrent_activation: hard_sigmoid → sigmoid"),
    # Repeats of the first script may spread by 1% of the difference.
    "LSTMACT keras": Case("cases/recurrent_keras", UPGRADE,
                          {"changed default LSTM.recurrent_activation": (0.98, 1.02)},
                          unrepeatable=None),
    "LSTMACT written": Case("cases/recurrent_written", UPGRADE, {"initial draws": WHOLE},
                            "is rounding"),
    "GRURESET": Case("cases/recurrent_gru", UPGRADE,
                     {"initial draws": (0.91, 0.95),
                      "changed default GRU.reset_after": (-0.11, -0.07),
                      "changed default GRU.recurrent_activation": (0.14, 0.18)},
                     "GRU.reset_after: False → True"),
    "ADADELTA keras": Case("cases/adadelta_keras cases/adadelta_tf_keras", OLD,
                           {"initial draws": (0.03, 0.07),
                            "changed default Adadelta.learning_rate": (0.93, 0.97)},
                           "Adadelta.learning_rate: 1.0 → 0.001", unrepeatable=None),
    "ADADELTA 1.13": Case("cases/adadelta_tf_keras", f"tf1.13 {OLD}",
                          {"changed default Adadelta.learning_rate": (0.9, 1.1)},
                          "Adadelta.learning_rate: 1.0 → 0.001"),
    # No truth by hand: with SGD in place of Adam keras 2.2.4 does not always repeat, either.
    "KADAMRACE": Case("cases/keras_adam cases/keras_adam", OLD, unrepeatable=None),
    "VALSPLIT": Case("cases/validation_split cases/validation_hand", NEW,
                     {"data": (0.02, 0.04), "evaluation": (0.96, 0.98)}, "on other rows"),
    "ACCLOAD": Case("cases/accuracy_saved cases/accuracy_loaded", "tf2.3",
                    {"evaluation": WHOLE}, "the same rows, another formula"),
    "NEWVAR 2.0": Case("cases/unused_none cases/unused_layer", NEW, {"initial draws": WHOLE},
                       "from equal weights all 35 steps agree to the bit"),
    "NEWVAR 2.6": Case("cases/unused_none cases/unused_layer", "tf2.6", {"initial draws": WHOLE},
                       "from equal weights all 35 steps agree to the bit"),
    "KERAS231VAL": Case("cases/validation_arrays cases/validation_generator", NEW,
                        {"evaluation": WHOLE}, "all 30 steps agree to the bit"),
    "FITTWICE 1.14": Case("cases/fit_once cases/fit_often", OLD, says="all 70 steps agree"),
    "FITTWICE 2.0": Case("cases/fit_once cases/fit_often", NEW, says="all 70 steps agree"),
    "FITTWICE shuffled 1.14": Case("cases/fit_once_shuffled cases/fit_often_shuffled", OLD,
                                   says="all 70 steps agree"),
    "FITTWICE shuffled 2.0": Case("cases/fit_once_shuffled cases/fit_often_shuffled", NEW,
                                  {"draws during training": WHOLE}),
    "SEEDVER 1.15": Case("cases/seeded_convolution", "tf1.15 tf2.2", {"initial draws": WHOLE}),
    "SEEDVER 2.2": Case("cases/seeded_convolution", "tf2.2 tf2.11"),
    "SEEDVER 2.11": Case("cases/seeded_convolution", "tf2.11 tf-current-keras3"),
    "L2LOSS": Case("cases/penalty_evaluate cases/penalty_predict", NEW, {"evaluation": WHOLE},
                   "evaluate against predict"),
}  # fmt: skip
REPORTS = {
    "answer": "the page's answer, V1 and V2",
    "question": "the page's question, without and with BN",
    "question plain, upgrade": "the question without BN, upgraded",
    "question BN, upgrade": "the question with BN, upgraded",
    "V1, upgrade": "V1, upgraded",
    "V2, upgrade": "V2, upgraded",
    "SOFTMAXID": "an identity layer behind softmax",
    "LSTMACT": "an LSTM after the upgrade",
    "LSTMACT keras": "the same in standalone keras",
    "LSTMACT written": "the same, with the activation written out",
    "GRURESET": "a GRU whose weights have other shapes",
    "ADADELTA": "Adadelta without arguments",
    "ADADELTA keras": "the same, from keras to tf.keras",
    "KADAMRACE": "keras with Adam, all seeds set, run again",
    "VALSPLIT": "a validation split, and one by hand",
    "ACCLOAD": "the accuracy after loading",
    "NEWVAR": "an unused layer that draws",
    "KERAS231VAL": "validation on a generator",
    "FITTWICE": "`fit` ten times, without shuffling",
    "FITTWICE shuffled": "`fit` ten times, with shuffling",
    "SEEDVER": "a seed in the initializer, another release",
    "L2LOSS": "`evaluate` against `predict`, with a penalty",
}
PAGE = """# Public reports

`examples/page/` holds the scripts of the page that this repository reproduces, written anew.
`examples/cases/` holds scripts for twelve public reports of "my result changed". This page lists
what the diagnosis finds, and the time that the diagnosis takes. `tests/diagnose/public_reports.py`
has written this page from the verdicts. `tests/diagnose/test_cases.py` compares the verdicts with
what is right. The tests also show each truth by hand: they set one thing back in the bare scripts
and compare the bits.

| column | meaning |
| --- | --- |
| lines | lines of the two scripts, or of the one script |
| runs | processes of the diagnosis that run a script |
| CPU s | the CPU time of these processes together, import of the framework included |
| verdict | each cause that is named, with its share of the difference |
| step | the first step that differs from an equal start |

{reports}
"""


def identifier(case):
    """Return the name of a case as a folder can have it."""
    return re.sub(r"\W+", "_", case).strip("_")


def describe(verdict: dict) -> str:
    """Return the causes that a verdict names, with their shares, in the order of the ladder."""
    if verdict["undecided"]:
        return "undecided"
    named = [
        f"{row['label']} {100 * row['share']:.1f} %" for row in verdict["rows"] if row["named"]
    ]
    named = ["not reproducible"] * ("not reproducible" in verdict["causes"]) + named
    return ", ".join(named) or "no difference"


def row_of(name: str, case: Case) -> list[str]:
    """Return what is known of a case beforehand: report, scripts, versions, lines."""
    report = next(REPORTS[part] for part in (name, name.rpartition(" ")[0]) if part in REPORTS)
    scripts = case.scripts.split()
    lines = [str(len((EXAMPLES / f"{script}.py").read_text().splitlines())) for script in scripts]
    names = dict.fromkeys(f"`{Path(script).name}`" for script in scripts)
    return [report, ", ".join(names), case.environments.replace(" ", ", "), ", ".join(lines)]


def tell(folder: Path) -> str:
    """Return the page from the verdicts and benchmarks in a folder."""
    rows = []
    for name, case in CASES.items():
        diagnosis = folder / identifier(name)
        verdict = json.loads((diagnosis / "verdict.json").read_text(encoding="utf-8"))
        times = []
        for path in diagnosis.glob("benchmarks/*/*.tsv"):
            with path.open(encoding="utf-8") as file:
                times += [float(line["cpu_time"]) for line in csv.DictReader(file, delimiter="\t")]
        step = str(verdict["place"]["step"][1]) if verdict["place"] else ""
        cost = [str(len(times)), f"{sum(times):.0f}"]
        rows.append([*row_of(name, case), *cost, describe(verdict), step])
    heads = ["report", "scripts", "in", "lines", "runs", "CPU s", "verdict", "step"]
    return PAGE.format(reports=table(heads, rows))


def main() -> None:
    """Write the configuration, or the page."""
    action, folder = sys.argv[1], Path(sys.argv[2]).resolve()
    if action == "tell":
        print(tell(folder), end="")
        return
    folder.mkdir(parents=True, exist_ok=True)
    pairs = {identifier(name): case.pair() for name, case in CASES.items()}
    (folder / "pairs.json").write_text(json.dumps({"pairs": pairs}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
