"""Tests of OAuth clients and connections, and the doctor: one finding a line.

    doctor          what is asked for, put together
    of_client       what the provider says about an OAuth client
    of_store        folder, file system, database and key
    redirect_uris   whether a sign-in comes back to where this service runs
    extensions      what this environment's configuration says about our extensions of Jupyter
    findings        one finding in one line

Nothing is loaded here: a kernel's own doctor uses the last two, and has no database.
"""
