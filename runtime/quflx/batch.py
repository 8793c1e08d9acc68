"""`RedisBatchProcessor` with QuFLX v1's methods. The relay's BatchWriter does the work, for every asset, always."""

import threading
from typing import Any

from tickwire.messages.clients import StateAnswered, StateRequested
from tickwire.runtime.quflx.host import QuflxError
from tickwire.runtime.quflx.integration import RedisIntegration

FORCE_S = 20.0


class RedisBatchProcessor:
    """Storing depends on no call here: what was added is stored whether its asset is registered or not."""

    def __init__(self, redis_integration: RedisIntegration) -> None:
        self._integration = redis_integration
        self._lock = threading.Lock()
        self._registered: set[str] = set()

    def start_processing(self) -> None:
        """Start the relay, if it was not. Raises StartError."""
        _ = self._integration.host.relay

    def stop_processing(self) -> None:
        """Store what is pending, now. Storing goes on: `RedisIntegration.close` ends it. Raises QuflxError."""
        answer = self.force_process_asset("")
        if not answer["success"]:
            raise QuflxError(str(answer["error"]))

    def register_asset(self, asset: str) -> None:
        """Name it in the status."""
        with self._lock:
            self._registered.add(asset)

    def unregister_asset(self, asset: str) -> None:
        """Leave it out of the status; its ticks are stored as before."""
        with self._lock:
            self._registered.discard(asset)

    def get_processing_status(self) -> dict[str, Any]:
        """`is_running`: the store takes rows now; times are seconds UTC of each asset's last stored batch.

        Raises QuflxError.
        """
        state = self._state()
        with self._lock:
            assets = sorted(self._registered)
        return {
            "is_running": any(link.link == "store" and link.state == "up" for link in state.links),
            "active_assets": assets,
            "last_processed_times": {asset: state.stored_at[asset] for asset in assets if asset in state.stored_at},
            "buffer_sizes": {asset: self._integration.get_buffer_size(asset) for asset in assets},
        }

    def force_process_asset(self, asset: str) -> dict[str, Any]:
        """Store all that is pending, of this asset and the others: `{success, message}` or `{success, error}`."""
        what = asset or "all assets"
        if self._integration.host.relay.flush(within_s=FORCE_S):
            return {"success": True, "message": f"{what}: everything added so far is stored"}
        reasons = [link.detail or link.state for link in self._state().links if link.state != "up"]
        why = "; ".join(sorted(set(reasons))) or f"not within {FORCE_S:.0f} s"
        return {"success": False, "error": f"{what}: not all is stored yet: {why}; it is kept and tried again"}

    def _state(self) -> StateAnswered:
        return self._integration.host.ask("gateway", lambda to: StateRequested(reply_to=to), StateAnswered)
