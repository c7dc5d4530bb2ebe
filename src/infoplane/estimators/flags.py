"""What a flag means and what to do about it, in plain words."""

from typing import Any

from infoplane.errors import InputError, did_you_mean

EXPLANATIONS: dict[str, str] = {
    "saturated": (
        "The value of I(X;T) is within 0.1 bit of log2 N, the most that N samples can show. It reflects the number of "
        "samples, not the network: nearly every sample has an activation of its own. I(T;Y) of the same layer is then "
        "within 0.1 bit of H(Y) whatever the labels are, and carries the flag too. Use coarser bins or more noise, or "
        "more samples, and never read compression or its absence from saturated layers."
    ),
    "constant": (
        "Every sample has the same activations, so the layer carries no information: I(X;T) = I(T;Y) = 0. Look for "
        "dead units, a learning rate that is too large, or a layer that is not connected. Of a pair of variables: one "
        "of them has a single value."
    ),
    "ties": (
        "Some samples have equal values or equal distances although the data are taken as continuous: rounded "
        "numbers, counts, pixels, half precision, saturated units. ksg1, ksg2, mixed-ksg and ross average over all "
        "orders of the equal distances and count equal samples as atoms, so their values hold. Estimators of a density "
        "(lnn, lga) do not: use mixed-ksg there, or plugin for few values."
    ),
    "clipped": (
        "Values lie outside the range of fixed bins and were put into the outer ones. What they differ in is lost, "
        "and a layer that grows seems to compress: the best-known error of the original code with ReLU. Use edges that "
        "follow the layer, a fixed width, or a wider range."
    ),
    "non-finite": (
        "The activations hold NaN or infinite values; the estimate is NaN. Other layers and epochs are untouched. "
        "Usually training has diverged: lower the learning rate."
    ),
    "small-class": (
        "A class has too few samples for the estimator, so its part of I(T;Y) is unreliable. Merge classes, drop the "
        "class, or measure on more samples."
    ),
    "ceiling": (
        "The estimate is near the largest value that this estimator can give with so many samples. The truth may be "
        "far above. Use more samples, or an estimator with a model of the dependence."
    ),
    "high-dimension": (
        "The data have more effective dimensions than so many samples can fill; neighbours are far away and the "
        "estimate is biased, mostly towards 0. Reduce the dimension first, or use a parametric estimator."
    ),
    "manifold": (
        "The data lie on a surface of lower dimension than their coordinates, where this estimator's local model does "
        "not hold. Use an estimator that needs no density, or coordinates along the surface."
    ),
    "dead": (
        "The member's last hidden layer gives the same value for every sample, or it never learnt: its training "
        "accuracy stayed at the share of the largest class. It is kept in the means and counted; "
        "train.redraw_dead=true draws such initialisations again."
    ),
    "diverged": ("The member's loss became infinite or NaN; its later values are NaN. Lower the learning rate."),
    "above-entropy": (
        "The value of I(T;Y) is above the entropy of the labels, which no information about them can exceed, so the "
        "value is wrong. The truth is at most H(Y), the value of `upper`. Use an estimator that suits the data (auto, "
        "or mixed-ksg in few dimensions), reduce the dimension, or use more samples."
    ),
    "not-gaussian": (
        "The estimator describes the data by a Gaussian, and the data are clearly not Gaussian: the dependence is not "
        "linear, or its strength varies, or the classes are not normal, or a few samples lie far away. The value may "
        "be far too low or too high. Use auto or ksg1 (mixed-ksg with labels) and compare."
    ),
    "k-dependent": (
        "The estimate changes much with the number of neighbors: the dependence is finer than the distances between "
        "neighbors, and the truth is probably higher. Use more samples, or compare k=1, k=3 and k=10."
    ),
    "stochastic": (
        "Two evaluations of the same inputs gave different activations: the layer draws noise when it is evaluated, as "
        "the code of a variational autoencoder or a dropout that stays on does. The value is that of one draw for each "
        "input, taken as if it were deterministic, and may be several bits too high. Measure several draws of each "
        "input with ip.as_if_random, or a Gaussian code with ip.gaussian_encoder."
    ),
    "outliers": (
        "A few samples have values far from all others, as markers of missing values such as -999 have. They are "
        "left out of the standard deviation by which their column is divided, so they change little; without that the "
        "other samples would seem equal. Drop these rows if the values are not measurements."
    ),
    "uninformative": (
        "The value does not exceed what the same samples give when the labels are shuffled, so it is not "
        "distinguishable from labels assigned at random. It reflects the number of samples and the estimator, not the "
        "network. Use coarser bins, more noise or more samples, or an estimator whose value for random labels is near "
        "0, such as ross."
    ),
    "initial-statistics": (
        "A batch norm at or before this layer has seen no batch: its running statistics are 0 and 1, as at epoch 0. "
        "Evaluated with them the model is not the function that trains, so the value does not describe the start of "
        "training, and a change at the next epoch is no learning. Leave this epoch out, or measure with "
        "batch_statistics=True."
    ),
    "autocorrelated": (
        "Rows close to each other are alike in both variables, as in time series or repeated measurements. There are "
        "fewer independent samples than rows: p-values from shuffles are too small and intervals too narrow. Use "
        "null_kind='shift' for a time series, or groups= with null_kind='block' for rows that belong together. If the "
        "rows were only sorted, shuffle both variables alike and measure again."
    ),
    "negative": (
        "The value is below 0 by more than five standard errors. Information is never negative, so the estimator is "
        "biased on these data: heavy tails, many coordinates, a strong dependence on a thin curve. Use auto or ksg1 "
        "(ross with labels), or more samples."
    ),
    "few-samples": (
        "There are fewer than 30 samples of two continuous variables. The assumptions of an estimator cannot be "
        "checked with so few: a function such as y = sin 3x looks like independent noise. Use more samples."
    ),
}
"""One explanation for each flag of `infoplane.estimators.base.FLAGS`."""


def explain(flag: Any) -> str:
    """Say in plain words what a flag means and what to do.

    Args:
        flag: the name of a flag, as in ``Estimate.flags``.

    Raises:
        InputError: for an unknown flag; names the nearest.

    Example:
        >>> import infoplane as ip
        >>> ip.explain("constant").split(":")[0]
        'Every sample has the same activations, so the layer carries no information'
    """
    if not isinstance(flag, str):
        raise InputError(f"flag: expected the name of a flag, got {flag!r}. Pass for example 'saturated'")
    if flag not in EXPLANATIONS:
        raise InputError(f"unknown flag '{flag}'{did_you_mean(flag, EXPLANATIONS)}")
    return EXPLANATIONS[flag]
