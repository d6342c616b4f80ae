"""A verdict in sentences: why the numbers differ, where, what to do, what to know."""

from judge.causes import Cause, NoCause

from diagnose.differences import (
    STARTS,
    brief,
    call_settings,
    change_of,
    how_data_differ,
    how_evaluated,
    noise_made,
    parted_before_data,
    reasons,
    settings,
    settings_of,
    without_effect,
)
from diagnose.place import describe_place, parted_in, rates_in
from diagnose.records import (
    Record,
    Runs,
    data_of,
    initial_weights,
    reported,
    trained_models,
    training_calls,
)
from diagnose.rungs import LABELS, label, swapped

SENTENCES = {
    "data": "The two runs are trained on other data",
    "weights": "The two runs draw other initial weights",
    "draws": "The two runs draw other numbers during training",
    "evaluation": "The two runs are evaluated differently",
    "computation": "The two runs compute differently",
    "length": "One run trains for more steps than the other",
}


def undecided(verdict: dict, reason: str, rest: float | None = None) -> dict:
    """Return a verdict that there is none, with the reason."""
    left = f" ({rest:+.3g} of {verdict['total']:+.6g} remains)" if rest is not None else ""
    known = [row for row in verdict["rows"] if row["named"] and row["cause"] != Cause.COMPUTATION]
    shares = "".join(f" {row['label']}: {row['contribution']:+.3g}." for row in known)
    sentence = f"Undecided: {reason}{left}.{shares}"
    return verdict | {"undecided": reason, "sentence": sentence, "causes": []}


def shown(metric: str) -> str:
    """Return what the compared number is called."""
    words = {"printed": "last number printed", "loss": "last evaluated loss"}
    words["training loss"] = "training loss"
    return f"the {words.get(metric, f'last {metric}')}"


def tell(runs: Runs, verdict: dict, numbers: list, parted: list) -> str:
    """Return the verdict in a few sentences."""
    total, number, last = verdict["total"], shown(runs.metric), verdict["rows"][-1]
    records = runs.pair()
    parts = []
    if parted:
        whose = "The two scripts are" if len(parted) > 1 else f"The {parted[0]} script is"
        what = (
            "the initial weights differ" if runs.vary(initial_weights) else "the training differs"
        )
        what = "the training data differ" if runs.vary(data_of) else what
        parts.append(
            f"{whose} not reproducible: repeats spread by {verdict['spread']:.3g}; "
            f"{what} from run to run."
        )
    named = [row for row in verdict["rows"] if row["named"]]
    for row in named:
        if row["cause"] == Cause.CHANGED_DEFAULT:
            text = f"A default has changed, {change_of(changed_default(row, runs))}"
        else:
            key = next(key for key, name in LABELS.items() if name == row["cause"])
            text, how = SENTENCES[key], details(key, verdict, numbers, records)
            if key == "weights" and how:
                text = "The two runs start from other initial weights"
            text += f" ({'; '.join(how)})" if how else ""
        share = f"{100 * row['share']:.3g} % of {total:+.6g}" if total else "in part"
        if row["share"] is None or abs(row["share"]) > 2:
            share = f"{row['contribution']:+.6g}, where the whole difference is {total:+.6g}"
        parts.append(f"{text}: {share}.")
    if not named:
        if total == 0 and not parted:
            parts.append(f"No difference: {number} is {numbers[0]['values'][-1]:.9g} in both runs.")
        elif parted:
            parts.append(f"The two runs differ by {total:+.3g}, which is not beyond this spread.")
        elif verdict["elsewhere"]:
            parts.append(
                f"One step is computed differently, but {number} differs by {total:+.3g}, no more "
                "than rounding does."
            )
        else:
            parts.append(f"Rounding alone: {number} differs by {total:+.3g}.")
    if verdict["equal_start"] and (not parted or not named):
        where = "from equal weights " if Cause.INITIAL_DRAWS in verdict["causes"] else ""
        agreed = f"{where}all {verdict['steps']} steps agree to the bit"
        agreed += " in some repeats" if parted else ""
        parts.append(f"Nothing is computed differently: {agreed}.")
    elif Cause.LENGTH in verdict["causes"]:
        both = verdict["place"]["step"][1] - 1
        parts.append(f"Nothing is computed differently in the {both} steps that both make.")
    elif last["cause"] == NoCause.ROUNDING and last["contribution"] and not verdict["elsewhere"]:
        parts.append(
            f"What remains, {last['contribution']:+.2g}, is rounding, which by itself moves this "
            f"number by {verdict['yardstick']:.2g}."
        )
    return " ".join(parts)


