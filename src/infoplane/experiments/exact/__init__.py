"""What the experiments compute that need no estimator: settings, the numbers of a member, the data set."""
