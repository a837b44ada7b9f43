"""Pictures of levels, channels and what drives them."""
