"""Templates: an agreement with parameters, in graded levels that people understand; one choice instead of forty.

A member picks a level and gets a complete draft in plain English, to be refined or signed as it is. Pure: the shipped
templates are YAML files beside this module, read by whoever composes (`shipped/`).
"""

from commonwatch.agreements.templates.checking import check_template, sample, template_problems
from commonwatch.agreements.templates.instantiate import Draft, Exceptions, attempt, instantiate, instantiation_problems
from commonwatch.agreements.templates.template import Level, Parameter, Template, decode_template

__all__ = [
    "Draft", "Exceptions", "Level", "Parameter", "Template", "attempt", "check_template", "decode_template",
    "instantiate", "instantiation_problems", "sample", "template_problems",
]  # fmt: skip
