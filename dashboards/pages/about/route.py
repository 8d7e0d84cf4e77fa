"""The page on what is measured, and why."""

from dashboards.prose import prose_page
from verkehrspuls.text import mark

router, LINK = prose_page("about", mark("About the data"), header=True)
