"""From a long record to windows and events, and back onto the record's own index."""
