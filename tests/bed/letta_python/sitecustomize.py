"""Read by the Python of the bed's Letta servers as they start.

A fifth of a start, and a tenth of all requests, is otherwise spent on looking
for garbage among classes that live as long as the server.
"""

import gc

gc.set_threshold(50000, 20, 50)
