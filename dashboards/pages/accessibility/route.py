"""The page on accessibility."""

from dashboards.prose import prose_page
from verkehrspuls.text import mark

router, LINK = prose_page("accessibility", mark("Accessibility"))
