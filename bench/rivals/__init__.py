"""Programs that somebody would use instead, written as somebody would write them; bench/peers.py runs them beside ours.

Each reads TRUEDY_BASE_URL, TRUEDY_API_KEY, DATABASE_URL and PEERS_FOLDER (a folder of its own, kept between its runs) and
runs in an environment of its own under build/peers; nothing of it is part of the product.
"""
