"""Documentation sites that this machine serves to itself, so that a first run crawls over real HTTP."""
