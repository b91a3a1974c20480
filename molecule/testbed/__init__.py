"""The test bed: an engine, a bare systemd host, the images, an ACME server and an S3 store, on one Linux machine."""