def details(key: str, verdict: dict, numbers: list, records: tuple[Record, Record]) -> list[str]:
    """Return in which way a cause differs between the scripts, as far as it can be seen."""
    match key:
        case "evaluation":
            said = [how_evaluated(numbers[0], numbers[1], *records)]
        case "length":
            said = call_settings(*records) + settings_of(("callback",), *records)
        case "data":
            said = [how_data_differ(*records)]
        case "computation":
            said = why_computed(verdict, *records)[:3]
        case "draws":
            said = noise_made(*records) or ["row order, dropout or noise"]
        case "weights":
            said = [text for text in reasons(*records) if text.split(": ")[0].endswith(STARTS)]
        case _:
            said = []
    return [text for text in said if text]


def why_computed(verdict: dict, first: Record, second_run: Record) -> list[str]:
    """Return what differs between the scripts; the learning rate where the runs part is first."""
    said = reasons(first, second_run, parted_in(verdict))
    return said if any("learning_rate" in text for text in said) else rates_in(verdict) + said


def notes(runs: Runs, verdict: dict, closer: dict) -> list[str]:
    """Return further sentences: the number, the place, what to do, what to know."""
    records = runs.pair()
    values = [runs.value(f"{side}/as_is") for side in ("first", "second")]
    said = [f"Compared is {shown(runs.metric)}: {values[0]!r} and {values[1]!r}."]
    if verdict["place"]:
        said.append(describe_place(verdict["place"], records))
    why = why_computed(verdict, *records)
    told = 0 if verdict["undecided"] else 3  # of them, in the sentence
    if not verdict["undecided"]:
        named = [row for row in verdict["rows"] if row["named"]]
        tried = [words for row in named for words in advice(row, runs)]
        left = [row["first_order"] for row in named if row["cause"] == Cause.COMPUTATION]
        said += tried
        if tried and left:
            said.append(f"This leaves {left[0]:+.3g}, which is computed differently.")
    if verdict["equal_start"] and not {*verdict["causes"]} - {Cause.INITIAL_DRAWS, Cause.DATA}:
        said += without_effect(*records)[:6]
    elif len(why) > told and (verdict["undecided"] or Cause.COMPUTATION in verdict["causes"]):
        more = "More that" if told else "What"
        said.append(f"{more} differs between the scripts: {'; '.join(why[told:9])}.")
    if parted_before_data(*records):
        said.append("The runs are given other data only after they have parted.")
    for side, record in zip(("first", "second"), records, strict=True):
        if len(trained_models(record)) > 1:
            said.append(f"The {side} script trains {len(trained_models(record))} models.")
        if record["writes"]:
            names = ", ".join(record["writes"][:3])
            said.append(f"While the {side} script ran, {names} changed beside it; runs take turns.")
        seeds = [call["draws"].get("framework_seed") for call in training_calls(record)]
        if seeds and seeds[0] is None:
            said.append(f"Where the {side} script trains, the framework has no seed.")
    return said


def changed_default(row: dict, runs: Runs) -> dict:
    """Return the entry of `settings` that a row on a changed default is of."""
    found = settings(*runs.pair())
    return next(one for one in found if label([one["class"], one["key"]]) == row["label"])


def advice(row: dict, runs: Runs) -> list[str]:
    """Return what makes the runs agree, which has been tried in a run of the diagnosis."""
    if row["cause"] == Cause.CHANGED_DEFAULT:
        cause = changed_default(row, runs)
        old = cause["first"]
        old = brief(old) if isinstance(old, float) else repr(old)
        words = f"{cause['class']}(…, {cause['key']}={old})"
        return [f"What to do, tried here: write {words} in the second script."]
    if row["cause"] == Cause.EVALUATION:
        number, report = swapped(runs, [], []), reported(runs.one("first/as_is"), runs.metric)
        line = f"line {report['line']} of the first script" if "line" in report else "the first one"
        said = (
            f"What to do, tried here: evaluate the second script's last weights as {line} does; "
            f"this gives {number!r} in place of {runs.value('second/as_is')!r}."
        )
        return [said] if number is not None else []
    return {
        Cause.INITIAL_DRAWS: [
            "What to do, tried here: start both from the same weights; those of the first run are "
            "initial/… in runs/first/as_is-1.npz."
        ],
        Cause.DATA: ["What to do, tried here: hand both models the first script's data."],
        Cause.DRAWS_DURING_TRAINING: [
            "What to do, tried here: shuffle=False, and no dropout or noise, in both scripts."
        ],
    }.get(row["cause"], [])
