# Where `nymote status` and its like find the running service.
export NYMOTE_DATA=/etc/nymote/data
