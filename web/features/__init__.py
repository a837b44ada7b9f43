"""The feature viewer: a static web site about every latent of a sparse autoencoder, opened from disk.

    write_site(open_inputs("sae/fc/sae.safetensors", cache="caches/maze"), Path("site"))

The files follow the data. `inputs.py` opens what a site is made from and refuses what does not fit together;
`shown_frames.py` says which frames are shown and reads them; `latent_maps.py` and `attribution.py` make the heat maps
over them, `heat.py` is what both give; `sheets.py` makes pictures; `overview.py`, `latent_table.py` and
`latent_record.py` are what the page knows, in the layout that `scripts.py` writes; `site.py` chains them.

`page/` is the page itself: plain HTML, CSS and classic scripts, since browsers load neither modules nor JSON from disk.
What is on disk:

    site/index.html, page/          the page, the same in every site
    site/site.json                  what the site is of; the mark of a folder that may be replaced
    site/data/overview.js           the autoencoder, its survey, the statements, the actions
    site/data/table.js              a column of numbers for each column of the table
    site/thumbnails/3.webp          the top frame of latents 192 to 255
    site/latents/17.js, 17.webp     all about latent 17, and its frames; loaded when it is opened

Every string from outside is written as JSON and put into the page as text, never as markup.
"""
