"""A file of metrics for node_exporter's textfile collector, in Prometheus's text format.

The format: https://prometheus.io/docs/instrumenting/exposition_formats/. The collector reads every file whose name
ends in `.prom`, at any time, and refuses samples that bring a time of their own.
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from recours.operations.metrics import Labels, Metric

_IN_HELP = str.maketrans({"\\": r"\\", "\n": r"\n"})
_IN_LABEL = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


def exposition(metrics: Iterable[Metric]) -> str:
    lines = []
    for metric in metrics:
        lines.append(f"# HELP {metric.name} {metric.meaning.translate(_IN_HELP)}")
        lines.append(f"# TYPE {metric.name} gauge")
        lines += [f"{metric.name}{_labels(labels)} {_number(value)}" for labels, value in metric.samples]
    return "".join(f"{line}\n" for line in lines)


def _labels(labels: Labels) -> str:
    text = ",".join(f'{name}="{value.translate(_IN_LABEL)}"' for name, value in labels)
    return f"{{{text}}}" if text else ""


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def replace_file(path: Path, text: str, mark: str) -> None:
    """Put the text there as a whole: a reader meanwhile has the old one or the new one. Raises OSError.

    `mark` is unique. Until it is complete the file has a name that the collector passes over.
    """
    part = path.with_name(f".{path.name}.{mark}.part")
    try:
        with part.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
