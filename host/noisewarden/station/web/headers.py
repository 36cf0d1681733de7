"""What a browser must not do with what it gets: headers of every answer."""

STATIC = "/static/"

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_ALWAYS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with no-referrer the Origin of a form would be null
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_HSTS = {"Strict-Transport-Security": "max-age=31536000"}


def headers(path: str, tls: bool) -> dict[str, str]:
    """Those of an answer for `path`. What anybody may see is kept by a browser, and asked for
    again by its ETag; all else is not kept."""
    kept = "no-cache" if path.startswith(STATIC) else "no-store"
    return _ALWAYS | {"Cache-Control": kept} | (_HSTS if tls else {})
