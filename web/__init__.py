"""What is read in a browser. `features/` writes static sites about the latents of sparse autoencoders."""
