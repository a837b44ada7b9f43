"""Activations of networks: hook points, capture, the on-disk cache and what fills it.

``hooks``     name the places of a network and read or replace what passes there
``capture``   activations of given observations, in memory
``cache``     the on-disk activation cache: write in blocks, stream back, verify
``collect``   rollouts, static frames or given levels into a cache, with the truth of every frame
"""
