"""Circuits: which parts of a network carry what makes two frames, or two choices, different.

``metrics``               what is asked: a logit difference, log odds of moves, the value, a divergence
``pairs``                 minimal pairs of frames
``plain_runs``            which pairs the network tells apart
``activation_patching``   patch every channel, position or unit of every hook point, exactly
``attribution_patching``  estimate all of these from one backward pass
``path_attribution``      a closer estimate for places before a ReLU or a pool
``agreement``             estimates against exact effects
``logit_attribution``     what each channel and position of the last map adds to a logit difference
``integrated_gradients``  what each pixel adds
``occlusion``             what covering a window of pixels takes away
``grad_cam``              where in a map the channels lie that count
``captum_forward``        any other method of Captum's

Beneath them: ``sites``, ``effects`` (the result of patching), ``estimates``, ``gradients``, ``linear_path``,
``pictures``.
"""
