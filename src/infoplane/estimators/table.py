"""The table of estimators: name, class, kinds of data, meaning, cost and source."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Entry:
    """A line of the table of estimators.

    Attributes:
        name: the name in configurations and calls.
        path: module and class.
        data: kinds of data it takes.
        meaning: what its number means.
        cost: how time and memory grow with n samples of dimension d.
        reference: where it comes from.
    """

    name: str
    path: str
    data: str
    meaning: str
    cost: str
    reference: str


TABLE = (
    Entry(
        "binning",
        "infoplane.estimators.binning:Binning",
        "layers: activations with optional labels",
        "plug-in information of the layer quantised into cells: I(X;T) = H(T), I(T;Y) = H(T) - H(T|Y)",
        "time n d + n log n, memory n d",
        "Shwartz-Ziv & Tishby 2017; Saxe et al. 2018; Chelombiev et al. 2019",
    ),
    Entry(
        "exact",
        "infoplane.estimators.exact:Exact",
        "layers: quantised or integer activations, or float rows by equality",
        "information of the layer as it is, by counting equal rows",
        "time n d + n log n, memory n d",
        "Lorenzen, Igel & Nielsen 2022",
    ),
    Entry(
        "kde",
        "infoplane.estimators.kde:Kde",
        "layers: activations with optional labels",
        "bounds on the information of the layer with Gaussian noise; bits is the upper bound",
        "time n² d, less where the noise is small; memory n d",
        "Kolchinsky & Tracey 2017; Saxe et al. 2018",
    ),
    Entry(
        "noisy",
        "infoplane.estimators.noisy:Noisy",
        "layers: activations with optional labels",
        "information of the layer with Gaussian noise by Monte Carlo, with its standard error",
        "time draws n² (d + classes), memory n d",
        "Goldfeld et al. 2019",
    ),
    Entry(
        "renyi",
        "infoplane.estimators.renyi:Renyi",
        "layers: activations with optional labels",
        "matrix-based Rényi entropy of the layer's kernel matrix: a quantity of its own, not Shannon bits",
        "time n batch² + n batch d, memory n d + batch²",
        "Sanchez Giraldo, Rao & Príncipe 2015; Yu et al. 2020; Wickstrøm et al. 2019",
    ),
    Entry(
        "auto",
        "infoplane.estimators.auto:Auto",
        "pairs: continuous, discrete and mixed; labels of layers",
        "information by whatever suits the data: measured in several ways, chosen by rules, with the reason",
        "that of a few of the others: seconds for 10 000 samples; memory n (d + 1000)",
        "those of what it chooses; Tyler 1987; Donsker & Varadhan 1983; Barber & Agakov 2003",
    ),
    Entry(
        "plugin",
        "infoplane.estimators.plugin:Plugin",
        "pairs: discrete",
        "information of two discrete variables by counting, with a correction of each entropy if asked for",
        "time n log n, memory n",
        "Shannon 1948; Miller 1955; Grassberger 2003",
    ),
    Entry(
        "ksg1",
        "infoplane.estimators.neighbors:Ksg1",
        "pairs: continuous",
        "information of two continuous variables from nearest neighbours",
        "time n² d, n log n for two numbers; memory n d",
        "Kraskov, Stögbauer & Grassberger 2004",
    ),
    Entry(
        "ksg2",
        "infoplane.estimators.neighbors:Ksg2",
        "pairs: continuous",
        "as ksg1, from the rectangle around the neighbours",
        "time n² d, n log n for two numbers; memory n d",
        "Kraskov, Stögbauer & Grassberger 2004",
    ),
    Entry(
        "mixed-ksg",
        "infoplane.estimators.neighbors:MixedKsg",
        "pairs: continuous, discrete and mixed; labels of layers",
        "information from nearest neighbours where values may repeat; discrete symbols are atoms",
        "time n² d, n log n for two numbers; memory n d",
        "W. Gao et al. 2017",
    ),
    Entry(
        "ross",
        "infoplane.estimators.neighbors:Ross",
        "pairs: continuous with discrete; labels of layers",
        "information of coordinates and a label from neighbours within the label",
        "time n² d, n log n for one number; memory n d",
        "Ross 2014",
    ),
    Entry(
        "kl",
        "infoplane.estimators.kozachenko:Kl",
        "pairs: continuous and mixed; labels of layers; entropies",
        "differential entropy from nearest neighbours, information as a difference of entropies",
        "time n log n in few dimensions, else n² d; memory n d",
        "Kozachenko & Leonenko 1987; Berrett, Samworth & Yuan 2019",
    ),
    Entry(
        "lnn",
        "infoplane.estimators.lnn:Lnn",
        "pairs: continuous, up to 3 coordinates in all; entropies",
        "differential entropy from a Gaussian fitted around every sample, information as a difference of entropies",
        "time n log n + n m d² (m = 30 neighbours), memory n m d",
        "W. Gao, Oh & Viswanath 2016; Loader 1996",
    ),
    Entry(
        "lnc",
        "infoplane.estimators.lnc:Lnc",
        "pairs: continuous, fewer coordinates than k",
        "as ksg2, corrected where neighbours lie along a line or surface: strong dependence",
        "time n² d, n log n for two numbers; memory n d",
        "S. Gao, Ver Steeg & Galstyan 2015",
    ),
    Entry(
        "lga",
        "infoplane.estimators.lga:Lga",
        "pairs: continuous",
        "information from a normalised Gaussian fitted around every sample",
        "time n² d for neighbours, n d⁶ for the fits; memory n d²",
        "S. Gao, Ver Steeg & Galstyan 2015, arXiv 1508.00536",
    ),
    Entry(
        "gaussian",
        "infoplane.estimators.gaussian:Gaussian",
        "pairs: continuous and mixed; labels of layers; entropies",
        "information of the Gaussian with the same covariance: the linear part",
        "time n d² + d³, memory n d",
        "Cover & Thomas 2006; Misra, Singh & Demchuk 2005; Ledoit & Wolf 2004",
    ),
    Entry(
        "copula",
        "infoplane.estimators.copula:Copula",
        "pairs: continuous and mixed; labels of layers",
        "information after every coordinate has been made Gaussian by its ranks",
        "time n d log n and that of the estimator on the ranks; memory n d",
        "Ma & Sun 2011; Ince et al. 2017",
    ),
    Entry(
        "sliced",
        "infoplane.estimators.sliced:Sliced",
        "pairs: continuous and mixed; labels of layers",
        "mean information of one-dimensional projections: a quantity of its own, below the information",
        "time slices n log n, memory n d",
        "Goldfeld & Greenewald 2021",
    ),
)
