"""QuFLX v1's Python calls, for a host that imports them:

    from tickwire.quflx import RedisBatchProcessor, RedisIntegration

    redis = RedisIntegration()
    redis.add_tick_to_buffer("EURUSD_otc", {"price": 1.0654, "timestamp": 1767614400.271})

The relay runs in the host's process from the first call on, until `close`. Everything else is as QuFLX had it, but for
what `docs/migrating-from-quflx.md` lists.
"""

from tickwire.runtime.quflx.batch import RedisBatchProcessor
from tickwire.runtime.quflx.host import QuflxError
from tickwire.runtime.quflx.integration import RedisIntegration

__all__ = ["QuflxError", "RedisBatchProcessor", "RedisIntegration"]
