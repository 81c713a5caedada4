"""Cloudflare Stream: the one room that speaks HTTP.

client.py makes requests, failures.py says what can go wrong, retry.py and budget.py say when to ask again and how
often, tus.py sends files, videos.py reads and edits the library, webhook.py checks signatures. Importing this
package costs nothing; httpx and tenacity are loaded by the modules that need them.
"""
