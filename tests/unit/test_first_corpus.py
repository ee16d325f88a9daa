"""The corpora that were drawn before the rules stay as they were."""

from importlib.metadata import version
from zlib import ZLIB_RUNTIME_VERSION

import pytest

from tests.corpus import first, invisible, undecodable
from tests.corpus.model import Template

# Other versions compress, or draw letters, otherwise: then the corpora say the same in other bytes.
FROZEN_WITH = {
    "fonttools": "4.68.0",
    "fpdf2": "2.8.9",
    "pillow": "13.0.0",
    "pypdf": "7.1.1",
    "reportlab": "5.1.0",
}
DIGESTS = {
    "first": (first.TEMPLATES, "3be06e6b616a4b2b7b23b662e297e2be5d3f11fc594cbd4c56fdbb3b4c89e933"),
    "invisible": (invisible.TEMPLATES, "fe9d0407b7f433687d63332d537abd92a5769a16b2d44b96a1d7baa7fbef26b8"),
    "undecodable": (
        undecodable.TEMPLATES,
        "c4fbd9232f130fb382354afae9cacc04249bbdba101a1a9d37191a99a22fd3fe",
    ),
}


@pytest.mark.full("draws a thousand documents, which only another version of a package changes")
@pytest.mark.skipif(ZLIB_RUNTIME_VERSION != "1.3.1", reason="frozen with zlib 1.3.1")
@pytest.mark.parametrize(("templates", "digest"), DIGESTS.values(), ids=DIGESTS)
def test_a_frozen_corpus_is_not_changed(templates: tuple[Template, ...], digest: str) -> None:
    if any(version(package) != number for package, number in FROZEN_WITH.items()):
        pytest.skip("frozen with other versions: see FROZEN_WITH")

    assert first.digest(templates) == digest
