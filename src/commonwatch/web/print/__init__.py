"""An agreement on paper: the same words people sign, with what they mean, who signed, and the chain of versions.

`sheet` says what stands on it, `html` and `pdf` draw it. Nothing is added to the signed words and nothing left out:
the exact text closes the document, with its hash.
"""

from commonwatch.web.print.html import CSP, to_html
from commonwatch.web.print.pdf import to_pdf
from commonwatch.web.print.sheet import Chain, Mark, Sheet, sheet_of

__all__ = ["CSP", "Chain", "Mark", "Sheet", "sheet_of", "to_html", "to_pdf"]
