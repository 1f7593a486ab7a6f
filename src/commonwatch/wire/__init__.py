"""Messages between gateway and hub: batches upwards, the stream downwards, signed requests, enrolment.

Pure: bytes and Structs, no I/O, no clock (times are parameters, microseconds since 1970 UTC). What arrives here comes
from outside: `batch.unseal`, `auth.verify_request` and `enrolment.open_reply` are security boundaries and refuse
everything an honest peer would not send.
"""
