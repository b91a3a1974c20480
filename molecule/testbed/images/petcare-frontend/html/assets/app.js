"use strict";

fetch("/api/health")
  .then((answer) => answer.json())
  .then((health) => { document.getElementById("backend").textContent = `${health.version} (${health.status})`; })
  .catch(() => { document.getElementById("backend").textContent = "not reachable"; });
