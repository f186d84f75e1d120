"""Commands for those who keep the course: run, check and measure it."""
