"""How true the box is to IEC 61672-1:2013, as `tests/system/standard.py` measures it."""

from system.standard import CONTRACTS


def measure() -> dict[str, dict[str, float]]:
    """Deviations in dB by contract and name; a `margin` is the distance to a class 1 limit."""
    return {name: contract() for name, contract in CONTRACTS.items()}


def main() -> None:
    for name, deviations in measure().items():
        figures = ", ".join(f"{key} {value:.3f}" for key, value in deviations.items())
        print(f"{name}: {figures}")


if __name__ == "__main__":
    main()
