"""The rules of Gopher (Rae et al. 2021), C4 (Raffel et al. 2020) and FineWeb (Penedo et al. 2024), over prose alone.

On prose their values are those of datatrove's filters; code, tables and logs, which the originals take for bad prose,
do not enter.
"""
