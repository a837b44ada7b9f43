"""The engine and its levels: state codec, level editors, variants, labels, vector environments."""
