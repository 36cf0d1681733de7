"""Numbers as a certificate prints them."""


def signed(value: float, digits: int = 2) -> str:
    """With its sign, a true minus; 0 has none."""
    text = f"{value:+.{digits}f}"
    return f"{0:.{digits}f}" if not float(text) else text.replace("-", "−")


def plain(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}".replace("-", "−")
