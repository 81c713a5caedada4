"""Cloudflare Stream: the one room that speaks HTTP.

account.py says whose Stream it is, client.py makes requests (over wire.py, lines.py and watchdog.py), failures.py
says what can go wrong, retry.py and budget.py when to ask again and how often, tus.py sends files, videos.py reads
and edits the library, webhook.py checks signatures. Importing this package costs nothing: httpx and tenacity are
loaded by the modules that make requests.
"""
