"""The canonical event: columns, labels, clause fields, addresses, rungs. Pure: no I/O, no clock.

Names are OCSF 1.6.0 attribute paths joined by `_` where OCSF has a name. Every other room builds on these tables;
nothing here knows about agreements, storage or the network.
"""
