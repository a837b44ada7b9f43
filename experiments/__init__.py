"""One short file per research question, its parts beside it under its name, and `published.toml`: what papers claim.

`procscope experiments` lists them; `procscope run NAME --scale smoke` runs one in under a minute.
"""
