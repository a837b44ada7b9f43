"""Policies trained by other code bases: recognise a file's layout and turn it into a checkpoint of ours.

`layout.py` says what a layout is, `layouts.py` lists those known, `importing.py` does it.
"""
