"""Environment: averages with their legal definitions, noise, wind, gauges.

Values of low-cost sensors are indicative (orientierend): a comparison with limits shows
where to measure, not whether a limit is met.
"""
