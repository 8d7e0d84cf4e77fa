"""The report of a site: what it carried in a period, and how good the data is.

What it reports of the period is read together and computed by the functions that the
API's figures come from. Whoever shows it arranges it, and computes nothing.
"""
