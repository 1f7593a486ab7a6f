"""Look-back: what was seen here, checked against every indicator that comes, and every event against those held.

Rules held here: the index stays at the gateway and is bounded by rows and age; the member is told at once; the hub is
told of a match only by an event of class `match`, which leaves as any event does: under the owner's agreements for that
class and the labels of what was seen, and only where the observable itself may leave exactly. The event names no
indicator, so that nothing of a withheld value follows from it.
"""

from commonwatch.gateway.lookback.index import Index, Match
from commonwatch.gateway.lookback.look import Lookback

__all__ = ["Index", "Lookback", "Match"]
