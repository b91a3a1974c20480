"""Backend, frontend and health monitor of the integrated container."""
