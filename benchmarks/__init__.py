"""How fast the broker is, always beside a bare relay and a featureless baseline: `python -m benchmarks`."""
