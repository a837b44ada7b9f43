"""A third-party analysis for procscope."""
