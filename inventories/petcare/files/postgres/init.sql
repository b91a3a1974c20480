-- Run by the database image once, on the first start with an empty volume; a later change of this file is not run.
-- Tables belong to the application, which migrates them itself.
CREATE EXTENSION IF NOT EXISTS pgcrypto;
