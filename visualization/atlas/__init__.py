"""An atlas of a layer: a page with a row for each unit and a column for each method of looking at it.

``settings``    which methods, how many seeds and examples
``entry``       what is kept of one unit and one method
``data``        what all methods need to know of the data: quantiles, colours, classifiers
``synthetic``   pictures by recipe, and levels by search, with their trust measures
``examples``    frames, patches and quantiles
``build``       one after the other, kept as it goes, resumed where it stopped
``summary``     the trust measures over all units
``page``        the page
"""
