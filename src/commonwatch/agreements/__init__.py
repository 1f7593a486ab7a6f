"""Agreements: what an owner signs, what it means for a reader, and how it is said, signed, chained and compiled. Pure.

`effective.effective` is the readable reference of the meaning; `compile.pieces` and `edge.ceiling` must equal it.
Default is withheld. There are no priorities, no specificity and no order between clauses. No I/O and no clock here.
"""
