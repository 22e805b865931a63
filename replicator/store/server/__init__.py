"""The parts of the embedded PostgreSQL server. `store/embedded.py` is the entry to them.

    folder    our folder: who may touch it, files by descriptor, locks
    account   who runs the server, and what is done as that account
    binaries  the programs, where the server's account reaches them
    address   where the server listens: a socket in a private folder, a port for other tools
    creation  how the cluster is made, and what is read of an existing one
    cluster   the server's life: made, started, found, stopped

One rule holds everywhere: **only processes of the server's account touch what lies in a folder of that account.** As
root, this process opens, changes, removes and signals nothing there. So whatever an attacked server puts into its
folder (links, pipes, process ids) is only ever used with the rights of that account.
"""
