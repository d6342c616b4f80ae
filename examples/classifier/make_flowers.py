"""Make flowers.csv: 180 imaginary flowers of three kinds, four measurements each.

    python examples/classifier/make_flowers.py > examples/classifier/flowers.csv

Python's own random numbers, so that every machine makes the same file.
"""

import random

CENTRES = [(5.0, 3.4, 1.5, 0.3), (5.9, 2.8, 4.3, 1.3), (6.6, 3.0, 5.5, 2.0)]  # cm
SPREAD = 0.45


def main():
    """Print the table, the kinds in turn, so that any range of rows has all of them."""
    numbers = random.Random(58612783)
    print("length,width,petal_length,petal_width,kind")
    for row in range(180):
        kind = row % len(CENTRES)
        sizes = (numbers.gauss(centre, SPREAD) for centre in CENTRES[kind])
        print(*(f"{max(size, 0.1):.2f}" for size in sizes), kind, sep=",")


if __name__ == "__main__":
    main()
