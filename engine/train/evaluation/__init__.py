"""How good a generator is, by figures and by eye: one file for each task, found by the task of the generator's card."""
