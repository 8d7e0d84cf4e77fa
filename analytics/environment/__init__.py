"""Environment: averages with their legal definitions, noise, wind, gauges.

Values of low-cost sensors are indicative (orientierend): compared with limits they tell
where to measure, not whether a limit is met.
"""
