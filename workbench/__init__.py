"""What every part of procscope stands on: run records, statistics, stores, plug-ins, the command line.

This folder imports nothing of the project; everything else may import it. Importing it does nothing heavy.
"""
