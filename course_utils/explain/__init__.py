"""A net as a list of steps, and what is read off it: outputs, filters, class maps, scores."""
