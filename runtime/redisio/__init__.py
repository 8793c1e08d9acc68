"""Redis: an actor's own link, an adapter for each port, a subscriber, and the server of our own."""
