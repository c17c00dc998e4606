"""A client for HTX, written from the specification alone."""
