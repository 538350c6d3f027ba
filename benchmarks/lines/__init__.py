"""The lines of the table: each module has ``measure(quick)`` and returns a Record."""
