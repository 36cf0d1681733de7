"""The station's pages and its API, which the pages use like anybody else (DESIGN 6)."""
