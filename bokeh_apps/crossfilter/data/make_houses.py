"""Writes houses.csv, the made-up data set of this app: always the same 400 rows."""

import csv
import random
from pathlib import Path

COLUMNS = ["district", "heating", "built", "area_m2", "rooms", "distance_km", "energy_kwh_m2", "price_k"]
# Of each district: the years in which it was built, and how far its houses stand from the centre in km.
DISTRICTS = {
    "Old Town": ((1880, 1940), (0.2, 1.5)),
    "Harbour": ((1995, 2024), (0.5, 2.5)),
    "Hillside": ((1950, 1985), (2.0, 6.0)),
    "Meadows": ((1970, 2020), (4.0, 12.0)),
}
HEATING_SINCE = {"Oil": 1880, "Gas": 1930, "District heat": 1960, "Heat pump": 1990}


def make_house(rng: random.Random) -> list[str | int | float]:
    district = rng.choice(list(DISTRICTS))
    years, distances = DISTRICTS[district]
    built = rng.randint(*years)
    distance = round(rng.uniform(*distances), 1)
    area = max(32, round(rng.gauss(75 + 6 * distance, 24)))
    heating = rng.choice([name for name, since in HEATING_SINCE.items() if since <= built])
    energy = max(18, round(rng.gauss(230 - 1.4 * (built - 1880), 22)))
    price = round(area * rng.gauss(5.2 - 0.22 * distance, 0.45) - 0.25 * energy)
    return [district, heating, built, area, max(1, round(area / 26)), distance, energy, price]


def main() -> None:
    rng = random.Random(400)
    with Path(__file__).with_name("houses.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(make_house(rng) for _ in range(400))


if __name__ == "__main__":
    main()
