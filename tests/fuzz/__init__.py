"""Mutated input at every door: photos, codes, words, gestures, head files, imports. `make fuzz` runs it."""
