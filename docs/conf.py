"""Sphinx configuration of the manual, used by `make docs`."""

from recours import __version__

project = "recours"
author = "The recours team"
version = release = __version__
language = "en"

extensions = ["myst_parser"]
myst_heading_anchors = 3  # the same anchors as GitHub, so that links work there too
# Pygments cannot parse PostgreSQL's SQL and the diagrams.
suppress_warnings = ["misc.highlighting_failure"]
exclude_patterns = ["_build"]
nitpicky = True

html_theme = "furo"
html_title = "recours"
html_static_path = ["_static"]
html_css_files = ["manual.css"]
html_copy_source = False
html_show_sphinx = False
