"""What is said of a number's conduct: evidence, reports, franks, and the list that an authority publishes."""
