"""Probes: what can be read out of activations, with the baselines and controls that give the number a meaning.

What is asked of the cache:

``expressions`` ``expression_values``   the small language of targets: `min(1 / distance_to_goal_cells, 5)`
``future``         what lies ahead of a frame, and the check that no target is from there unasked
``targets``        the values of targets in a cache, checked
``levels``         levels, folds of whole levels
``reading``        which numbers of an activation are read: all, means, squares, positions
``features``       what a probe reads of each frame: a layer, pixels
``run_features``   the same of a network that is run on the cache's frames
``untrained``      the same network before anything was learned

Probes in closed form, from one pass over any number of frames:

``moments``        sums of products, fold by fold
``ridge``          linear regression and ridge: every target, every strength, cross-validated over levels
``least_squares``  numbers, classes and control tasks of one reading, each scored on levels left out
``positions``      one probe for all positions of a map: where is it?
``group_out``      leave one level out, exactly
``direction``      a fitted linear probe: weights, map, interventions
``handles``        its direction as a handle on behaviour, with matched controls and an eraser
``monotone``       the best linear read-out of any monotone recoding of a target
``thresholds``     one linear read-out for every threshold
``description``    minimum description length by the online code

Probes that are fitted by steps, in memory:

``whitening``      features made ready for them
``logistic`` ``quantile`` ``isotonic`` ``mlp``   classes, quantiles, a monotone curve of one score, the non-linear bound

What makes a number of it:

``scores``         held-out predictions, summed by level
``level_intervals``  bootstrap over levels of ratios of such sums
``control``        control tasks and selectivity
``lookup``         what other labels predict
``skill``          one scale for numbers, classes and places: 0 for guessing, 1 for never wrong

Of entities in levels:

``tracking`` ``entity_scenes`` ``entity_study``  does a unit follow a thing that is moved
``plans``          the moves that lie ahead on the shortest way
``claims``         where a changed reading says that a thing lies, and which move would lead there
``next_key``       is a unit louder at the key that comes next
``entity_vectors``  what each thing adds to the channels at its place
``goal_rules``     what a network goes by when it chooses its goal
``goal_switch`` ``guided_eigen``  handles on the pursued goal, and what feeds a probe

``study``          all of that for one reading of a network, by the options of ``settings``: ``findings``, ``in_memory``
``analysis``       the analysis `probe`, with ``result``, ``report``, ``report_text``, ``report_maps``, ``figures``
"""
