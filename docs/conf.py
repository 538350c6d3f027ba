"""Settings of Sphinx: ``make docs`` builds the site from the pages of this folder."""

import os
import warnings

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["MPLBACKEND"] = "Agg"

import sklearn_lstmae

project = "sklearn_lstmae"
author = "The sklearn_lstmae developers"
copyright = author
release = version = sklearn_lstmae.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
    "matplotlib.sphinxext.plot_directive",
]
exclude_patterns = ["_build", "_templates"]
templates_path = ["_templates"]
html_theme = "pydata_sphinx_theme"
html_title = "sklearn_lstmae"
html_theme_options = {
    "show_prev_next": True,
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "navbar_persistent": ["search-button"],
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
}
html_show_sourcelink = False
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
# Pages without pages below them need no navigation at the side.
SINGLE = ["index", "getting_started", "how_it_works", "questions", "contributing", "changelog"]
html_sidebars = {page: [] for page in SINGLE}
toc_object_entries_show_parents = "hide"

# Headings can be linked to as page.md#heading.
myst_heading_anchors = 4
myst_enable_extensions = ["deflist", "colon_fence"]

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False  # the template of classes lists their own methods
numpydoc_xref_param_type = False
# Single backticks in docstrings name parameters and methods; they are links where they can be.
default_role = "autolink"

plot_formats = [("png", 160)]
plot_html_show_formats = False
plot_html_show_source_link = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    # The films take longer than all other examples, so that page shows the code only.
    "filename_pattern": r"plot_(?!moving_digits)",
    "within_subsection_order": "FileNameSortKey",
    "remove_config_comments": True,
    "show_signature": False,
    "write_computation_times": False,
}
# Examples train briefly, so fits may warn.
warnings.filterwarnings("ignore", message="The fit is no better than predicting")
