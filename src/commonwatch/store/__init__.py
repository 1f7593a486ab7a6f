"""The engine seam: the only room that names the engine, opens its files or writes its SQL.

Rules held here: appends are exactly once and durable before they return; nothing but `govern` reads; every view is a
SECURE VIEW, written with its prefix here and read back before anything runs on it; engine errors become one constant
problem without the engine's text, because that text may quote a value behind a view.
"""

from commonwatch.store.batch import StoredBatch
from commonwatch.store.handling import Handling
from commonwatch.store.session import Limits, Session, typed
from commonwatch.store.store import Store

__all__ = ["Handling", "Limits", "Session", "Store", "StoredBatch", "typed"]
