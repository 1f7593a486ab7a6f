"""The exact algebra over agreements: what a change reveals, which clause is useless, who can see what. Pure.

Every clause is a box over labels, age, readers and purposes (`boxes`, `space`); what is shown at least so precisely is
a union of boxes (`regions`), so differences and questions have exact answers, each with a witness that `effective()`
confirms. `changes` tells what a change does, `findings` what is wrong with a document, `questions` who can see what.
"""
