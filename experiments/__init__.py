"""One file per research question, 30 to 80 lines each, and `published.toml`: what papers claim about it.

`procscope experiments` lists them; `procscope run NAME --scale smoke` runs one in under a minute.
"""
