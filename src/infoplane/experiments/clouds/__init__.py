"""Networks whose weights are random: samples of them, and the information of their clouds of activations."""
