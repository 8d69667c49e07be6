"""The CORS rule that every proxy is given, and the requests that are sent to it."""

from __future__ import annotations

from typing import Final

ORIGIN: Final = "https://app.example.com"
STRANGER: Final = "https://evil.example.net"
METHODS: Final = "GET, POST, PUT, DELETE"
HEADERS: Final = "Content-Type, Authorization, X-Requested-With"
MAX_AGE: Final = 600

SMALL: Final = '{"id":7,"name":"The Left Hand of Darkness","author":"Ursula K. Le Guin","year":1969,"copies":3}'
BODIES: Final = {"64k": 64 * 1024, "10m": 10 * 1024 * 1024}  # names of files and their bytes

# What Chromium sends with a fetch() of another site, besides Host.
BROWSER: Final = {
    "Connection": "keep-alive",
    "sec-ch-ua-platform": '"Linux"',
    "Authorization": f"Bearer {'t0ken' * 20}",
    "User-Agent": (
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
    ),
    "sec-ch-ua": '"Chromium";v="140", "Not=A?Brand";v="24", "Google Chrome";v="140"',
    "sec-ch-ua-mobile": "?0",
    "Accept": "application/json, text/plain, */*",
    "Origin": ORIGIN,
    "Sec-Fetch-Site": "cross-site",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Dest": "empty",
    "Referer": f"{ORIGIN}/",
    "Cookie": "session=b0b5c0ffee1234567890abcdef; theme=dark; _ga=GA1.1.1234567890.1700000000",
}

PREFLIGHT: Final = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "PUT",
    "Access-Control-Request-Headers": "authorization,content-type",
}
DENIED_PREFLIGHT: Final = {**PREFLIGHT, "Origin": STRANGER}
