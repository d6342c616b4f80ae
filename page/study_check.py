"""Does the study train what the configuration says? Its engine is made for the page alone."""

from collections.abc import Iterator
from pathlib import Path

from plan.configuration import Mistake, report, shorten

from page import study
from page.plans import values_of

PAGE = Path(__file__).resolve().parent / "autoencoder.py"
NAMES = {"BatchNormalization": "bn", "Activation": "activation"}
ARGUMENTS = {"BatchNormalization": {}, "Activation": {"activation": "linear"}}


def check_study(config: dict, source: str = "config") -> None:
    """Check that the study does what a checked configuration says. Raises ConfigurationError."""
    report(
        ((key, shorten(found), expected) for key, found, expected in study_mistakes(config)), source
    )


def study_mistakes(config: dict) -> Iterator[Mistake]:
    """Yield (key, found, expected) for each setting that the study would not follow."""
    experiment = config["experiment"]
    yield from differing(
        ("experiment/module", str(Path(experiment["module"]).resolve()), str(PAGE)),
        ("experiment/data/features", experiment["data"].get("features"), study.FEATURES),
        ("experiment/loss", experiment.get("loss"), "mean squared error"),
    )
    parts = config["study"]["parts"]
    for part, settings in parts.items():
        yield from part_mistakes(config, f"study/parts/{part}", settings)
    cells = [cell for settings in parts.values() for cell in settings["cells"]]
    for name in config["protocols"].keys() & values_of(cells, "protocol"):
        yield from protocol_mistakes(f"protocols/{name}", config["protocols"][name])
    variants = [*values_of(cells, "variant"), *values_of(cells, "start")]
    for name in config["variants"].keys() & variants:
        yield from variant_mistakes(name, config["variants"][name])


def differing(*settings: tuple[str, object, object]) -> Iterator[Mistake]:
    """Yield those settings, (key, found, wanted), that are not what the study trains."""
    for key, found, wanted in settings:
        if found != wanted:
            yield key, found, f"{wanted}, which alone the study trains; leave out `study` otherwise"


def protocol_mistakes(key: str, protocol: dict) -> Iterator[Mistake]:
    """Yield what the study would not follow in a protocol."""
    yield from differing((f"{key}/optimizer", protocol["optimizer"], "Adam"))
    if protocol["procedure"] not in study.PROCEDURES:
        known = ", ".join(study.PROCEDURES)
        yield f"{key}/procedure", protocol["procedure"], f"one of {known}, for the study"
    if protocol["training_rows"][0] != 0:
        yield f"{key}/training_rows", protocol["training_rows"], "rows from 0 on, for the study"


def variant_mistakes(name: str, variant: dict) -> Iterator[Mistake]:
    """Yield what the study would train otherwise in a variant."""
    key = f"variants/{name}"
    if name not in study.VARIANTS:
        yield key, name, f"a variant that the study's engine trains: {', '.join(study.VARIANTS)}"
        return
    for slot, layers in zip(("between", "after"), study.VARIANTS[name], strict=True):
        found = [named(layer) for layer in variant["layers"].get(slot, [])]
        if found != list(layers):
            wanted = ", ".join(layers) or "no layer"
            yield f"{key}/layers/{slot}", variant["layers"].get(slot), f"{wanted}, for the study"


def named(layer: str | dict) -> str:
    """Return what the engine calls a layer; a layer that it does not know, as it stands."""
    name, arguments = (layer, {}) if isinstance(layer, str) else next(iter(layer.items()))
    return NAMES[name] if ARGUMENTS.get(name) == arguments else str(layer)


def part_mistakes(config: dict, key: str, part: dict) -> Iterator[Mistake]:
    """Yield what cannot be trained of a part."""
    for cell in part["cells"]:
        if {"steps", "epochs"} <= cell.keys():
            yield f"{key}/cells", "steps and epochs", "one of the two"
    published = config["seed"]
    if part["question"] == "page" and published >= part["seeds"]:
        yield "seeds", published, f"for the first one of the seeds 0 to {part['seeds'] - 1}"
    if not config["protocols"].keys() >= set(values_of(part["cells"], "protocol")):
        return  # told elsewhere
    cells = study.expand_part(part, config["experiment"], config["protocols"])
    if part["compared"] > len(cells) * part["seeds"]:
        yield f"{key}/compared", part["compared"], f"at most {len(cells) * part['seeds']} runs"
    for cell in cells:
        if cell["batch_size"] > cell["training_rows"]:
            expected = f"at most the {cell['training_rows']} training rows"
            yield f"{key}/cells/batch_size", cell["batch_size"], expected
