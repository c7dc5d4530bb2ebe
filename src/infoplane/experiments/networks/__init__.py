"""Networks on few levels and networks with noise: definitions under which what a layer knows is no matter of bins."""
