"""How Sphinx builds the manual: `make docs`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from docs import reference_pages
from recours import __version__

project = "recours"
author = "The recours team"
version = release = __version__
language = "en"

extensions = ["myst_parser"]
myst_heading_anchors = 3  # GitHub's own anchors, so that links work there too
# SQL of PostgreSQL and diagrams, which the highlighter does not know.
suppress_warnings = ["misc.highlighting_failure"]
exclude_patterns = ["_build"]
nitpicky = True

html_theme = "furo"
html_title = "recours"
html_static_path = ["_static"]
html_css_files = ["manual.css"]
html_copy_source = False
html_show_sphinx = False

# The generated pages must be there before Sphinx looks for pages.
reference_pages.write()
