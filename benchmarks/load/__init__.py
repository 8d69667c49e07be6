"""The load generators, each a program of its own that prints one line of JSON, so that they can run on their core."""
