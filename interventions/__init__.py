"""Interventions on activations as values, and what they change.

``intervention``   what an intervention is: new values for some channels of a hook point
``ablation``       zero and mean ablation
``apply``          put interventions on a network for the length of a `with` block
``arms``           many interventions on the same frames, sharing the layers that they have in common
``effects``        how far an intervention moves the network's choices, frame by frame
``channel_sweep``  each channel ablated in turn: effects with intervals, a corrected test and controls
``zero_channels``  the analysis `zero-channels`: that sweep on a cache, with a report

The study of direction channels (experiment `maze-channels`):

``direction_channels``  the pair finder: which channels say in which direction the cheese is
``direction_readout``   how well a channel's sum tells the way on other mazes
``decision_squares``    where the ways to cheese and corner part: which one does a channel show?
``control_channels``    which other channels to compare with
``channel_arms``        the arms that tell what one channel causes
``paired_play``         play the arms on the same mazes and compare them episode by episode
"""
