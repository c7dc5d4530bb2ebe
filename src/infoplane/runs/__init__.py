"""Running a configuration: what is asked for, where it is kept, how it is computed."""
