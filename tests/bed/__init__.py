"""The test bed: real peers for sanctumctl on one machine.

Everything here that has a product's name is that product: OpenSSH servers,
Letta servers on PostgreSQL, nginx, certbot and the Pebble ACME server.  Two
things are stand-ins, and say so: the language model (`bed.stub_llm`) and the
files of a worker (`bed.worker`).

The package is used by pytest and by scripts/demo, with PYTHONPATH=tests.
It needs root, and what `scripts/setup bed` installs.
"""
