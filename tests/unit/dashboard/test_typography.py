"""Lines of a French page do not begin with a colon or end with an opening quotation mark."""

import pytest

from recours.core.localized import typeset

FIXED, NARROW = "\u00a0", "\u202f"


@pytest.mark.parametrize(
    ("html", "shown"),
    [
        ("<p>Refusé : « no » ; et puis ?</p>", f"<p>Refusé{FIXED}: «{FIXED}no{FIXED}»{NARROW}; et puis{NARROW}?</p>"),
        ("<p>à 14 h 05, 3 s</p>", f"<p>à 14{FIXED}h{FIXED}05, 3{FIXED}s</p>"),
        ("<b>Motif</b> : x !", f"<b>Motif</b> : x{NARROW}!"),
        ('<a href="/?q=a : b" title="a ; b">10:30 :)</a>', f'<a href="/?q=a : b" title="a ; b">10:30{FIXED}:)</a>'),
    ],
)  # fmt: skip
def test_blanks_in_prose_do_not_break(html: str, shown: str) -> None:
    assert typeset(html, "fr") == shown
    assert typeset(html, "en") == html


@pytest.mark.parametrize("tag", ["pre", "option", "textarea", "script", "style"])
def test_preformatted_text_and_form_values_are_unchanged(tag: str) -> None:
    html = f"<{tag} id=x>a : b\n<b>c ; d</b></{tag}>"
    assert typeset(html, "fr") == html
