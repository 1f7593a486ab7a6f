"""THE enforcement point: live agreements become a reader's decision table, the table a relation, the relation answers.

Rules held here: nothing reads the store but this room; a reader holds nothing but what its relation shows, filters on
shown values only, and gets a reason for everything withheld; a policy that cannot be had closes everything.
"""
