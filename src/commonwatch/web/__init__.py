"""The HTTP room: routes, authentication, problems, the UI's files. It decides nothing and holds no data.

Rules: events reach a client only through `govern` (a port); every route needs a principal unless it says `open`; every
error leaves as one RFC 9457 problem without data; no log line has more than method, route and status.
"""
