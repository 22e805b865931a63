"""The PostgreSQL of our own, piece by piece. `store/embedded.py` is its door.

    folder    our folder: who may touch it, files by descriptor, locks
    account   who runs the server, and what is done as that account
    binaries  the programs, where the server's account reaches them
    address   where the server listens: a socket in a private folder, a port for other tools
    cluster   the server's life: made, started, found, stopped

One rule holds all of it together: **what lies in a folder of the server's account is touched by processes of that account
only.** As root, this process opens, changes, removes and signals nothing there, so whatever a fallen server plants in its
folder (links, pipes, process ids) meets the rights of that same account.
"""
